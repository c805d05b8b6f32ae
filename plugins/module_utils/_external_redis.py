# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Redis server, or one that speaks as it, lets in and answers.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure, Stream
from ansible_collections.portside.stack.plugins.module_utils._external_url import Target

_NO_PASSWORD = "it asks for a password, and the URL has none"


def try_redis(stream: Stream, target: Target) -> None:
    """Log in as the URL says, and ask for an answer. Raises Failure."""
    if target.tls != "disable":
        stream.start_tls(target.tls if target.verifiable else "require")
    if target.password:
        user = [target.user] if target.user and target.user != "default" else []
        _refuse(_ask(stream, "AUTH", *user, target.password))
    answer = _ask(stream, "PING")
    # A user who may not even ping was let in nevertheless.
    if not answer.startswith("-NOPERM"):
        _refuse(answer)
        if answer != "+PONG":
            raise Failure("protocol", "what answers is no Redis")
    if target.database:
        _refuse(_ask(stream, "SELECT", target.database))


def _ask(stream: Stream, *words: str) -> str:
    parts = [word.encode("utf-8", "surrogateescape") for word in words]
    stream.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    return stream.take_line().decode("utf-8", "replace")


def _refuse(answer: str) -> None:
    if not answer.startswith("-"):
        if not answer.startswith("+"):
            raise Failure("protocol", "what answers is no Redis")
        return
    word = answer[1:].split(" ", 1)[0]
    if word == "DENIED":
        raise Failure("authentication", "it is in protected mode, and lets nobody in from elsewhere without a password")
    if word == "WRONGPASS" or "invalid password" in answer or "invalid username-password" in answer:
        raise Failure("authentication", "it does not know this user and password")
    if word == "NOAUTH":
        raise Failure("authentication", _NO_PASSWORD)
    if "without any password configured" in answer or "no password is set" in answer:
        raise Failure("authentication", "it has no password, but the URL has one")
    if word == "NOPERM":
        raise Failure("authentication", "the user may not use this database")
    # A server that does not know a command says what came with it, which may be the password.
    raise Failure("protocol", "it refuses: {0}".format(answer[1:].partition(", with args")[0]))
