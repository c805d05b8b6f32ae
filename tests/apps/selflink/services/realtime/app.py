# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket gateway: every client gets the ticks and what any client says, on whichever instance it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

import jwt
import redis.asyncio as redis
from environment import read
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect

JWT_SECRET = read("REALTIME_JWT_SECRET", "JWT_SIGNING_KEY")
REDIS = redis.Redis.from_url(read("REALTIME_REDIS_URL"), decode_responses=True)
CHANNELS = ("ticks", "chat")
SEND_SECONDS = 5

log = logging.getLogger("uvicorn.error")
clients: set[WebSocket] = set()
subscribed = asyncio.Event()


async def send(client: WebSocket, text: str) -> None:
    try:
        await asyncio.wait_for(client.send_text(text), SEND_SECONDS)
    except Exception:  # gone or stuck: either way it gets no more
        clients.discard(client)


async def fan_out() -> None:
    while True:
        try:
            async with REDIS.pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(*CHANNELS)
                subscribed.set()
                async for message in pubsub.listen():
                    text = json.dumps({"channel": message["channel"], "data": json.loads(message["data"])})
                    await asyncio.gather(*(send(client, text) for client in list(clients)))
        except (redis.RedisError, OSError, ValueError) as error:
            log.warning("fan-out: %s; trying again", error)
        subscribed.clear()
        await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    listener = asyncio.create_task(fan_out())
    yield
    listener.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listener
    await REDIS.aclose()


app = FastAPI(title="SelfLink realtime", lifespan=lifespan)


@app.get("/health")
async def health(response: Response) -> dict:
    if not subscribed.is_set():
        response.status_code = 503
    return {"status": "ok" if subscribed.is_set() else "not subscribed to Redis", "clients": len(clients)}


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket, token: str = "") -> None:
    try:
        claims = jwt.decode(token, JWT_SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError as error:
        log.info("WebSocket rejected: %s", error)
        await websocket.close(code=1008)  # before accept: the client gets 403
        return
    await websocket.accept()
    clients.add(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await REDIS.publish("chat", json.dumps({"from": claims["sub"], "text": text}))
    except WebSocketDisconnect:
        pass
    finally:
        clients.discard(websocket)
