# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that tries servers elsewhere from within a container: targets come in as JSON, outcomes go out as JSON.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import socket
import ssl
import threading
import time
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._external_postgresql import try_postgresql
from ansible_collections.portside.stack.plugins.module_utils._external_redis import try_redis
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure, Network, Stream
from ansible_collections.portside.stack.plugins.module_utils._external_url import Target


class HostNetwork:
    """The network of whoever runs this."""

    now = staticmethod(time.monotonic)

    def look_up(self, host: str, port: int, timeout: float) -> t.List[t.Tuple[int, t.Any]]:
        answers: queue.Queue[t.Any] = queue.Queue()

        def ask() -> None:
            try:
                answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        # It heeds no time limit of its own.
        threading.Thread(target=ask, daemon=True).start()
        try:
            found = answers.get(timeout=timeout)
        except queue.Empty:
            raise socket.timeout() from None
        if isinstance(found, Exception):
            raise found
        return [(family, address) for family, _type, _protocol, _name, address in found]

    def connect(self, family: int, address: t.Any, timeout: float) -> socket.socket:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout)
            made.connect(address)
        except OSError:
            made.close()
            raise
        return made

    def wrap(self, raw: socket.socket, host: str, mode: str) -> socket.socket:
        context = ssl.create_default_context()
        context.check_hostname = mode == "verify-full"
        if mode not in ("verify-ca", "verify-full"):
            context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(raw, server_hostname=host)


def try_target(network: Network, target: Target, timeout: float, nonce: str) -> t.Tuple[str, str]:
    """The outcome, and what there is to say of it. Of several places one that lets in is enough."""
    failure = Failure("unreachable", "")
    for host, port in target.places:
        try:
            _try_place(network, target, host, port, timeout, nonce)
        except Failure as error:
            failure = error
        else:
            return "ok", ""
    return failure.outcome, failure.said


def _try_place(network: Network, target: Target, host: str, port: int, timeout: float, nonce: str) -> None:
    until = network.now() + timeout

    def connect() -> Stream:
        return Stream(network, host, port, until)

    if target.kind == "postgresql":
        try_postgresql(connect, target, nonce)
        return
    stream = connect()
    try:
        if target.kind == "redis":
            try_redis(stream, target)
        elif target.kind == "tls":
            stream.start_tls("verify-full")
    finally:
        stream.close()


def try_all(network: Network, targets: t.Sequence[Target], timeout: float) -> t.List[t.Tuple[str, str]]:
    """The outcome of each, all tried at once."""
    outcomes: t.List[t.Tuple[str, str]] = [("timeout", "it was not done in time")] * len(targets)

    def run(index: int) -> None:
        nonce = base64.b64encode(os.urandom(18)).decode("ascii")
        try:
            outcomes[index] = try_target(network, targets[index], timeout, nonce)
        except Exception as error:  # whatever a server made of its answers; no text of it, it may quote the password
            outcomes[index] = ("protocol", "its answer could not be read ({0})".format(type(error).__name__))

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(targets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def main(given: t.Mapping[str, t.Any]) -> str:
    """What the container's standard output is to have."""
    targets = [Target(**dict(one, places=[tuple(place) for place in one["places"]])) for one in given["targets"]]
    return json.dumps(try_all(HostNetwork(), targets, given["timeout"]))
