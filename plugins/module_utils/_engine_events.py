# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to the containers of an engine, as it happens.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import typing as t
from urllib.parse import urlencode

from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineUnavailable

_TIMEOUT = 20.0
_CHUNK = 65536

Happened = t.Dict[str, t.Any]


class EventStream:
    """The engine's events that the filters let through, from now on; to be closed.

    Spoken in HTTP/1.0, in which the answer is what comes until the end of the connection, so that it can be waited for.
    """

    def __init__(self, api_version: str, filters: t.Mapping[str, t.Sequence[str]], path: str = SOCKET) -> None:
        self._path, self._rest = path, b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._ask("/v{0}/events?{1}".format(api_version, urlencode({"filters": json.dumps(filters)})))
        except (OSError, EngineUnavailable) as error:
            self.close()
            raise error if isinstance(error, EngineUnavailable) else self._gone(error) from error

    def _ask(self, target: str) -> None:
        self._socket.settimeout(_TIMEOUT)
        self._socket.connect(self._path)
        self._socket.sendall("GET {0} HTTP/1.0\r\nHost: localhost\r\n\r\n".format(target).encode("ascii"))
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _blank, self._rest = self._rest.partition(b"\r\n\r\n")
        status = head.split(b"\r\n")[0].decode("ascii", "replace")
        if " 200 " not in status + " ":
            raise self._gone(status)

    def wait(self, seconds: float) -> t.List[Happened]:
        """What has happened since the last time: waits for it, at most so long. Raises EngineUnavailable at the stream's end."""
        try:
            while b"\n" not in self._rest and select.select([self._socket], [], [], max(seconds, 0.0))[0]:
                self._receive()
            # What else has come already belongs to it.
            while select.select([self._socket], [], [], 0.0)[0]:
                self._receive()
        except OSError as error:
            raise self._gone(error) from error
        lines, _newline, self._rest = self._rest.rpartition(b"\n")
        return [json.loads(line.decode("utf-8")) for line in lines.splitlines() if line.strip()]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def _receive(self) -> None:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise self._gone("its end")
        self._rest += data

    def _gone(self, why: t.Any) -> EngineUnavailable:
        return EngineUnavailable("the Docker engine's events on {0} came to an end: {1}".format(self._path, why))
