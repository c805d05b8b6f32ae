# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which regexes nginx would give up on: PCRE tries all ways to match, and answers 500 when there are too many.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

cloudflared's RE2 has no such limit, so the two would differ; and anybody could keep nginx busy with long paths.

What PCRE has to try, when nothing matches in the end, is every way to read every beginning of the path. So these ways are
counted: how many there are to each position of the automaton, after all paths there can be. A pattern whose counts stay
small costs so many steps for every further character; where they grow with the path, they pass any bound. PCRE leaves out
some of these steps, but which ones differs between its releases.
"""

from __future__ import annotations

import heapq
import typing as t
from collections import Counter

from ansible_collections.portside.stack.plugins.plugin_utils._route_language import MOST_STATES, Machine, TooCostly, Ways
from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import Node, regex_text

# Steps for one more character. PCRE stops after 10 million for the whole path, which has at most 26000 characters:
# 16 KiB, as the edge reads them, in HTTP/2's Huffman code.
MOST_STEPS = 256
# How much is looked at to name a smaller part than the whole pattern.
_FEW_STATES = 1000
_END = Node("set")

# The ways to each position after some path.
Counts = t.Tuple[t.Tuple[int, int], ...]


class Trouble(t.NamedTuple):
    """The part of a pattern that can be matched in too many ways, and what to write instead."""

    part: str
    remedy: str


def too_many_ways(pattern: Node) -> t.Optional[Trouble]:
    """Where PCRE tries too many ways to match, if anywhere; raises TooCostly."""
    if not _costs_too_much(pattern, MOST_STATES):
        return None
    part = _narrowed(pattern)
    if not _loops(part):
        remedy = "write a{0,20} for a?a?a? and so on, and alternatives of which one matches, as (a|b) for (a|b|[ab])"
    elif part.kind == "repeat":
        remedy = "write (a+)+ as a+, and give what is repeated a certain end, as in ([a-z]+/)*"
    else:
        remedy = "end a loop where the next one begins, as [^/]+/ for .*/ and [^/-]+-[^/]+ for [^/]+-[^/]+, and write one loop for two that meet"
    return Trouble(regex_text(part), remedy)


def _costs_too_much(pattern: Node, most_states: int) -> bool:
    # The end is a position that nothing is read at, so that the ways to it are counted as well.
    machine = Machine([Node("cat", parts=(pattern, _END))])
    end = len(machine.follow) - 1
    steps = [sum(after.values()) for after in machine.follow]
    everything = sum(mask for mask, _following in machine.moves(machine.start))
    # What takes all that is left succeeds at once: PCRE does not come back from there.
    certain = {place for place, after in enumerate(machine.follow) if after == {place: 1, end: 1} and machine.masks[place] == everything}
    # The leftmost position of what is repeated follows its rightmost one.
    repeated = {place for last, after in enumerate(machine.follow) for place in range(min(after, default=last + 1), last + 1)}
    # Where there are many ways round loops, there are soon more: that is looked at first.
    waiting: t.List[t.Tuple[int, int, Counts]] = [(0, -steps[0], ((0, 1),))]
    seen = set(waiting)
    tried = 0
    while waiting:
        _round, fewer, counts = heapq.heappop(waiting)
        if -fewer > MOST_STEPS:
            return True
        tried += 1
        if tried > most_states:
            raise TooCostly
        reached: Ways = Counter()
        for before, ways in counts:
            for after, more in machine.follow[before].items():
                reached[after] += ways * more
        for _mask, following in machine.moves(frozenset(place for place, _ways in counts)):
            found = tuple((place, reached[place]) for place in sorted(following - certain))
            one = -sum(ways for place, ways in found if place in repeated), -sum(ways * steps[place] for place, ways in found), found
            if one not in seen:
                seen.add(one)
                heapq.heappush(waiting, one)
    return False


def _narrowed(pattern: Node) -> Node:
    """The smallest part that is too much by itself."""
    if pattern.kind == "cat":
        # More on either side never makes less of it.
        most = _first(range(1, len(pattern.parts)), lambda stop: _is_too_much(_slice(pattern, 0, stop)), len(pattern.parts))
        least = _first(range(1, most), lambda start: not _is_too_much(_slice(pattern, start, most)), most) - 1
        pattern = _slice(pattern, least, most)
        if most - least > 1:
            return pattern
    return next((_narrowed(part) for part in pattern.parts if _is_too_much(part)), pattern)


def _slice(pattern: Node, start: int, stop: int) -> Node:
    return Node("cat", parts=pattern.parts[start:stop])


def _first(numbers: range, holds: t.Callable[[int], bool], otherwise: int) -> int:
    """The first number for which it holds, as it then does for all after it."""
    found, rest = otherwise, numbers
    while rest:
        middle = len(rest) // 2
        if holds(rest[middle]):
            found, rest = rest[middle], rest[:middle]
        else:
            rest = rest[middle + 1 :]
    return found


def _is_too_much(part: Node) -> bool:
    try:
        return _costs_too_much(part, _FEW_STATES)
    except TooCostly:
        return False


def _loops(node: Node) -> int:
    return int(node.kind == "repeat" and node.most is None) + sum(_loops(part) for part in node.parts)
