# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a Redis server, or one that speaks as it: whether it answers, and how long a queue in it is.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import PORTS, Check
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Stream
from ansible_collections.portside.stack.plugins.module_utils._probe_connection import connected, hosts_of
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

_STRANGER = "what answers is no Redis"
# What a refusal means, by its first word.
_REFUSALS = {
    "LOADING": ("it still reads its data", "see the log of the server, which tells how far it is"),
    "NOAUTH": ("it asks for a password", "name the secret of its password as password_secret"),
    "WRONGPASS": ("it does not take the password", "see whether password_secret names the one that the server was started with"),
    "DENIED": ("it is in protected mode", "give it a password, and name that as password_secret"),
    "WRONGTYPE": ("what has this name is no list", "correct queue.name and queue.database"),
    "NOPERM": ("the user may not ask this", "see the server's rules for its users (ACL)"),
}


def probe_redis(check: Check, world: World, until: float) -> None:
    """Raises Objection unless each server answers a PING."""
    for host, port in hosts_of(check.options["redis"], PORTS["redis"], world, until):
        with connected(world, host, port, until) as stream:
            _log_in(check, world, stream)
            if ask(stream, "PING") != "PONG":
                raise Objection(_STRANGER)


def probe_queue(check: Check, world: World, until: float) -> None:
    """Raises Objection when more waits in the queue than may."""
    queue = check.options["queue"]
    host, port = hosts_of(queue["redis"], PORTS["redis"], world, until)[0]
    with connected(world, host, port, until) as stream:
        _log_in(check, world, stream)
        if queue["database"]:
            ask(stream, "SELECT", str(queue["database"]))
        length = ask(stream, "LLEN", queue["name"])
        if not isinstance(length, int):
            raise Objection(_STRANGER)
    if length > queue["max"]:
        said = "{0} wait in the queue, more than {1}".format(length, queue["max"])
        raise Objection(said, remedy="see whether its workers run and keep up, and what they wait for")


def _log_in(check: Check, world: World, stream: Stream) -> None:
    if "password_secret" in check.options:
        ask(stream, "AUTH", world.secret(check.options["password_secret"]))


def ask(stream: Stream, *words: str) -> t.Union[str, int]:
    """The answer to a command: a line or a number. Raises Objection for a refusal, which has none of the words in it."""
    parts = [word.encode("utf-8", "surrogateescape") for word in words]
    stream.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    answer = stream.take_line().decode("utf-8", "replace")
    kind, text = answer[:1], answer[1:]
    if kind == "+":
        return text
    if kind == ":" and re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    if kind != "-":
        raise Objection(_STRANGER)
    if "without any password configured" in text or "no password is set" in text:
        raise Objection("it has no password, but the check gives one", remedy="remove password_secret from the check")
    word = text.split(" ", 1)[0]
    if word in _REFUSALS:
        said, remedy = _REFUSALS[word]
        raise Objection(said, remedy=remedy)
    # A server that does not know a command says what came with it, which may be the password.
    raise Objection("it refuses {0}".format(words[0]), None if words[0] == "AUTH" else text.partition(", with args")[0])
