# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which regexes nginx would give up on: PCRE tries all ways to match, and answers 500 when there are too many.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

cloudflared's RE2 has no such limit, so the two would differ; and anybody could keep nginx busy with long paths.
"""

from __future__ import annotations

import typing as t
from collections import deque

from ansible_collections.portside.stack.plugins.plugin_utils._route_language import MOST_STATES, Machine, TooCostly
from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import Node

Pair = t.Tuple[int, int]
Place = t.TypeVar("Place")
# A loop with an end is as bad as one without when it may go round so often: each round multiplies the ways.
_MANY = 4


def has_too_many_ways(pattern: Node) -> bool:
    """Whether repeating a part can take one text in several ways, so that each round multiplies the work."""
    return _doubles(pattern) or any(_multiplies(part) for part in _parts(pattern))


def _parts(node: Node) -> t.Iterator[Node]:
    yield node
    for part in node.parts:
        yield from _parts(part)


def _multiplies(node: Node) -> bool:
    if node.kind != "repeat" or max(node.least, node.most or 0) < _MANY:
        return False
    return _may_be_empty(node.parts[0]) or _doubles(node._replace(least=0, most=None))


def _may_be_empty(node: Node) -> bool:
    machine = Machine([node])
    return bool(machine.accepted(machine.start))


def _doubles(pattern: Node) -> bool:
    """Whether there are two ways round a loop without end for one text."""
    machine = Machine([pattern])
    follow, masks = machine.follow, machine.masks
    below = {position: _reached(position, follow.__getitem__) for position in range(len(follow))}
    loops = {position for position, found in below.items() if position in found}
    if any(before in below[after] for before, after in machine.twice):
        return True

    def following(pair: Pair) -> t.Iterator[Pair]:
        for one in follow[pair[0]] & loops:
            for two in follow[pair[1]] & loops:
                if masks[one] & masks[two]:
                    yield one, two

    seen: t.Set[int] = set()
    for position in sorted(loops):
        if position not in seen:
            loop = {other for other in below[position] if position in below[other]}
            seen |= loop
            for pair in _reached((position, position), following):
                # In a loop both ways end where they began.
                if pair[0] != pair[1] and set(pair) <= loop and (position, position) in _reached(pair, following):
                    return True
    return False


def _reached(start: Place, following: t.Callable[[Place], t.Iterable[Place]]) -> t.Set[Place]:
    """All that come after it; itself only if it comes again."""
    found: t.Set[Place] = set()
    queue = deque([start])
    while queue:
        for one in following(queue.popleft()):
            if one not in found:
                found.add(one)
                queue.append(one)
        if len(found) > MOST_STATES:
            raise TooCostly
    return found
