# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._probe_websocket import accept_of
from check_host import objection, serving
from hypothesis import given
from hypothesis import strategies as st


def serve(answer, seen=None):
    """``answer`` is made of the key that the client sends."""

    def talk(peer):
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(65536)
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:] if line)
        if seen is not None:
            seen.append((head.split(b"\r\n")[0], fields))
        peer.sendall(answer(fields["Sec-WebSocket-Key"]))

    return serving(talk)


def upgraded(key, accept=None, upgrade="WebSocket"):
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {0}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {1}\r\n\r\n"
    return head.format(upgrade, accept or accept_of(key)).encode() + b"\x81\x02hi"


def test_the_answer_to_a_key_is_that_of_the_standard():
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_upgrade_passes_and_what_is_sent():
    seen = []
    with serve(upgraded, seen) as port:
        assert objection({"url": "ws://127.0.0.1:%d/ws?a=1" % port, "headers": {"Origin": "http://a.test"}}) is None
    ((line, fields),) = seen
    assert line == b"GET /ws?a=1 HTTP/1.1" and fields["Upgrade"] == "websocket" and fields["Connection"] == "Upgrade"
    assert fields["Sec-WebSocket-Version"] == "13" and len(fields["Sec-WebSocket-Key"]) == 24 and fields["Origin"] == "http://a.test"


@pytest.mark.parametrize(
    ("answer", "check", "said"),
    [
        (lambda key: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", {}, "status 403 instead of 101, body"),
        (lambda key: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", {"status": 403}, None),
        (upgraded, {"status": 403}, "status 101 instead of 403"),
        (lambda key: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", {}, "status 200 instead of 101, body"),
        (lambda key: upgraded(key, upgrade="h2c"), {}, "status 101, but what it goes over to is no WebSocket"),
        (lambda key: upgraded(key, accept_of("other")), {}, "status 101, but Sec-WebSocket-Accept is not the answer to the key"),
        (lambda key: b"HTTP/1.1 101 Oh\r\nUpgrade: websocket\r\n\r\n", {}, "status 101, but Sec-WebSocket-Accept is not the answer to the key"),
    ],
)
def test_what_does_not_pass(answer, check, said):
    with serve(answer) as port:
        found = objection(dict({"url": "ws://127.0.0.1:%d/" % port}, **check))
    assert found is None if said is None else found.said.startswith(said)


@given(st.text(alphabet="abcXYZ+/=0123456789", min_size=1, max_size=30), st.text(alphabet="abcXYZ+/=0123456789", min_size=1, max_size=30))
def test_only_the_key_itself_has_its_answer(one, other):
    assert (accept_of(one) == accept_of(other)) == (one == other)
