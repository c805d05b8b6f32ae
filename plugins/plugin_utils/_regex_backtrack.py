# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A regular expression matched as PCRE2 does it, one way after the other: what no automaton can do, of one text only.

Beside the nodes of ``_regex_tree`` there are here C((group, node, names)) one in parentheses that captures if it has names,
C((back, (name, caseless))) what that captured last, C((lazy, node, low, high)) a repetition that prefers few, C((atomic, node)) only
the first way in which the node matches, and C((behind, node, positive)) nothing, but the node ends here (or does not).

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import Program

# What groups captured, and where loops began their last turn; never changed, as there are ways back.
Saved = t.Dict[t.Any, t.Any]
Found = t.Optional[t.Tuple[int, Saved]]


def regular(node: tree.Node) -> t.Tuple[tree.Node, str]:
    """What an automaton can do of it, which takes all that it takes; and why that is not the same."""
    kind = node[0]
    if kind in ("cat", "alt"):
        parts = [regular(part) for part in node[1]]
        return (kind, tuple(part for part, why in parts)), next((why for part, why in parts if why), "")
    if kind == "back":
        return tree.anything(tree.BYTE), "it has a back reference"
    if kind == "behind":
        return tree.EMPTY, "it looks behind"
    if kind in ("set", "assert"):
        return node, ""
    inner, why = regular(node[1])
    if kind == "group":
        return inner, why
    if kind == "atomic":
        return (_greedy(*inner[1:]), "") if _repeats_one_way(node[1]) else (inner, why or "it has an atomic group or a possessive quantifier")
    if kind == "look":
        # Who takes too much denies too much.
        return (tree.EMPTY if why and not node[2] else ("look", inner, node[2])), why
    return ("rep", inner) + node[2:], why


def _repeats_one_way(node: tree.Node) -> bool:
    return node[0] == "rep" and _is_one_way(node[1])


def _is_one_way(node: tree.Node) -> bool:
    """Whether it is characters one after the other, and no choice."""
    if node[0] == "group":
        return _is_one_way(node[1])
    return node[0] == "set" or (node[0] == "cat" and bool(node[1]) and all(_is_one_way(part) for part in node[1]))


def _greedy(node: tree.Node, low: int, high: t.Optional[int]) -> tree.Node:
    """As many of the node as there are."""
    if high == low:
        return ("rep", node, low, high)
    fewer = ("cat", (("rep", node, low, high and high - 1), ("look", node, False)))
    return fewer if high is None else ("alt", (("rep", node, high, high), fewer))


def lengths(node: tree.Node) -> t.Tuple[int, t.Optional[int]]:
    """The shortest and the longest text that it takes; None for no limit."""
    kind = node[0]
    if kind == "set":
        return 1, 1
    if kind in ("assert", "look", "behind") or (kind in ("rep", "lazy") and node[1][0] in ("look", "behind")):
        return 0, 0
    if kind == "back":
        return 0, None
    if kind in ("group", "atomic"):
        return lengths(node[1])
    if kind in ("rep", "lazy"):
        low, high = lengths(node[1])
        return low * node[2], None if high is None or node[3] is None else high * node[3]
    parts = [lengths(part) for part in node[1]]
    longest = [high for low, high in parts if high is not None]
    unlimited = len(longest) < len(parts)
    if kind == "cat":
        return sum(low for low, high in parts), None if unlimited else sum(longest)
    return min(low for low, high in parts), None if unlimited else max(longest)


class Backtracker(Program):
    """Matches one expression."""

    def matches(self, text: bytes) -> bool:
        return any(self._run(self.first, text, start, {}) is not None for start in range(len(text) + 1))

    def _compiled_otherwise(self, node: tree.Node, goal: int) -> int:
        kind = node[0]
        if kind in ("rep", "lazy"):
            return self._repeated(node, goal)
        if kind == "group":
            end = self._emit("end", node[2], goal)
            return self._emit("begin", node[2], self._compiled(node[1], end))
        if kind == "back":
            return self._emit(kind, node[1], goal)
        branches = node[1][1] if kind == "behind" and node[1][0] == "alt" else (node[1],)
        ways = tuple((lengths(branch)[0] if kind == "behind" else 0, self._compiled(branch, self._emit("match"))) for branch in branches)
        return self._emit("apart", ways, kind == "atomic", kind == "atomic" or node[2], goal)

    def _repeated(self, node: tree.Node, goal: int) -> int:
        kind, inner, low, high = node
        if high is None:
            turn = self._emit("turn")
            again = self._emit("mark", turn, self._compiled(inner, turn))
            self.program[turn] = ("turn", self._preferring(kind, again, goal), goal)
            # As PCRE does it, a first turn that takes nothing is the last one too.
            goal, low = (again, low - 1) if low else (self._emit("go", self._preferring(kind, again, goal)), 0)
        else:
            end = goal
            for part in [inner] * (high - low):
                goal = self._emit("go", self._preferring(kind, self._compiled(part, goal), end))
        for part in [inner] * low:
            goal = self._compiled(part, goal)
        return goal

    @staticmethod
    def _preferring(kind: str, again: int, goal: int) -> t.Tuple[int, int]:
        return (goal, again) if kind == "lazy" else (again, goal)

    def _run(self, first: int, text: bytes, start: int, known: Saved) -> Found:
        """Where the first way of matching ends, and what it saved."""
        todo = [(first, start, known)]
        while todo:
            at_operation, at, saved = todo.pop()
            operation = self.program[at_operation]
            self.effort.spend(1)
            kind, goal = operation[0], operation[-1]
            if kind == "match":
                return at, saved
            if kind == "go":
                todo.extend((follows, at, saved) for follows in reversed(goal))
            elif kind == "turn" and saved[kind, at_operation] != at:
                todo.extend((follows, at, saved) for follows in reversed(operation[1]))
            elif kind == "apart":
                found = self._apart(operation, text, at, saved)
                if found is not None:
                    todo.append((goal,) + found)
            else:
                moved = self._moved(operation, text, at, saved)
                if moved is not None:
                    todo.append((goal, moved, self._saving(operation, at, saved)))
        return None

    def _apart(self, operation: t.Tuple[t.Any, ...], text: bytes, at: int, saved: Saved) -> Found:
        ways, moves, positive = operation[1:4]
        found = None
        for length, first in ways:
            if found is None and at >= length:
                found = self._run(first, text, at - length, saved)
        if found is None or not positive:
            return None if positive or found is not None else (at, saved)
        return found if moves else (at, found[1])

    @staticmethod
    def _moved(operation: t.Tuple[t.Any, ...], text: bytes, at: int, saved: Saved) -> t.Optional[int]:
        """Where the operation leaves off; None where it does not match."""
        kind, what = operation[:2]
        if kind == "set":
            return at + 1 if at < len(text) and tree.holds(what, text[at]) else None
        if kind == "assert":
            place = tuple(tree.place_kind(text[number]) if 0 <= number < len(text) else tree.EDGE for number in (at - 1, at))
            return at if place in what else None
        if kind == "back":
            name, caseless = what
            if name not in saved:
                return None
            begin, end = saved[name]
            pair = text[begin:end], text[at : at + end - begin]
            same = pair[0].lower() == pair[1].lower() if caseless else pair[0] == pair[1]
            return at + end - begin if same else None
        return at

    @staticmethod
    def _saving(operation: t.Tuple[t.Any, ...], at: int, saved: Saved) -> Saved:
        kind, what = operation[:2]
        if kind == "mark":
            return {**saved, ("turn", what): at}
        if kind == "begin":
            return {**saved, ("open", what): at}
        if kind == "end":
            return {**saved, **dict.fromkeys(what, (saved["open", what], at))}
        return saved
