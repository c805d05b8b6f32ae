# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind an edge: tells who was asked and what arrived, byte for byte. The standard library only.

SERVICE   who it says it is
PORTS     where it listens, 8000 by default

The last segment of the path says what is wanted, so that it works below any prefix:

events    server-sent events: `open` at once, then what is published on ?channel=NAME, and every ?beat= seconds a beat
publish   the body goes to everybody on ?channel=NAME; answers how many they are
sink      reads the body, however long, and answers its size and sum
wait      answers after ?seconds=
other     the request as JSON; ?status=404 and ?header=NAME:VALUE change the answer

A WebSocket is taken on any path: it is told the request first, then what it says is said back, and what is published on its ?channel=.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import struct
import typing as t
import urllib.parse

SERVICE = os.environ.get("SERVICE", "nobody")
PORTS = [int(port) for port in os.environ.get("PORTS", "8000").split()]
KEPT = 4096
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

_channels: dict[str, set[asyncio.Queue]] = {}


class Request(t.NamedTuple):
    """A request as it arrived."""

    port: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    query: dict[str, str]

    def header(self, name: str) -> str:
        """The value of a header, "" without it."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    def told(self) -> dict[str, t.Any]:
        """Who was asked, and what."""
        return {
            "service": SERVICE,
            "container": os.uname().nodename,
            "port": self.port,
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
        }


@contextlib.contextmanager
def listening(channel: str) -> t.Iterator[asyncio.Queue]:
    """What is published on the channel meanwhile."""
    queue: asyncio.Queue = asyncio.Queue()
    _channels.setdefault(channel, set()).add(queue)
    try:
        yield queue
    finally:
        _channels[channel].discard(queue)


async def body_of(reader: asyncio.StreamReader, request: Request) -> t.AsyncIterator[bytes]:
    """The body, piece by piece."""
    if request.header("transfer-encoding").lower() == "chunked":
        while (left := int((await reader.readline()).split(b";")[0], 16)) > 0:
            while left:
                piece = await reader.read(min(left, 65536))
                if not piece:
                    raise EOFError
                left -= len(piece)
                yield piece
            await reader.readline()
        await reader.readline()
        return
    left = int(request.header("content-length") or 0)
    while left:
        piece = await reader.read(min(left, 65536))
        if not piece:
            raise EOFError
        left -= len(piece)
        yield piece


def answer(status: int, body: bytes, content_type: str, more: t.Iterable[str] = ()) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """One connection, for as long as it lasts."""
    with contextlib.suppress(ConnectionError, EOFError, TimeoutError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _version = head[0].split(" ")
            headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
            query = dict(urllib.parse.parse_qsl(target.partition("?")[2]))
            request = Request(port, method, target, headers, query)
            if request.header("upgrade").lower() == "websocket":
                await websocket(reader, writer, request)
                break
            if not await reply(reader, writer, request):
                break
            await writer.drain()
    writer.close()


async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
    """Answers; False when the connection has served its turn."""
    wanted = request.target.partition("?")[0].rsplit("/", 1)[-1]
    if wanted == "events" and request.method == "GET":
        await events(reader, writer, request)
        return False
    size, digest, kept = 0, hashlib.sha256(), b""
    async for piece in body_of(reader, request):
        size += len(piece)
        digest.update(piece)
        kept += piece[: KEPT - len(kept)]
    told = request.told() | {"body": kept.decode("latin-1"), "size": size, "sha256": digest.hexdigest()}
    if wanted == "publish":
        queues = _channels.get(request.query.get("channel", ""), set())
        for queue in queues:
            queue.put_nowait(kept.decode())
        told["listeners"] = len(queues)
    if wanted == "wait":
        await asyncio.sleep(float(request.query["seconds"]))
    more = [request.query["header"]] if "header" in request.query else []
    whole = answer(int(request.query.get("status", 200)), json.dumps(told).encode(), "application/json", more)
    writer.write(whole if request.method != "HEAD" else whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    return request.header("connection").lower() != "close"


async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    """Events until the client has gone."""
    writer.write(b"HTTP/1.1 200 Said\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n")
    beat = float(request.query["beat"]) if "beat" in request.query else None
    with listening(request.query.get("channel", "")) as queue:
        writer.write(f"event: open\ndata: {json.dumps(request.told())}\n\n".encode())
        gone = asyncio.ensure_future(reader.read(1))
        while not gone.done():
            said = asyncio.ensure_future(queue.get())
            await asyncio.wait({said, gone}, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                said.cancel()
                return
            writer.write(f"data: {said.result()}\n\n".encode() if said.done() else b"event: beat\ndata:\n\n")
            said.cancel()
            await writer.drain()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A WebSocket frame of a server."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    return (struct.pack("!BBH", 0x80 | opcode, 126, size) if size < 65536 else struct.pack("!BBQ", 0x80 | opcode, 127, size)) + payload


async def websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    """Says what is said to it, until the client has gone."""
    key = request.header("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    writer.write(f"HTTP/1.1 101 Said\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    writer.write(frame(json.dumps(request.told()).encode()))

    async def pass_on(queue: asyncio.Queue) -> None:
        while True:
            writer.write(frame((await queue.get()).encode()))

    with listening(request.query.get("channel", "")) as queue:
        publisher = asyncio.ensure_future(pass_on(queue))
        try:
            while True:
                first, size = await reader.readexactly(2)
                size &= 0x7F
                if size >= 126:
                    (size,) = struct.unpack("!H" if size == 126 else "!Q", await reader.readexactly(2 if size == 126 else 8))
                mask = await reader.readexactly(4)
                payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(await reader.readexactly(size)))
                opcode = first & 15
                if opcode == CLOSE:
                    writer.write(frame(payload, CLOSE))
                    return
                if opcode != PONG:
                    writer.write(frame(payload, PONG if opcode == PING else opcode))
                await writer.drain()
        finally:
            publisher.cancel()


async def main() -> None:
    """Serves on each port."""
    servers = [await asyncio.start_server(lambda reader, writer, port=port: serve(reader, writer, port), None, port) for port in PORTS]
    print(f"{SERVICE} listens on {PORTS}", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
