# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a server elsewhere, and every way in which it can fail, told apart.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

It is part of the program that runs in a container of its own. Name look-up, sockets, TLS and time come in as objects.
"""

from __future__ import annotations

import errno
import socket
import ssl
import typing as t

# Which failure of several addresses says most.
_TELLING = ("refused", "timeout", "unreachable")


class Failure(Exception):
    """Why a server cannot be used: one of dns, refused, timeout, unreachable, tls, authentication, protocol."""

    def __init__(self, outcome: str, said: str) -> None:
        super().__init__(said)
        self.outcome, self.said = outcome, said


class Network(t.Protocol):
    """What the program runs on."""

    def look_up(self, host: str, port: int, timeout: float) -> t.List[t.Tuple[int, t.Any]]: ...

    def connect(self, family: int, address: t.Any, timeout: float) -> socket.socket: ...

    def wrap(self, raw: socket.socket, host: str, mode: str) -> socket.socket: ...

    def now(self) -> float: ...


class Stream:
    """Bytes to and from one server until a moment, over TLS once that was asked for."""

    def __init__(self, network: Network, host: str, port: int, until: float) -> None:
        self._network, self._host, self._until = network, host, until
        self._buffer = b""
        self._socket = self._connected(port)

    def _connected(self, port: int) -> socket.socket:
        try:
            addresses = self._network.look_up(self._host, port, self._left())
        except socket.timeout as error:
            raise Failure("dns", "no name server answered in time") from error
        except (OSError, UnicodeError) as error:
            raise Failure("dns", getattr(error, "strerror", None) or "the name is not one") from error
        failures = []
        for index, (family, address) in enumerate(addresses):
            try:
                return self._network.connect(family, address, self._left() / (len(addresses) - index))
            except OSError as error:
                failures.append(_failed_connection(error))
        raise min(failures, key=lambda failure: _TELLING.index(failure.outcome))

    def start_tls(self, mode: str, name: str = "") -> None:
        """``mode`` is one of libpq's, of those that ask for TLS; ``name`` is the server's, where it is not the host's."""
        if self._buffer:
            # Whoever is in between could have written it, and it would count as said by the server.
            raise Failure("tls", "more came than its answer, before TLS had begun")
        self._socket.settimeout(self._left())
        try:
            self._socket = self._network.wrap(self._socket, name or self._host, mode)
        except ssl.SSLCertVerificationError as error:
            raise Failure("tls", "its certificate is not trusted: {0}".format(error.verify_message)) from error
        except socket.timeout as error:
            raise Failure("tls", "the TLS handshake was not done in time, so there may be no TLS on this port") from error
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it ended the connection"
            raise Failure("tls", "the TLS handshake failed: {0}".format(reason)) from error

    def send(self, data: bytes) -> None:
        self._talk(lambda: self._socket.sendall(data))

    def take(self, count: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def take_some(self, most: int) -> bytes:
        """Some bytes, as soon as there are any; none where the server ended the connection."""
        if not self._buffer:
            if self._network.now() >= self._until:
                raise Failure("timeout", "its answer had not ended in time")
            self._buffer = self._talk(lambda: self._socket.recv(65536))
        taken, self._buffer = self._buffer[:most], self._buffer[most:]
        return taken

    def certificate(self) -> bytes:
        """The server's own, once TLS has begun."""
        return self._socket.getpeercert(True) or b""

    def take_line(self, limit: int = 4096) -> bytes:
        """What comes until the end of the line, without that."""
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > limit:
                raise Failure("protocol", "its answer is not one that is known")
            self._more()
        line, _end, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> None:
        came = self._talk(lambda: self._socket.recv(65536))
        if not came:
            raise Failure("protocol", "it ended the connection without an answer")
        self._buffer += came

    def _talk(self, act: t.Callable[[], t.Any]) -> t.Any:
        self._socket.settimeout(self._left())
        try:
            return act()
        except socket.timeout as error:
            raise Failure("timeout", "connected, but it did not answer in time") from error
        except OSError as error:
            raise Failure("protocol", "it ended the connection: {0}".format(error.strerror or error)) from error

    def _left(self) -> float:
        return max(0.01, self._until - self._network.now())


def _failed_connection(error: OSError) -> Failure:
    if isinstance(error, socket.timeout) or error.errno == errno.ETIMEDOUT:
        return Failure("timeout", "nothing answered in time")
    if error.errno == errno.ECONNREFUSED:
        return Failure("refused", "nothing listens on the port")
    return Failure("unreachable", error.strerror or str(error))
