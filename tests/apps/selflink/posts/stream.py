# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-sent events: what is published on the channel of ticks, to whoever listens."""

import redis.asyncio as redis
from django.conf import settings
from django.http import HttpResponseNotAllowed, StreamingHttpResponse

HEARTBEAT_SECONDS = 15


async def events():
    client = redis.Redis.from_url(settings.PUBSUB_REDIS_URL)
    try:
        async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("ticks")
            await pubsub.get_message(timeout=5)  # Redis's confirmation
            # A first byte at once, or the browser waits for the first tick to know it is connected.
            yield b": connected\n\n"
            while True:
                message = await pubsub.get_message(timeout=HEARTBEAT_SECONDS)
                if message is None:
                    yield b": heartbeat\n\n"
                else:
                    yield b"event: tick\ndata: " + message["data"] + b"\n\n"
    finally:
        # Reached as well when the client goes: Django then cancels this generator.
        await client.aclose()


async def mentor_stream(request):
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    return StreamingHttpResponse(events(), content_type="text/event-stream",
                                 headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
