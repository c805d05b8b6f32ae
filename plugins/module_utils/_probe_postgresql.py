# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of whether a PostgreSQL server, or a pooler before one, takes sessions: as pg_isready, without a password.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import struct

from ansible_collections.portside.stack.plugins.module_utils._check_model import PORTS, Check
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Stream
from ansible_collections.portside.stack.plugins.module_utils._probe_connection import connected, hosts_of
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

# While it starts, stops or recovers.
_NOT_NOW = b"57P03"
_LONGEST = 1 << 16
_STRANGER = "what answers is no PostgreSQL"


def probe_postgresql(check: Check, world: World, until: float) -> None:
    """Raises Objection unless each server asks who it is, or refuses this user alone."""
    for host, port in hosts_of(check.options["postgresql"], PORTS["postgresql"], world, until):
        with connected(world, host, port, until) as stream:
            stream.send(start_message(check.options["user"], check.options["database"]))
            judge_answer(stream)


def start_message(user: str, database: str) -> bytes:
    """How a session begins, in version 3.0 of the protocol; nothing follows it, so nobody logs in."""
    words = ("user", user, "database", database, "application_name", "portside")
    told = b"\0\3\0\0" + b"".join(word.encode("utf-8") + b"\0" for word in words) + b"\0"
    return struct.pack(">I", 4 + len(told)) + told


def judge_answer(stream: Stream) -> None:
    kind = stream.take(1)
    if kind not in (b"R", b"E"):
        raise Objection(_STRANGER)
    (length,) = struct.unpack(">I", stream.take(4))
    if not 8 <= length <= _LONGEST:
        raise Objection(_STRANGER)
    if kind == b"R":
        return
    fields = {part[:1]: part[1:] for part in stream.take(length - 4).split(b"\0")}
    # Any other refusal is about the user, whom it need not know: that it can tell means that it serves.
    if fields.get(b"C", _NOT_NOW) == _NOT_NOW:
        said = fields.get(b"M", b"it says nothing").decode("utf-8", "replace")
        raise Objection("it takes no sessions yet", said, "see the log of the server, which starts, stops or recovers")
