# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sets of routes a request's path can match, decided exactly.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

All patterns become one automaton (Glushkov's), whose deterministic states are made as they are reached, shortest path
first. So a verdict comes with the shortest path for which it holds, and the work is bounded by a number of states.
"""

from __future__ import annotations

import typing as t
from collections import Counter, deque
from itertools import chain

from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import ANYTHING, ASCII, Node, literal, regex_size

MOST_STATES = 10000
_LIKED = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
_OTHERS = "éü日я"
# What a path has been so far: nothing, a slash, parameters of nothing (";x"), the segments "." and "..", anything else.
_START, _SLASH, _PARAMETERS, _DOT, _DOTS, _ELSE = range(6)

State = t.FrozenSet[int]
# How often each: in how many ways a program that tries everything gets there without reading.
Ways = t.Counter[int]
Fragment = t.Tuple[int, Ways, Ways]


class TooCostly(Exception):
    """The question cannot be decided within the bounds.

    Not the one of ``_regex_machine``: here one pass finds every combination of all patterns, and positions (Glushkov's) tell
    what backtracks and what differs between bytes and characters.
    """


class Matched(t.NamedTuple):
    """Paths that match just these patterns, by position, and the shortest of them."""

    path: str
    patterns: t.FrozenSet[int]


def exact_node(path: str) -> Node:
    """That path alone."""
    return literal(path)


def tree_node(path: str) -> Node:
    """All paths that begin with that text."""
    return Node("cat", parts=(literal(path), ANYTHING))


def explore(patterns: t.Sequence[Node]) -> t.List[Matched]:
    """Every combination of patterns that a path which reaches routing can match, the shortest path first.

    Such a path begins with a slash, has no empty segment but at its end, no ``.`` or ``..``, each also with parameters, no
    backslash, and no control character.
    """
    machine = Machine(patterns)
    # Plain texts have about as many states as characters.
    limit = MOST_STATES + 4 * sum(regex_size(pattern) for pattern in patterns)
    found: t.Dict[t.FrozenSet[int], str] = {}
    seen = {(_START, machine.start)}
    queue = deque([("", _START, machine.start)])
    while queue:
        path, kind, state = queue.popleft()
        if kind in (_SLASH, _PARAMETERS, _ELSE):
            found.setdefault(machine.accepted(state), path)
        for mask, following in machine.moves(state):
            for char in _samples(machine, kind, mask):
                reached = (_next_kind(kind, char), following)
                if reached not in seen:
                    seen.add(reached)
                    queue.append((path + char,) + reached)
        if len(seen) > limit:
            raise TooCostly
    return [Matched(path, matching) for matching, path in found.items()]


def counts_characters(pattern: Node) -> str:
    """A path that is another one to who reads bytes than to who reads characters; empty when there is none.

    There is none if one character outside ASCII, and two of them in its place, always match alike.
    """
    machine = Machine([pattern])
    pairs: t.Deque[t.Tuple[str, State, State]] = deque()
    queue = deque([("", machine.start)])
    seen = {machine.start}
    while queue:
        path, state = queue.popleft()
        once = machine.move(state, machine.other)
        pairs.append((path + machine.other, once, machine.move(once, machine.other)))
        for mask, following in machine.moves(state):
            if following not in seen:
                seen.add(following)
                queue.append((path + machine.sample(mask), following))
        if len(seen) > MOST_STATES:
            raise TooCostly
    known = {(one, two) for _path, one, two in pairs}
    while pairs:
        path, one, two = pairs.popleft()
        if machine.accepted(one) != machine.accepted(two):
            return path
        for mask, following in machine.moves(one):
            for other_mask, other in machine.moves(two):
                if mask & other_mask and following != other and (following, other) not in known:
                    known.add((following, other))
                    pairs.append((path + machine.sample(mask & other_mask), following, other))
        if len(known) > MOST_STATES:
            raise TooCostly
    return ""


def _samples(machine: Machine, kind: int, mask: int) -> t.List[str]:
    """One character of those for each way in which they change what the path is."""
    slash = ["/"] if mask & machine.slash else []
    if kind == _START:
        return slash
    plain = mask & ~machine.slash & ~machine.dot & ~machine.semicolon & ~machine.backslash
    found = [machine.sample(plain)] if plain else []
    found += ["."] if mask & machine.dot else []
    found += [";"] if mask & machine.semicolon and kind not in (_DOT, _DOTS) else []
    return found + slash if kind == _ELSE else found


def _next_kind(kind: int, char: str) -> int:
    if char == "/":
        return _SLASH
    if char == "." and kind in (_SLASH, _DOT):
        return _DOT if kind == _SLASH else _DOTS
    if kind == _PARAMETERS or (char == ";" and kind == _SLASH):
        return _PARAMETERS
    return _ELSE


class Machine:
    """The patterns' automaton: a state is the set of positions that have just been read, sets of characters are bits."""

    def __init__(self, patterns: t.Sequence[Node]) -> None:
        named = sorted({char for pattern in patterns for char in _characters(pattern) if char not in ASCII})
        self.other = next(char for char in chain(_OTHERS, map(chr, range(0x400, 0x4000))) if char not in named)
        # In the order in which they read best in an example.
        self._alphabet = list(dict.fromkeys(_LIKED + ASCII.replace(".", "").replace("/", ""))) + named + [self.other, ".", "/"]
        self._bits = {char: 1 << index for index, char in enumerate(self._alphabet)}
        self.dot, self.slash, self.semicolon, self.backslash = (self._bits[char] for char in "./;\\")
        self._outside = sum(self._bits[char] for char in named) | self._bits[self.other]
        # The position 0 stands before all patterns.
        self.masks: t.List[int] = [0]
        self.follow: t.List[Ways] = [Counter()]
        self._ends: t.Dict[int, t.Set[int]] = {}
        self._moves: t.Dict[State, t.List[t.Tuple[int, State]]] = {}
        self.start: State = frozenset([0])
        for index, pattern in enumerate(patterns):
            nullable, first, last = self._fragment(pattern)
            self._connect(Counter([0]), first)
            for position in [*last, *([0] if nullable else [])]:
                self._ends.setdefault(position, set()).add(index)

    def accepted(self, state: State) -> t.FrozenSet[int]:
        """The patterns that end here."""
        return frozenset(index for position in state for index in self._ends.get(position, ()))

    def takes(self, text: str) -> bool:
        """Whether any of the patterns matches the whole text; takes a time that grows with the text alone."""
        state = self.start
        for char in text:
            state = self.move(state, char if char in self._bits else self.other)
            if not state:
                return False
        return bool(self.accepted(state))

    def move(self, state: State, char: str) -> State:
        return next(following for mask, following in self.moves(state) if mask & self._bits[char])

    def sample(self, mask: int) -> str:
        return self._alphabet[(mask & -mask).bit_length() - 1]

    def moves(self, state: State) -> t.List[t.Tuple[int, State]]:
        """Where it goes, by the characters that the patterns do not tell apart there."""
        if state not in self._moves:
            groups: t.List[t.Tuple[int, t.Tuple[int, ...]]] = [((1 << len(self._alphabet)) - 1, ())]
            for position in sorted({after for before in state for after in self.follow[before]}):
                mask = self.masks[position]
                parts = [part for chars, positions in groups for part in ((chars & mask, positions + (position,)), (chars & ~mask, positions))]
                groups = [part for part in parts if part[0]]
            groups.sort(key=lambda group: group[0] & -group[0])
            self._moves[state] = [(mask, frozenset(positions)) for mask, positions in groups]
        return self._moves[state]

    def _fragment(self, node: Node) -> Fragment:
        """Adds a part: in how many ways it matches nothing at all, where it begins, where it ends."""
        if node.kind == "set":
            self.masks.append(sum(self._bits[char] for char in node.chars) | (self._outside if node.other else 0))
            self.follow.append(Counter())
            return 0, Counter([len(self.masks) - 1]), Counter([len(self.masks) - 1])
        if node.kind == "repeat":
            return self._repeated(node)
        parts = [self._fragment(part) for part in node.parts]
        if node.kind == "alt":
            return sum(part[0] for part in parts), sum((part[1] for part in parts), Counter()), sum((part[2] for part in parts), Counter())
        found: Fragment = (1, Counter(), Counter())
        for part in parts:
            found = self._after(found, part)
        return found

    def _after(self, before: Fragment, part: Fragment) -> Fragment:
        self._connect(before[2], part[1])
        return before[0] * part[0], before[1] + _times(part[1], before[0]), part[2] + _times(before[2], part[0])

    def _repeated(self, node: Node) -> Fragment:
        copies = [self._fragment(node.parts[0]) for _number in range(max(node.least, 1) if node.most is None else node.most)]
        if node.most is None:
            nothing, begins, ends = copies[-1]
            self._connect(ends, begins)
            # One more round may be nothing, which is the last one.
            copies[-1] = nothing, begins, _times(ends, 1 + nothing)
        found: Fragment = (1, Counter(), Counter())
        nothings, last = int(node.least == 0), Counter()
        for number, copy in enumerate(copies, 1):
            found = self._after(found, copy)
            # Those beyond the least number may be left out.
            if number >= node.least:
                nothings, last = nothings + found[0], last + found[2]
        return nothings, found[1], last

    def _connect(self, before: Ways, after: Ways) -> None:
        for position, ways in before.items():
            self.follow[position].update(_times(after, ways))


def _times(ways: Ways, number: int) -> Ways:
    return Counter({position: number * count for position, count in ways.items() if number})


def _characters(node: Node) -> t.Iterator[str]:
    if node.kind == "set":
        yield from node.chars
    for part in node.parts:
        yield from _characters(part)
