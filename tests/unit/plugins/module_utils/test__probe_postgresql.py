# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers were seen from PostgreSQL 17 and PgBouncer 1.24."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.portside.stack.plugins.module_utils._probe_postgresql import judge_answer
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection
from check_host import objection, serving
from hypothesis import given
from hypothesis import strategies as st


def refusal(code, message, kind=b"E"):
    body = b"SFATAL\0VFATAL\0" + (b"C" + code + b"\0" if code else b"") + b"M" + message + b"\0\0"
    return kind + struct.pack(">I", 4 + len(body)) + body


ASKS = b"R" + struct.pack(">II", 23, 10) + b"SCRAM-SHA-256\0\0"


def answer_with(data, seen=None):
    def talk(peer):
        (length,) = struct.unpack(">I", peer.recv(4))
        start = peer.recv(length - 4)
        if seen is not None:
            seen.append(start)
        peer.sendall(data)

    return serving(talk)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (ASKS, None),
        (b"R" + struct.pack(">II", 8, 0), None),
        (refusal(b"28000", b'no pg_hba.conf entry for host "172.18.0.1", user "portside"'), None),
        (refusal(b"3D000", b'database "postgres" does not exist'), None),
        (refusal(b"08P01", b"no such user: portside"), None),
        (refusal(b"57P03", b"the database system is starting up"), "it takes no sessions yet"),
        (refusal(b"", b"?"), "it takes no sessions yet"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers is no PostgreSQL"),
        (b"Ecould not fork", "what answers is no PostgreSQL"),
        (b"R\0\0\0\4", "what answers is no PostgreSQL"),
        (ASKS[:3], "it ended the connection without an answer"),
        (b"", "it ended the connection without an answer"),
    ],
)
def test_a_server_that_asks_who_it_is_takes_sessions(data, said):
    seen = []
    with answer_with(data, seen) as port:
        found = objection({"postgresql": "127.0.0.1:%d" % port})
    assert (found and found.said) == said
    assert seen[0][:4] == b"\0\3\0\0" and seen[0].endswith(b"\0\0") and b"user\0portside\0" in seen[0]


def test_what_a_server_says_while_it_starts_is_seen():
    with answer_with(refusal(b"57P03", b"the database system is starting up")) as port:
        assert objection({"postgresql": "db:%d" % port}).seen == "the database system is starting up"


def test_a_session_is_for_whom_the_server_knows():
    seen = []
    with answer_with(ASKS, seen) as port:
        assert objection({"postgresql": "127.0.0.1:%d" % port, "user": "shop", "database": "orders"}) is None
    assert seen[0] == b"\0\3\0\0user\0shop\0database\0orders\0application_name\0portside\0\0"


class Bytes:
    """A stream of these bytes, as a server sends them."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise Objection("ended")
        taken, self.data = self.data[:count], self.data[count:]
        return taken


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"E" + struct.pack(">I", 4 + len(data)) + data))
def test_whatever_the_bytes_are_it_passes_or_is_objected_to(data):
    try:
        judge_answer(Bytes(data))
    except Objection:
        return
    assert data[:1] == b"R" or (data[:1] == b"E" and b"C57P03" not in data)
