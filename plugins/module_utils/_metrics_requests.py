# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what an nginx answered, and how fast, from what it logs: it has no counter of its own that knows a status.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

# Up to which many seconds an answer is quick, slow or very slow.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Both begin with what the client cannot choose; nginx writes a quote in a request as \x22, so the status stands where it seems to.
_OF_EDGE = re.compile(r'\S+ \[[^]]*\] \S* "[^"]*" ([1-5])(\d\d) \d+ ([0-9.]+)s ')
_COMBINED = re.compile(r'\S+ - .*? \[[^]]*\] "[^"]*" ([1-5])\d\d \d+ "')
# A stream's time is how long somebody stayed.
_SWITCHED = "101"


class Counted(t.NamedTuple):
    """Answers by the first digit of their status; of those with a time, how many there are, their sum, and how many are within each bucket."""

    answers: t.Mapping[str, int] = {}
    timed: int = 0
    seconds: float = 0.0
    within: t.Tuple[int, ...] = (0,) * len(BUCKETS)


def count(lines: t.Iterable[str], before: Counted) -> Counted:
    """With the requests of these lines of a log added; a line that is none of nginx's access log adds nothing."""
    answers, within = dict(before.answers), list(before.within)
    timed, seconds = before.timed, before.seconds
    for line in lines:
        found = _OF_EDGE.match(line) or _COMBINED.match(line)
        if not found:
            continue
        digit = found.group(1)
        answers[digit] = answers.get(digit, 0) + 1
        if found.re is _OF_EDGE and digit + found.group(2) != _SWITCHED:
            took = float(found.group(3))
            timed, seconds = timed + 1, seconds + took
            within = [number + (took <= bound) for bound, number in zip(BUCKETS, within)]
    return Counted(answers, timed, seconds, tuple(within))
