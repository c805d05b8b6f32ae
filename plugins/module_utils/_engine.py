# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the Docker Engine's HTTP API over its unix socket.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import typing as t
from urllib.parse import quote, urlencode

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

SOCKET = "/var/run/docker.sock"
# Who has one of these, whatever the directory, has an engine.
SOCKET_NAMES = ("docker.sock", "containerd.sock", "podman.sock")
# What this code was written against; an engine that no longer speaks it is asked in the oldest version it does.
_API = (1, 41)
# Of what was logged in a time, so that a flood of it does not take all memory.
_MOST_LOGGED = 64 << 20


class EngineUnavailable(StackError):
    """No engine answers on the socket."""


class EngineError(StackError):
    """The engine answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _version(text: str) -> t.Tuple[int, int]:
    major, _dot, minor = text.partition(".")
    return int(major), int(minor or 0)


def negotiate(oldest: str, newest: str) -> str:
    """The API version to speak with an engine that speaks oldest to newest."""
    return "{0}.{1}".format(*max(_version(oldest), min(_API, _version(newest))))


def demultiplex(data: bytes) -> str:
    """The text of a log stream: framed per stream, or raw when the container has a terminal."""
    out, at = [], 0
    while at + 8 <= len(data):
        stream, length = struct.unpack_from(">BxxxL", data, at)
        if stream > 2 or data[at + 1 : at + 4] != b"\0\0\0":
            out = [data]
            break
        out.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    else:
        if not out:
            out = [data]
    return b"".join(out).decode("utf-8", "replace")


class Lifeline:
    """A connection that is kept open: it breaks when the engine's process ends, even if another answers a moment later."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def broken(self) -> bool:
        try:
            # Nothing is asked on it, so nothing comes but its end.
            self._connection.sock.setblocking(False)
            self._connection.sock.recv(1)
        except BlockingIOError:
            return False
        except (OSError, AttributeError):
            return True
        return True

    def close(self) -> None:
        self._connection.close()


class EngineClient:
    """One request, one connection: so it can be used from several threads."""

    def __init__(self, path: str = SOCKET, timeout: float = 60) -> None:
        self._path = path
        self._timeout = timeout
        self._about: t.Optional[t.Dict[str, t.Any]] = None

    def about(self) -> t.Dict[str, t.Any]:
        """The engine's own /version."""
        if self._about is None:
            self._about = json.loads(self._send("GET", "/version"))
        return self._about

    @property
    def api_version(self) -> str:
        about = self.about()
        return negotiate(about.get("MinAPIVersion") or about["ApiVersion"], about["ApiVersion"])

    def lifeline(self) -> Lifeline:
        """What tells later whether the engine was restarted since; to be closed."""
        connection = _UnixConnection(self._path, self._timeout)
        try:
            connection.request("GET", "/_ping")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unavailable(error) from error
        return Lifeline(connection)

    def get(self, path: str, **query: t.Any) -> t.Any:
        return json.loads(self._call("GET", path, query))

    def post(self, path: str, body: t.Any = None, timeout: t.Optional[float] = None, **query: t.Any) -> t.Any:
        answer = self._call("POST", path, query, body, timeout)
        return json.loads(answer) if answer.strip() else None

    def delete(self, path: str, **query: t.Any) -> None:
        self._call("DELETE", path, query)

    def containers(self, label: t.Optional[str] = None, stopped: bool = True) -> t.List[t.Dict[str, t.Any]]:
        """The list entries of the containers that carry a label (``key=value``)."""
        filters = {"label": [label]} if label else {}
        return self.get("/containers/json", all=int(stopped), filters=json.dumps(filters))

    def inspect_all(self, label: str) -> t.List[t.Dict[str, t.Any]]:
        """Inspections of the containers that carry a label; one that vanishes meanwhile is left out."""
        found = []
        for entry in self.containers(label):
            try:
                found.append(self.get("/containers/{0}/json".format(entry["Id"])))
            except EngineError as error:
                if error.status != 404:
                    raise
        return found

    def image(self, reference: str) -> t.Optional[t.Dict[str, t.Any]]:
        """The inspection of an image on the host, or none."""
        try:
            return self.get("/images/{0}/json".format(quote(reference, safe="/:@")))
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def archive(self, container: str, path: str, most: t.Optional[int] = None) -> t.Optional[bytes]:
        """A file or link of a container, which need not run, as an archive of tar; none where there is none, an error where it has more bytes than that."""
        try:
            return self._call("GET", "/containers/{0}/archive".format(container), {"path": path}, most=most)
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def put_archive(self, container: str, path: str, archive: bytes) -> None:
        """Unpack an archive of tar in a directory of a container, which need not run."""
        self._call("PUT", "/containers/{0}/archive".format(container), {"path": path}, archive)

    def remove_container(self, container: str) -> None:
        """Stop a container with its own signal and grace period, then remove it. Its volumes stay."""
        try:
            self.post("/containers/{0}/stop".format(container), timeout=3600)
            self.delete("/containers/{0}".format(container), force=1)
        except EngineError as error:
            # It is gone, or somebody is removing it at this moment.
            if error.status not in (404, 409):
                raise

    def logs(self, container: str, lines: int) -> t.List[str]:
        """The last lines a container wrote; none where its log driver cannot be read."""
        query = {"stdout": 1, "stderr": 1, "tail": lines}
        try:
            data = self._call("GET", "/containers/{0}/logs".format(container), query)
        except EngineError:
            return []
        return demultiplex(data).splitlines()[-lines:]

    def logs_between(self, container: str, since: float, until: float) -> t.List[str]:
        """The lines that a container wrote from one time to another; raises EngineError where its log driver cannot be read."""
        query = {"stdout": 1, "stderr": 1, "since": "{0:.6f}".format(since), "until": "{0:.6f}".format(until)}
        return demultiplex(self._call("GET", "/containers/{0}/logs".format(container), query, most=_MOST_LOGGED)).splitlines()

    def open(
        self, method: str, path: str, body: t.Any, timeout: float
    ) -> t.Tuple[http.client.HTTPResponse, socket.socket]:
        """An answer that is read as it comes, and its connection, whose timeout may be changed; both are to be closed."""
        connection = _UnixConnection(self._path, timeout)
        try:
            connection.request(method, "/v" + self.api_version + path, json.dumps(body), {"Content-Type": "application/json"})
            # An answer without an end takes the connection over.
            line = connection.sock
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unavailable(error) from error
        if response.status >= 400:
            with contextlib.closing(connection), response:
                raise EngineError(response.status, "the Docker engine refused {0}: {1}".format(method, _reason(response.read())))
        return response, line

    def _call(
        self,
        method: str,
        path: str,
        query: t.Dict[str, t.Any],
        body: t.Any = None,
        timeout: t.Optional[float] = None,
        most: t.Optional[int] = None,
    ) -> bytes:
        target = "/v" + self.api_version + path
        if query:
            target += "?" + urlencode(query)
        return self._send(method, target, body, timeout, most)

    def _send(self, method: str, target: str, body: t.Any = None, timeout: t.Optional[float] = None, most: t.Optional[int] = None) -> bytes:
        connection = _UnixConnection(self._path, timeout or self._timeout)
        archive = isinstance(body, bytes)
        data = body if body is None or archive else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/x-tar" if archive else "application/json"}
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            answer = response.read(None if most is None else most + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(error) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineError(response.status, "the Docker engine refused {0}: {1}".format(method, _reason(answer)))
        if most is not None and len(answer) > most:
            raise EngineError(response.status, "the Docker engine's answer is larger than {0} bytes".format(most))
        return answer

    def _unavailable(self, error: Exception) -> EngineUnavailable:
        if isinstance(error, PermissionError):
            return EngineUnavailable(
                "the Docker engine's socket {0} may not be opened: {1}. "
                "Remedy: run the task with become: true.".format(self._path, error.strerror)
            )
        return EngineUnavailable(
            "no Docker engine answers on {0}: {1}. Remedy: install it with the role docker, or start it "
            "(systemctl start docker) and see its log (journalctl -u docker).".format(self._path, error)
        )


def _reason(answer: bytes) -> str:
    try:
        return json.loads(answer)["message"]
    except (ValueError, KeyError, TypeError):
        return answer.decode("utf-8", "replace").strip()


def engine_facts(engine: EngineClient, machine: str) -> t.Dict[str, t.Any]:
    """What an engine says of itself; what is known without one where none answers."""
    try:
        about = engine.about()
        info = engine.get("/info")
    except EngineUnavailable as error:
        about, info, reason = {}, {}, str(error)
    else:
        reason = ""
    return {
        "running": not reason,
        "unreachable_reason": reason,
        "engine_version": about.get("Version"),
        "api_version": about.get("ApiVersion"),
        "architecture": info.get("Architecture") or machine,
        "live_restore": bool(info.get("LiveRestoreEnabled")),
        "containers_running": info.get("ContainersRunning", 0),
        "memory": info.get("MemTotal", 0),
        "cpus": info.get("NCPU", 0),
    }
