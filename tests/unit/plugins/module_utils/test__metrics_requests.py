# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._metrics_requests import BUCKETS, Counted, count
from hypothesis import given
from hypothesis import strategies as st

EDGE = '203.0.113.9 [2026-11-21T10:00:00+00:00] shop.example.com "{request}" {status} 512 {seconds}s upstream 172.18.0.3:80 {status} 0.010s "-" "curl"'
COMBINED = '172.18.0.5 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" {status} 612 "-" "curl/8"'


def edge(status, seconds="0.010", request="GET / HTTP/1.1"):
    return EDGE.format(status=status, seconds=seconds, request=request)


def test_answers_are_counted_by_their_first_digit():
    found = count([edge(200), edge(204), edge(503), COMBINED.format(status=404)], Counted())
    assert found.answers == {"2": 2, "5": 1, "4": 1}


def test_what_the_edge_logs_has_a_time_and_the_common_format_has_none():
    found = count([edge(200, "0.300"), edge(200, "20.000"), COMBINED.format(status=200)], Counted())
    assert (found.timed, found.seconds) == (2, pytest.approx(20.3))
    assert found.within == (0, 0, 0, 1, 1, 1, 1, 1)


def test_a_stream_that_was_switched_to_is_no_slow_answer():
    found = count([edge(101, "3600.000")], Counted())
    assert (found.answers, found.timed) == ({"1": 1}, 0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026/11/21 10:00:00 [notice] 1#1: start worker processes",
        'app said: 203.0.113.9 [x] h "GET / HTTP/1.1" 500 1 0.1s ',
        edge(600),
        edge(200, "-"),
    ],
)
def test_other_lines_add_nothing(line):
    assert count([line], Counted()) == Counted()


def test_a_client_cannot_write_a_status_into_its_request():
    # As nginx escapes it.
    assert count([edge(200, request="GET /\\x22 500 1 0.1s HTTP/1.1")], Counted()).answers == {"2": 1}


def test_the_bytes_of_a_broken_handshake_are_a_refusal():
    assert count([edge(400, "0.000", "\\x16\\x03\\x01")], Counted()).answers == {"4": 1}


@given(st.lists(st.tuples(st.integers(100, 599), st.floats(0, 100)), max_size=20), st.integers(0, 20))
def test_it_is_the_same_whether_counted_at_once_or_in_two_looks(requests, at):
    lines = [edge(status, "{0:.3f}".format(seconds)) for status, seconds in requests]
    whole = count(lines, Counted())
    parts = count(lines[at:], count(lines[:at], Counted()))
    assert (whole.answers, whole.timed, whole.within) == (parts.answers, parts.timed, parts.within)
    assert sum(whole.answers.values()) == len(lines)
    assert list(whole.within) == sorted(whole.within) and len(whole.within) == len(BUCKETS)
    assert whole.within[-1] <= whole.timed
