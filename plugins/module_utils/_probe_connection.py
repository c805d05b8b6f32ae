# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How probes connect: to a host, or to every container of a service, directly or as a url says.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import io
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.module_utils._certificate_end import certificate_end
from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._check_place import place_of
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Stream
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

_DAY = 86400.0
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def hosts_of(text: str, port: int, world: World, until: float) -> t.List[t.Tuple[str, int]]:
    """The addresses of a place, which is known to be one."""
    place = place_of(text, port)
    if place.service:
        return [(address, place.port) for address in world.containers.addresses(place.service, until)]
    return [(place.host, place.port)]


def connected(world: World, host: str, port: int, until: float) -> t.ContextManager[Stream]:
    """A connection for the body of a `with`. Raises Failure, as all that is done with it."""
    return contextlib.closing(Stream(world.network, host, port, until))


class _Incoming(io.RawIOBase):
    """What a stream brings, for as long as its try may take however slowly it comes."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        data = self._stream.take_some(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Socket:
    """As much of a socket as http.client asks for."""

    def __init__(self, stream: Stream) -> None:
        self.sendall = stream.send
        self._stream = stream

    def makefile(self, _mode: str) -> t.BinaryIO:
        return io.BufferedReader(_Incoming(self._stream))

    def close(self) -> None:
        """Whoever opened the stream closes it."""


@contextlib.contextmanager
def asked(check: Check, world: World, until: float, method: str, headers: t.Mapping[str, str]) -> t.Iterator[http.client.HTTPResponse]:
    """The answer to a request to the check's url."""
    options = check.options
    parts = urlsplit(options["url"])
    port = parts.port or _PORTS[parts.scheme]
    host = parts.hostname
    if "address" in options:
        host, port = hosts_of(options["address"], port, world, until)[0]
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    with connected(world, host, port, until) as stream:
        if parts.scheme in ("https", "wss"):
            stream.start_tls("verify-full" if options["verify"] else "require", parts.hostname)
            _judge_certificate(options, stream, world)
        # The name and port are those of the header Host; the connection is there already.
        made = http.client.HTTPConnection(parts.hostname, parts.port or _PORTS[parts.scheme])
        made.default_port = _PORTS[parts.scheme]
        made.sock = _Socket(stream)
        try:
            made.request(method, target, headers={"User-Agent": "portside-health-check", **headers})
            yield made.getresponse()
        except (ValueError, http.client.HTTPException) as error:
            raise Objection("{0}: {1}".format(type(error).__name__, error)) from error


def _judge_certificate(options: t.Mapping[str, t.Any], stream: Stream, world: World) -> None:
    wanted = options.get("certificate_days")
    if wanted is None:
        return
    try:
        end = certificate_end(stream.certificate())
    except ValueError as error:
        raise Objection("its certificate cannot be read: {0}".format(error)) from error
    left = (end - world.today()) / _DAY
    if left < wanted:
        # The calendar of time stamps ends later than that of some platforms.
        day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=end)
        said = "ended {0:.1f} days ago".format(-left) if left < 0 else "ends in {0:.1f} days, less than {1}".format(left, wanted)
        remedy = "renew the certificate of {0}, and see why that did not happen by itself".format(urlsplit(options["url"]).hostname)
        raise Objection("its certificate {0}, on {1:%Y-%m-%d}".format(said, day), remedy=remedy)
