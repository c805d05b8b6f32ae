# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A regular expression as an automaton that searches a text, one character at a time and never back.

Python's own expressions would not do: their dialect is another one, and they hang on what a hostile pattern makes them try.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree

LARGEST = 20000
# A thread: where it is in the program, and the look-aheads that it still has to keep: (positive, their threads).
Thread = t.Tuple[int, t.FrozenSet[t.Any]]
# What came before, and the threads.
State = t.Tuple[str, t.FrozenSet[Thread]]

MATCHED: State = ("matched", frozenset())
_FREE: t.FrozenSet[t.Any] = frozenset()


class TooCostly(Exception):
    """The expression takes more work than it is given here.

    Not the one of ``_route_language``: here one question, what some take and others leave, is answered over all of RE2 and
    PCRE, with look-arounds.
    """


class Effort:
    """What may still be spent, shared by all that work on one question."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise TooCostly()


class Program:
    """What a pattern is compiled to: operations, of which all but the last end with the place, or places, where it goes on."""

    def __init__(self, node: tree.Node, effort: Effort) -> None:
        self.effort = effort
        self.program: t.List[t.Tuple[t.Any, ...]] = []
        self.first = self._compiled(node, self._emit("match"))

    def _emit(self, *operation: t.Any) -> int:
        if len(self.program) >= LARGEST:
            raise TooCostly()
        self.program.append(operation)
        return len(self.program) - 1

    def _compiled(self, node: tree.Node, goal: int) -> int:
        """Where the program for the node begins, that goes on at the goal."""
        kind = node[0]
        if kind in ("set", "assert"):
            return self._emit(kind, node[1], goal)
        if kind == "cat":
            for part in reversed(node[1]):
                goal = self._compiled(part, goal)
            return goal
        if kind == "alt":
            return self._emit("go", tuple(self._compiled(part, goal) for part in node[1]))
        return self._compiled_otherwise(node, goal)

    def _compiled_otherwise(self, node: tree.Node, goal: int) -> int:
        """The same of what automata and backtracking do each in their way."""
        raise NotImplementedError


class Machine(Program):
    """Searches for one pattern. A state is what it knows after a text; MATCHED stays whatever follows."""

    def __init__(self, node: tree.Node, effort: Effort) -> None:
        super().__init__(node, effort)
        self._seen: t.Dict[t.Tuple[State, int], State] = {}
        self._ends: t.Dict[State, bool] = {}
        self._places = any(operation[0] == "assert" for operation in self.program)
        # Whether a match may begin further on.
        self._later = bool(self._reached({(self.first, _FREE)}))
        self.start: State = (tree.EDGE, frozenset({(self.first, _FREE)}))

    def _compiled_otherwise(self, node: tree.Node, goal: int) -> int:
        if node[0] == "rep":
            return self._repeated(node[1], node[2], node[3], goal)
        return self._emit("look", self._compiled(node[1], self._emit("match")), node[2], goal)

    def _repeated(self, node: tree.Node, low: int, high: t.Optional[int], goal: int) -> int:
        if high is None:
            loop = self._emit("go", ())
            self.program[loop] = ("go", (self._compiled(node, loop), goal))
            goal = loop
        else:
            for part in [node] * (high - low):
                goal = self._emit("go", (self._compiled(part, goal), goal))
        for part in [node] * low:
            goal = self._compiled(part, goal)
        return goal

    def _reached(self, threads: t.Iterable[Thread]) -> bool:
        """Whether anything but the beginning of the text is on the way."""
        todo, seen = [pc for pc, duties in threads], set()
        while todo:
            pc = todo.pop()
            if pc in seen:
                continue
            seen.add(pc)
            operation = self.program[pc]
            if operation[0] == "go":
                todo.extend(operation[1])
            elif operation[0] == "look":
                todo.append(operation[3])
            elif operation[0] != "assert" or operation[1] != tree.BEGIN[1]:
                return True
        return False

    def step(self, state: State, char: int) -> State:
        if state == MATCHED:
            return state
        known = self._seen.get((state, char))
        if known is None:
            known = self._seen[(state, char)] = self._step(state, char)
        return known

    def _step(self, state: State, char: int) -> State:
        kind = tree.place_kind(char)
        reached = self._closed(state[1], (state[0], kind))
        if self._arrived(reached):
            return MATCHED
        threads = self._advanced(reached, char)
        if self._later:
            threads.add((self.first, _FREE))
        return (kind if self._places else tree.OTHER, frozenset(threads))

    def ends(self, state: State) -> bool:
        """Whether a text that ends here has matched."""
        if state == MATCHED:
            return True
        if state not in self._ends:
            self._ends[state] = self._arrived(self._closed(state[1], (state[0], tree.EDGE)))
        return self._ends[state]

    @staticmethod
    def lost(state: State) -> bool:
        """Whether no text that goes on from here can match."""
        return state != MATCHED and not state[1]

    def matches(self, text: t.Iterable[int]) -> bool:
        state = self.start
        for char in text:
            state = self.step(state, char)
            if state == MATCHED or self.lost(state):
                break
        return self.ends(state)

    def _arrived(self, threads: t.Iterable[Thread]) -> bool:
        return any(self.program[pc][0] == "match" and not duties for pc, duties in threads)

    def _closed(self, threads: t.Iterable[Thread], place: t.Tuple[str, str]) -> t.Set[Thread]:
        """The threads that take a character next, or have arrived; those that cannot be are gone."""
        todo, seen, found = list(threads), set(), set()
        while todo:
            thread = todo.pop()
            if thread in seen:
                continue
            seen.add(thread)
            pc, duties = thread
            operation = self.program[pc]
            if operation[0] == "go":
                todo.extend((follows, duties) for follows in operation[1])
            elif operation[0] == "assert":
                if place in operation[1]:
                    todo.append((operation[2], duties))
            elif operation[0] == "look":
                todo.append((operation[3], duties | {(operation[2], frozenset({(operation[1], _FREE)}))}))
            else:
                kept = self._kept(duties, place)
                if kept is not None:
                    found.add((pc, kept))
        self.effort.spend(len(seen) + 1)
        return found

    def _kept(self, duties: t.FrozenSet[t.Any], place: t.Tuple[str, str]) -> t.Optional[t.FrozenSet[t.Any]]:
        """What is left of the look-aheads; None when one of them fails."""
        left = set()
        for positive, threads in duties:
            closed = self._closed(threads, place)
            if self._arrived(closed):
                if not positive:
                    return None
            elif not closed or place[1] == tree.EDGE:
                if positive:
                    return None
            else:
                left.add((positive, frozenset(closed)))
        return frozenset(left)

    def _advanced(self, threads: t.Iterable[Thread], char: int) -> t.Set[Thread]:
        found = set()
        for pc, duties in threads:
            operation = self.program[pc]
            if operation[0] == "set" and not tree.holds(operation[1], char):
                continue
            moved = {(positive, frozenset(self._advanced(inner, char))) for positive, inner in duties}
            if any(positive and not inner for positive, inner in moved):
                continue
            found.add((operation[2] if operation[0] == "set" else pc, frozenset(duty for duty in moved if duty[1])))
        return found
