# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx for unit tests: it has no network, and is asked through sockets in a directory that both sides see."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import subprocess
import time
import typing as t

from local_images import local_image, running

# Where tests' directory is in the container.
INSIDE = "/srv/test"
# The oldest and the newest that there are images of.
IMAGES = ("nginx:1.26", "nginx:1.30")
# One that has crashed leaves its file as well, and nobody to be ended.
_END = "kill -TERM $(cat /run/nginx.pid) || exit 1; for n in $(seq 1000); do [ -e /run/nginx.pid ] || exit 0; sleep 0.01; done; exit 1"
_STARTED = re.compile(rb"^HTTP/1\.[01] ([0-9]{3}) ")


class Reply(t.NamedTuple):
    """An answer; without a status the connection was closed without one."""

    status: int
    headers: t.Dict[str, t.List[str]]
    body: bytes


class Nginx:
    """A container in which one nginx at a time runs with a given configuration."""

    def __init__(self, container: str, directory: str) -> None:
        self.container = container
        self._directory = directory
        # For nginx's workers, who are somebody else.
        os.chmod(directory, 0o755)
        self.inside("ln", "-s", INSIDE, "/etc/portside")

    def inside(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs a command in the container."""
        return subprocess.run(["docker", "exec", self.container, *argv], check=check, capture_output=True, text=True)

    def judged(self, text: str) -> str:
        """What `nginx -t` says of a configuration; empty when it has nothing to say but that it is fine."""
        self._write("judged.conf", text)
        done = self.inside("nginx", "-t", "-c", INSIDE + "/judged.conf", check=False)
        fine = done.returncode == 0 and "[warn]" not in done.stderr
        return "" if fine else done.stderr

    @contextlib.contextmanager
    def serving(self, text: str) -> t.Iterator[None]:
        """nginx with that configuration, for the body."""
        self._write("nginx.conf", text)
        # Into a file: `docker exec` would wait for as long as nginx has its output.
        started = self.inside("sh", "-c", "exec nginx -c {0}/nginx.conf >{0}/log 2>&1".format(INSIDE), check=False)
        assert started.returncode == 0, self.log()
        try:
            yield
        finally:
            ended = self.inside("sh", "-c", _END, check=False)
            assert ended.returncode == 0, "nginx crashed, or does not end:\n" + ended.stderr + self.log()

    def log(self) -> str:
        """What nginx wrote since it was started, requests included."""
        with open(self._directory + "/log", encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def ask(self, place: str, request: bytes, server_name: t.Optional[str] = None) -> Reply:
        """Sends bytes to a socket of the directory, with TLS where a server's name is given, and reads until nginx closes."""
        return parsed(self.raw(place, request, server_name))

    def raw(self, place: str, request: bytes, server_name: t.Optional[str] = None) -> bytes:
        with self.connected(place, server_name) as connection:
            # nginx may have answered before it has read all.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            return read_all(connection)

    def connected(self, place: str, server_name: t.Optional[str] = None) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(30)
        connection.connect("{0}/{1}".format(self._directory, place))
        if server_name is None:
            return connection
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(connection, server_hostname=server_name)

    def _write(self, name: str, text: str) -> None:
        with open("{0}/{1}".format(self._directory, name), "w", encoding="utf-8", newline="") as stream:
            stream.write(text)


@contextlib.contextmanager
def nginx(directory: str, image: str = IMAGES[0]) -> t.Iterator[Nginx]:
    """An idle container with nginx in it; the directory's path has to be short enough for sockets."""
    with running(local_image(image), directory) as container:
        yield Nginx(container, directory)


def on_sockets(text: str, prefix: str = "") -> str:
    """The configuration with its ports as sockets beside them: 80.sock and 443.sock."""
    return re.sub(r"(?m)^( *)listen (80|443)\b([^;]*);$", r"\1listen \2\3;\n\1listen unix:{0}/{1}\2.sock\3;".format(INSIDE, prefix), text)


def request(method: str, target: str, host: str = "example.com", headers: t.Sequence[str] = (), body: bytes = b"") -> bytes:
    """A request after which the connection ends; the target goes out as it is."""
    lines = ["{0} {1} HTTP/1.1".format(method, target), "Host: " + host, "Connection: close", *headers]
    if body:
        lines.append("Content-Length: {0}".format(len(body)))
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def read_all(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        while True:
            part = connection.recv(65536)
            if not part:
                break
            found += part
    return found


def parsed(raw: bytes) -> Reply:
    head, _blank, body = raw.partition(b"\r\n\r\n")
    started = _STARTED.match(head)
    if started is None:
        assert raw == b"", raw
        return Reply(0, {}, b"")
    headers: t.Dict[str, t.List[str]] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _colon, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    if headers.get("transfer-encoding") == ["chunked"]:
        body = unchunked(body)
    return Reply(int(started.group(1)), headers, body)


def unchunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _line, body = body.partition(b"\r\n")
        length = int(size, 16)
        found, body = found + body[:length], body[length + 2 :]
        if length == 0:
            break
    return found


def until(condition: t.Callable[[], t.Any], seconds: float = 20) -> t.Any:
    """What the condition gives, as soon as it gives anything."""
    ends = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.02)
