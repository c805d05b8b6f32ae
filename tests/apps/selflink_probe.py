# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uses a running selflink stack as its users do, through its public address. The standard library only."""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TOTAL_SECONDS = 60
written: list[dict] = []
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failure(Exception):
    """What was expected did not happen."""


def call(url: str, body: bytes | None = None, content_type: str = "application/json") -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type} if body else {})
    try:
        with _opener.open(request, timeout=15) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def call_json(url: str, data: dict | None = None, expect: int = 200) -> dict:
    status, body = call(url, None if data is None else json.dumps(data).encode())
    if status != expect:
        raise Failure(f"{url} answered {status}, not {expect}: {body[:200]!r}")
    return json.loads(body)


def token(secret: str, **claims) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = ".".join(part(json.dumps(data).encode()) for data in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


class WebSocket:
    """One client connection: text frames, and pongs for pings."""

    def __init__(self, base: str, path: str) -> None:
        url = urllib.parse.urlsplit(base)
        host, port = url.hostname or "", url.port or 80
        self.socket = socket.create_connection((host, port), timeout=15)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\n"
                             "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        self.status = int((self.stream.readline().split() or [b"", b"0"])[1])
        headers = {}
        while (line := self.stream.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if self.status == 101:
            digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
            if headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
                raise Failure("the server's Sec-WebSocket-Accept is wrong")

    def send(self, payload: bytes, opcode: int = 1) -> None:
        mask = os.urandom(4)
        size = len(payload)
        length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def receive(self) -> dict:
        while True:
            opcode, length = struct.unpack("!BB", self._exactly(2))
            if length >= 126:
                (length,) = struct.unpack("!H" if length == 126 else "!Q", self._exactly(2 if length == 126 else 8))
            payload = self._exactly(length)
            if opcode & 15 == 9:
                self.send(payload, opcode=10)
            elif opcode & 15 == 8:
                raise Failure("the server closed the WebSocket")
            elif opcode & 15 == 1:
                return json.loads(payload)

    def wait_for(self, accept) -> dict:
        """The data of the first message that is wanted; others pass by."""
        while True:
            message = self.receive()
            if accept(message):
                return message["data"]

    def _exactly(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise Failure("the WebSocket's connection ended")
        return data

    def close(self) -> None:
        self.socket.close()


def check_post(base: str, _secret: str) -> str:
    made = call_json(f"{base}/api/v1/posts/", {"title": f"probe {os.urandom(4).hex()}", "body": "…"}, expect=201)
    written.append(made)
    return f"POST ok: post {made['id']} written"


def check_get(base: str, _secret: str) -> str:
    made = written[-1]
    read = call_json(f"{base}/api/v1/posts/{made['id']}/")
    listed = call_json(f"{base}/api/v1/posts/")
    if read != made or made not in listed["results"]:
        raise Failure(f"wrote {made}, read {read}, of {listed['count']} listed")
    return f"GET ok: post {read['id']} read back, {listed['count']} in all"


def check_task(base: str, _secret: str) -> str:
    task = call_json(f"{base}/api/v1/tasks/", {"limit": 100000}, expect=202)
    began = time.monotonic()
    while task["state"] != "SUCCESS":
        if task["state"] in ("FAILURE", "REVOKED") or time.monotonic() - began > 20:
            raise Failure(f"after {time.monotonic() - began:.0f} s the task is {task['state']}: {task['result']}")
        time.sleep(0.2)
        task = call_json(f"{base}/api/v1/tasks/{task['id']}/")
    if task["result"] != {"limit": 100000, "primes": 9592}:
        raise Failure(f"the worker computed {task['result']}")
    return f"task ok: the worker counted {task['result']['primes']} primes in {time.monotonic() - began:.1f} s"


def check_sse(base: str, _secret: str) -> str:
    with _opener.open(f"{base}/api/v1/mentor/stream/", timeout=20) as answer:
        if answer.headers.get_content_type() != "text/event-stream":
            raise Failure(f"the stream is {answer.headers.get_content_type()}")
        for line in answer:
            if line.startswith(b"data: "):
                data = json.loads(line[6:])
                return f"SSE ok: tick {data['tick']} of {data['at']}"
    raise Failure("the stream ended before a tick")


def check_websocket(base: str, secret: str) -> str:
    wrong = token("not " + secret, sub="probe", exp=int(time.time()) + 60)
    late = token(secret, sub="probe", exp=int(time.time()) - 60)
    for what, bad in (("no token", ""), ("a wrongly signed token", wrong), ("an expired token", late)):
        refused = WebSocket(base, f"/ws?token={bad}")
        refused.close()
        if refused.status != 403:
            raise Failure(f"with {what} the handshake is answered {refused.status}, not 403")
    later = int(time.time()) + 60
    one, two = (WebSocket(base, f"/ws?token={token(secret, sub=name, exp=later)}") for name in ("one", "two"))
    for client in (one, two):
        if client.status != 101:
            raise Failure(f"with a good token the handshake is answered {client.status}, not 101")
    tick = one.wait_for(lambda message: message["channel"] == "ticks")
    for sender, name, listener in ((one, "one", two), (two, "two", one)):
        text = os.urandom(4).hex()
        sender.send(text.encode())
        listener.wait_for(lambda message, said={"from": name, "text": text}: message["data"] == said)
    one.close()
    two.close()
    return f"WebSocket ok: tick {tick['tick']}, chat both ways, bad tokens refused"


def check_media(base: str, _secret: str) -> str:
    content, boundary = os.urandom(2048), os.urandom(16).hex()
    form = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="probe.bin"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n").encode() + content + f"\r\n--{boundary}--\r\n".encode()
    status, body = call(f"{base}/api/v1/uploads/", form, f"multipart/form-data; boundary={boundary}")
    if status != 201:
        raise Failure(f"the upload was answered {status}: {body[:200]!r}")
    url = json.loads(body)["url"]
    status, served = call(f"{base}{url}")
    if not url.startswith("/media/") or status != 200 or served != content:
        raise Failure(f"{url} answered {status} with {len(served)} bytes instead of the {len(content)} uploaded")
    return f"media ok: {len(content)} bytes uploaded and served at {url}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base_url")
    parser.add_argument("--jwt-secret", required=True)
    arguments = parser.parse_args()

    def too_long(_signal, _frame):
        raise Failure(f"not done after {TOTAL_SECONDS} s in all")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TOTAL_SECONDS)
    for name, check in (("POST", check_post), ("GET", check_get), ("task", check_task), ("SSE", check_sse),
                        ("WebSocket", check_websocket), ("media", check_media)):
        try:
            print(check(arguments.base_url.rstrip("/"), arguments.jwt_secret), flush=True)
        except (Failure, OSError, ValueError, LookupError) as error:
            print(f"{name} FAILED: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
