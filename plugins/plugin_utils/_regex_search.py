# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for a text that some expressions match and others do not: shortest first, and readable where there is one.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
from collections import deque

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import MATCHED, Effort, Machine, State, TooCostly

# For one question, and for all that one searcher is asked.
EFFORT = 500000
EFFORT_IN_ALL = 6000000
# What an example is made of, most readable first.
_READABLE = "abcdefghijklmnopqrstuvwxyz0123456789/-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ~"
_ORDER = {ord(char): place for place, char in enumerate(_READABLE)}


class Question(t.NamedTuple):
    """A text over the alphabet that all of `takes` match and none of `leaves`."""

    takes: t.Sequence[tree.Node]
    leaves: t.Sequence[tree.Node]
    alphabet: tree.Ranges
    # Preferably none of these: what makes an example ugly.
    avoids: t.Sequence[tree.Node] = ()


class Searcher:
    """Answers questions, and keeps what it learned of the expressions for the next ones."""

    def __init__(self, effort: int = EFFORT, in_all: int = EFFORT_IN_ALL) -> None:
        self._effort = effort
        self._in_all = in_all
        self._budget = Effort(0)
        self._machines: t.Dict[tree.Node, Machine] = {}

    def find(self, question: Question) -> t.Optional[t.List[int]]:
        """The text, None when there is none for certain; raises TooCostly when that takes too long to find out."""
        begin = _common_begin(question.takes)
        if begin is None:
            return None
        given = self._budget.left = min(self._effort, self._in_all)
        try:
            takes = [self._machine(node) for node in question.takes]
            leaves = [self._machine(node) for node in question.leaves if _agree(begin, _begin(node))]
            avoids = [self._machine(node) for node in question.avoids]
            return self._found(takes, leaves, avoids, question.alphabet)
        finally:
            self._in_all -= given - max(self._budget.left, 0)

    def matches(self, node: tree.Node, text: t.Iterable[int]) -> bool:
        """Whether the expression matches that text, which is short."""
        self._budget.left = self._effort
        return self._machine(node).matches(text)

    def _found(self, takes: t.List[Machine], leaves: t.List[Machine], avoids: t.List[Machine], alphabet: tree.Ranges) -> t.Optional[t.List[int]]:
        letters = _letters(takes + leaves + avoids, alphabet)
        readable = [letter for letter in letters if letter in _ORDER]
        # An easy answer is found soon; a hard one is left to the thorough search.
        kept, self._budget.left = self._budget.left - self._budget.left // 4, self._budget.left // 4
        try:
            nice = _search(takes, avoids, readable, self._budget)
            # The first that comes to mind is often left by all, or one of them leaves nothing: only else have they to run side by side.
            taking = [machine for machine in leaves if nice is not None and machine.matches(nice)]
            covered = any(_search(takes, [machine], letters, self._budget) is None for machine in taking)
            if taking and not covered:
                nice = _search(takes, leaves + avoids, readable, self._budget)
        except TooCostly:
            nice, covered = None, False
        self._budget.left = max(self._budget.left, 0) + kept
        if covered:
            return None
        return nice if nice is not None else _search(takes, leaves, letters, self._budget)

    def _machine(self, node: tree.Node) -> Machine:
        if node not in self._machines:
            self._machines[node] = Machine(node, self._budget)
        return self._machines[node]


def _begin(node: tree.Node) -> t.Tuple[int, ...]:
    """The characters that every text it matches begins with, as far as that is easily seen."""
    found: t.List[int] = []
    parts = tree.sequence(node)
    for part in parts[1:] if parts and parts[0] == tree.BEGIN else ():
        if part[0] != "set" or len(part[1]) != 1 or part[1][0][0] != part[1][0][1]:
            break
        found.append(part[1][0][0])
    return tuple(found)


def _agree(one: t.Tuple[int, ...], other: t.Tuple[int, ...]) -> bool:
    return one[: len(other)] == other[: len(one)]


def _common_begin(nodes: t.Sequence[tree.Node]) -> t.Optional[t.Tuple[int, ...]]:
    """What all of them begin with; None where that cannot be."""
    longest: t.Tuple[int, ...] = ()
    for begin in (_begin(node) for node in nodes):
        if not _agree(longest, begin):
            return None
        longest = max(longest, begin, key=len)
    return longest


def _letters(machines: t.Sequence[Machine], alphabet: tree.Ranges) -> t.List[int]:
    """One character for each kind that no machine tells apart, the most readable one first."""
    sets = {operation[1] for machine in machines for operation in machine.program if operation[0] == "set"}
    known = sorted(sets | {tree.WORDS, tree.span("\n"), alphabet})
    cuts = sorted({0} | {low for ranges in known for low, high in ranges} | {high + 1 for ranges in known for low, high in ranges} | set(_ORDER))
    best: t.Dict[t.Tuple[bool, ...], int] = {}
    for cut in cuts:
        if tree.holds(alphabet, cut):
            kind = tuple(tree.holds(ranges, cut) for ranges in known)
            if kind not in best or _rank(cut) < _rank(best[kind]):
                best[kind] = cut
    return sorted(best.values(), key=_rank)


def _rank(letter: int) -> t.Tuple[int, int]:
    return _ORDER.get(letter, len(_ORDER)), letter


def _search(takes: t.Sequence[Machine], leaves: t.Sequence[Machine], letters: t.Sequence[int], budget: Effort) -> t.Optional[t.List[int]]:
    machines = list(takes) + list(leaves)
    start = tuple(machine.start for machine in machines)
    came: t.Dict[t.Tuple[State, ...], t.Optional[t.Tuple[t.Tuple[State, ...], int]]] = {start: None}
    todo = deque([start])
    while todo:
        states = todo.popleft()
        if _answers(takes, leaves, states):
            return _spelled(came, states)
        for letter in letters:
            budget.spend(len(machines))
            follows = tuple(machine.step(state, letter) for machine, state in zip(machines, states))
            if follows not in came and not _hopeless(takes, follows):
                came[follows] = (states, letter)
                todo.append(follows)
    return None


def _answers(takes: t.Sequence[Machine], leaves: t.Sequence[Machine], states: t.Sequence[State]) -> bool:
    ends = [machine.ends(state) for machine, state in zip(list(takes) + list(leaves), states)]
    return all(ends[: len(takes)]) and not any(ends[len(takes) :])


def _hopeless(takes: t.Sequence[Machine], states: t.Sequence[State]) -> bool:
    return any(Machine.lost(state) for state in states[: len(takes)]) or MATCHED in states[len(takes) :]


def _spelled(came: t.Mapping[t.Any, t.Any], states: t.Any) -> t.List[int]:
    found: t.List[int] = []
    while came[states] is not None:
        states, letter = came[states]
        found.append(letter)
    return found[::-1]
