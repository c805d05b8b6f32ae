# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the regular expressions of all dialects are made of, once they are read.

A node is a tuple: C((set, ranges)) one character of these, C((cat, nodes)), C((alt, nodes)), C((rep, node, low, high)) with high None for
no limit, C((assert, places)) nothing but in such a place, C((look, node, positive)) nothing, but the node matches here (or does not).
Whether a quantifier is lazy and whether a group captures is not kept: neither changes which texts are matched.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import bisect
import typing as t

Ranges = t.Tuple[t.Tuple[int, int], ...]
Node = t.Tuple[t.Any, ...]

UNICODE = 0x10FFFF
BYTE = 0xFF

# What stands before or after a place in the text.
EDGE, NEWLINE, WORD, OTHER = "edge", "newline", "word", "other"
_PLACES = frozenset((before, after) for before in (EDGE, NEWLINE, WORD, OTHER) for after in (EDGE, NEWLINE, WORD, OTHER))


class BadRegex(Exception):
    """The program refuses the expression; the text is what it says."""


class Pattern(t.NamedTuple):
    """A regular expression. With `unknown` set it takes no more than `node` does, and that text says why it is not known what exactly."""

    node: Node
    top: int
    unknown: str = ""


def span(*pairs: t.Union[str, t.Tuple[int, int]]) -> Ranges:
    """Ranges from numbers, or from texts such as "az" (a to z) and "_" (itself)."""
    return union(tuple((ord(pair[0]), ord(pair[-1])) if isinstance(pair, str) else pair for pair in pairs))


def union(*several: Ranges) -> Ranges:
    found: t.List[t.Tuple[int, int]] = []
    for low, high in sorted(pair for ranges in several for pair in ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def negated(ranges: Ranges, top: int) -> Ranges:
    found, next_one = [], 0
    for low, high in ranges:
        if low > next_one:
            found.append((next_one, low - 1))
        next_one = high + 1
    if next_one <= top:
        found.append((next_one, top))
    return tuple(found)


def holds(ranges: Ranges, number: int) -> bool:
    place = bisect.bisect_right(ranges, (number, UNICODE))
    return place > 0 and number <= ranges[place - 1][1]


def folded(ranges: Ranges) -> Ranges:
    """With the other case of each ASCII letter."""
    more = []
    for low, high in ranges:
        for first, last, shift in ((65, 90, 32), (97, 122, -32)):
            if max(low, first) <= min(high, last):
                more.append((max(low, first) + shift, min(high, last) + shift))
    return union(ranges, tuple(more))


DIGITS = span("09")
WORDS = span("09", "AZ", "az", "_")
POSIX = {
    "alnum": span("09", "AZ", "az"),
    "alpha": span("AZ", "az"),
    "ascii": span((0, 127)),
    "blank": span(" ", "\t"),
    "cntrl": span((0, 31), (127, 127)),
    "digit": DIGITS,
    "graph": span("!~"),
    "lower": span("az"),
    "print": span(" ~"),
    "punct": span("!/", ":@", "[`", "{~"),
    "space": span("\t\r", " "),
    "upper": span("AZ"),
    "word": WORDS,
    "xdigit": span("09", "AF", "af"),
}

EMPTY: Node = ("cat", ())
BEGIN: Node = ("assert", frozenset(place for place in _PLACES if place[0] == EDGE))
END: Node = ("assert", frozenset(place for place in _PLACES if place[1] == EDGE))
LINE_BEGIN: Node = ("assert", frozenset(place for place in _PLACES if place[0] in (EDGE, NEWLINE)))
# PCRE: not behind a newline that is the last character.
INNER_LINE_BEGIN: Node = ("assert", frozenset(place for place in _PLACES if place[0] == EDGE or (place[0] == NEWLINE and place[1] != EDGE)))
LINE_END: Node = ("assert", frozenset(place for place in _PLACES if place[1] in (EDGE, NEWLINE)))
WORD_EDGE: Node = ("assert", frozenset(place for place in _PLACES if (place[0] == WORD) != (place[1] == WORD)))
NO_WORD_EDGE: Node = ("assert", frozenset(place for place in _PLACES if (place[0] == WORD) == (place[1] == WORD)))
# PCRE's dollar: at the end, or before a newline that is the end.
BEFORE_LAST_NEWLINE: Node = ("look", ("cat", (("rep", ("set", span("\n")), 0, 1), END)), True)


def one(number: int) -> Node:
    return ("set", ((number, number),))


def text_node(numbers: t.Iterable[int]) -> Node:
    """Just these characters, one after the other."""
    return ("cat", tuple(one(number) for number in numbers))


def anything(top: int) -> Node:
    return ("rep", ("set", ((0, top),)), 0, None)


def place_kind(number: int) -> str:
    if number == 10:
        return NEWLINE
    return WORD if holds(WORDS, number) else OTHER


def sequence(node: Node) -> t.Tuple[Node, ...]:
    """The nodes that follow one another in it."""
    if node[0] != "cat":
        return (node,)
    return tuple(part for inner in node[1] for part in sequence(inner))


class Groups:
    """The groups and alternatives of an expression while it is read: what every dialect does alike."""

    DEPTH = 60

    def __init__(self, flags: t.FrozenSet[str]) -> None:
        self.flags = flags
        self._open: t.List[t.Tuple[t.FrozenSet[str], t.Callable[[Node], Node], t.List[Node], t.List[Node]]] = []
        self._branches: t.List[Node] = []
        self.items: t.List[Node] = []
        self._stacked = 0

    def open(self, wrap: t.Callable[[Node], Node] = lambda node: node) -> None:
        self._open.append((self.flags, wrap, self._branches, self.items))
        self._branches, self.items = [], []

    def next_branch(self) -> None:
        self._branches.append(_joined(self.items))
        self.items = []

    def _closed(self) -> Node:
        self.next_branch()
        return self._branches[0] if len(self._branches) == 1 else ("alt", tuple(self._branches))

    def close(self) -> bool:
        """False where no group is open."""
        if not self._open:
            return False
        node = self._closed()
        self.flags, wrap, self._branches, self.items = self._open.pop()
        self.items.append(wrap(node))
        return True

    def repeat(self, low: int, high: t.Optional[int]) -> None:
        if self.items[-1][0] == "rep":
            self._stacked += 1
        self.items[-1] = ("rep", self.items[-1], low, high)

    def too_deep(self) -> bool:
        return len(self._open) + self._stacked > self.DEPTH

    def still_open(self) -> bool:
        return bool(self._open)

    def finish(self) -> Node:
        return self._closed()


def _joined(items: t.Sequence[Node]) -> Node:
    return items[0] if len(items) == 1 else ("cat", tuple(items))
