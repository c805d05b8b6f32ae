# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._probe_events import EventReader
from check_host import objection, serving
from hypothesis import given
from hypothesis import strategies as st

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"


def serve(*pieces, stays=False):
    def talk(peer):
        peer.recv(65536)
        with contextlib.suppress(OSError):
            for piece in pieces:
                peer.sendall(piece)
                time.sleep(0.01)
            while stays:
                peer.sendall(b": still here\n\n")
                time.sleep(0.05)

    return serving(talk)


def chunked(text):
    return b"%x\r\n%s\r\n" % (len(text), text)


@pytest.mark.parametrize(
    ("pieces", "event", "said"),
    [
        ([HEAD, b": hello\n\n", b"event: tick\ndata: {\"tick\": 1}\n", b"\n"], "", None),
        ([HEAD, b"data: one\n\ndata: two\n\n"], "^two$", None),
        ([HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"), chunked(b"data: o"), chunked(b"ne\r\n\r"), chunked(b"\n")], "one", None),
        ([HEAD, b"data: one\n\n"], "two", "none of 1 that came before the stream ended matches 'two', the last"),
        ([HEAD, b": hello\n\ndata: half"], "", "the stream is there, but no event came before the stream ended"),
        ([HEAD.replace(b"event-stream", b"html"), b"data: one\n\n"], "", "it is text/html, and no text/event-stream"),
        ([b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"], "", "status 502 instead of 200, body"),
    ],
)
def test_the_first_event_that_is_asked_for(pieces, event, said):
    with serve(*pieces) as port:
        found = objection({"url": "http://127.0.0.1:%d/" % port, "event": event})
    assert (found and found.said) == said


def test_a_stream_that_only_keeps_the_connection_up_ends_with_its_try():
    with serve(HEAD, stays=True) as port:
        began = time.monotonic()
        found = objection({"url": "http://127.0.0.1:%d/" % port, "event": "", "timeout": 0.3}, timeout=0.3)
        assert time.monotonic() - began < 3
    assert found.said == "the stream is there, but no event came within 0.3 s"


def test_a_flood_of_other_events_ends_with_its_try():
    def talk(peer):
        peer.recv(65536)
        peer.sendall(HEAD)
        until = time.monotonic() + 6
        with contextlib.suppress(OSError):
            while time.monotonic() < until:
                peer.sendall(b"data: other\n\n" * 1000)

    with serving(talk) as port:
        began = time.monotonic()
        found = objection({"url": "http://127.0.0.1:%d/" % port, "event": "tick"}, timeout=0.3)
        assert time.monotonic() - began < 4
    assert "matches 'tick', the last" in found.said and found.seen == "other"


def read(data, cuts=()):
    reader, found, at = EventReader(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += reader.feed(data[at:cut])
        at = max(at, cut)
    return found


def test_the_examples_of_the_standard():
    assert read(b"data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"]
    three = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert read(three) == ["first event", "second event", " third event"]
    assert read(b"data\n\ndata\ndata\n\ndata:") == ["", "\n"]
    assert read(b"\xef\xbb\xbfdata: x\r\rdata:y\r\n\r\n") == ["x", "y"]
    assert read(b"event: only\n\n") == []


LINES = st.sampled_from(["data: a", "data:b", "data", "event: e", ": c", "", "data: \xe4", "id: 1", "retry: 3", "data: \ufeff"])


@given(st.lists(LINES, max_size=12), st.lists(st.sampled_from(["\n", "\r", "\r\n"]), min_size=12, max_size=12), st.data())
def test_wherever_it_is_cut_the_same_events_come(lines, ends, data):
    text = "".join(line + end for line, end in zip(lines, ends)).encode()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    assert read(text, cuts) == read(text) == read(text, range(len(text)))


@given(st.lists(st.text(alphabet=st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",))), min_size=1), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_sent_comes_back(parts, end):
    text = "".join("data: " + part + end for part in parts) + end
    assert read(text.encode()) == ["\n".join(parts)]


@given(st.binary())
def test_any_bytes_are_read(data):
    assert read(data) == read(data, range(len(data)))
