"""A client of the edges: requests as they are written, event streams and WebSockets, over connections of its own. The standard library only."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import struct
import typing as t
import urllib.parse

PATIENCE = 20
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Answer(t.NamedTuple):
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of every header of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def told(self) -> dict[str, t.Any]:
        """What a service tells of the request that it got."""
        assert self.status == 200, self
        return json.loads(self.body)

    @property
    def service(self) -> str:
        """Who answered: the service and its port."""
        return f"{self.told['service']}:{self.told['port']}"

    def arrived(self, name: str) -> list[str]:
        """The values of a header as the service got them."""
        return [value for key, value in self.told["headers"] if key.lower() == name.lower()]


class Web:
    """An edge, which answers to any name at the ports of this machine that it is published at."""

    def __init__(self, ports: dict[str, int], authority: str = "") -> None:
        self._ports = ports
        self._context = ssl.create_default_context(cadata=authority or None)

    def connect(self, url: str, offer: t.Sequence[str] = ()) -> socket.socket:
        """A connection as a browser has it: the name is in the handshake, and the certificate is believed only if it is for that name."""
        parts = urllib.parse.urlsplit(url)
        plain = socket.create_connection(("127.0.0.1", self._ports[parts.scheme]), PATIENCE)
        if parts.scheme == "http":
            return plain
        try:
            self._context.set_alpn_protocols(list(offer) or ["http/1.1"])
            return self._context.wrap_socket(plain, server_hostname=parts.hostname)
        except BaseException:
            plain.close()
            raise

    def begin(self, url: str, method: str = "GET", headers: t.Mapping[str, str] | None = None, host: str = "") -> http.client.HTTPConnection:
        """A request that has been begun, its target as it is written in the URL, byte for byte."""
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc)
        connection.sock = self.connect(url)
        connection.putrequest(method, url.split(parts.netloc, 1)[1] or "/", skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host or parts.netloc, **(headers or {})}.items():
            connection.putheader(name, value)
        return connection

    def ask(self, url: str, method: str = "GET", headers: t.Mapping[str, str] | None = None, body: bytes = b"", host: str = "") -> Answer:
        """A whole request."""
        headers = {**(headers or {}), **({"Content-Length": str(len(body))} if body or method in ("POST", "PUT") else {})}
        connection = self.begin(url, method, headers, host)
        try:
            connection.endheaders(body or None)
            return ended(connection)
        finally:
            connection.close()

    def upload(self, url: str, size: int, chunked: bool = False) -> Answer:
        """A POST of that many bytes, which ends early when the answer is there."""
        connection = self.begin(url, "POST", {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)})
        piece = bytes(1 << 20)
        sent = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        assert size % len(piece) == 0
        try:
            connection.endheaders()
            try:
                for _ in range(size // len(piece)):
                    connection.sock.sendall(sent)
                connection.sock.sendall(b"0\r\n\r\n" if chunked else b"")
            except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                pass
            return ended(connection)
        finally:
            connection.close()

    def events(self, url: str, headers: t.Mapping[str, str] | None = None) -> Events:
        """An event stream."""
        return Events(self.begin(url, headers={"Accept": "text/event-stream", **(headers or {})}))

    def websocket(self, url: str) -> WebSocket:
        """A WebSocket."""
        return WebSocket(self.begin(url, headers=UPGRADE))


def ended(connection: http.client.HTTPConnection) -> Answer:
    """The answer, whole."""
    answer = connection.getresponse()
    return Answer(answer.status, answer.getheaders(), answer.read())


class Events:
    """An event stream; each event is waited for, however long it is until then."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        connection.endheaders()
        self._socket = connection.sock
        self._answer = connection.getresponse()
        self.headers = self._answer.getheaders()
        assert self._answer.status == 200, (self._answer.status, self._answer.read())

    def next(self) -> str:
        """The data of the next event. AssertionError when the stream has ended."""
        data = []
        while line := self._line():
            if line.startswith("data:"):
                data.append(line[5:].strip())
        return "\n".join(data)

    def _line(self) -> str:
        line = self._answer.readline()
        assert line.endswith(b"\n"), "the stream has ended"
        return line.decode().rstrip("\n")

    def close(self) -> None:
        """Leaves."""
        self._answer.close()
        self._socket.close()


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
}


class WebSocket:
    """A WebSocket of text messages."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        connection.endheaders()
        self._socket = connection.sock
        self._stream = connection.sock.makefile("rb")
        status = self._stream.readline()
        assert b" 101 " in status, (status, self._stream.read(2000))
        while self._stream.readline().strip():
            pass

    def send(self, text: str, opcode: int = TEXT) -> None:
        """Says something."""
        payload, mask = text.encode(), os.urandom(4)
        size = len(payload)
        length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size) if size < 65536 else struct.pack("!BQ", 0xFF, size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def next(self) -> str:
        """What is said to us. AssertionError when the other side has gone."""
        while True:
            opcode, size = struct.unpack("!BB", self._exactly(2))
            if size >= 126:
                (size,) = struct.unpack("!H" if size == 126 else "!Q", self._exactly(2 if size == 126 else 8))
            payload = self._exactly(size).decode()
            if opcode & 15 == TEXT:
                return payload
            assert opcode & 15 != CLOSE, "the other side has closed the WebSocket"

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        assert len(data) == size, "the connection has ended"
        return data

    def close(self) -> None:
        """Leaves."""
        self._stream.close()
        self._socket.close()
