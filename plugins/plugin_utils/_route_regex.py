# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regexes that mean the same in nginx (PCRE) and in cloudflared (RE2), as trees.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A pattern is matched against a whole decoded path. Control characters never get that far, so the characters are
printable ASCII and "other", which is all outside ASCII: bytes to nginx, characters to cloudflared.
"""

from __future__ import annotations

import re
import string
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

ASCII = "".join(chr(code) for code in range(0x20, 0x7F))
MOST = 1000
_DEEP = 30
_ALL = frozenset(ASCII)
_SHORT = {"d": frozenset(string.digits), "w": frozenset(string.ascii_letters + string.digits + "_"), "s": frozenset(" ")}
_PLAIN = frozenset(string.ascii_letters + string.digits + "/_-~!@%&=:,")
_IN_CLASS = frozenset(string.ascii_letters + string.digits + "/_~!@%,*+?()")
_ESCAPES = {
    "b": "\\b looks at neighbours, which differs; write the characters that may stand there",
    "B": "\\B looks at neighbours, which differs; write the characters that may stand there",
    "A": "the whole path is matched anyway; leave out \\A",
    "Z": "the whole path is matched anyway; leave out \\Z",
    "z": "the whole path is matched anyway; leave out \\z but at the end",
    "p": "\\p is not known to nginx without UTF-8; write the ASCII characters, such as [a-z], or [^/]+",
    "x": "after \\x write two digits of a printable ASCII character, as in \\x20",
}


class Node(t.NamedTuple):
    """A part of a pattern: ``set`` (of characters), ``cat``, ``alt`` (of parts), or ``repeat`` (of one part)."""

    kind: str
    chars: t.FrozenSet[str] = frozenset()
    other: bool = False
    parts: t.Tuple[t.Any, ...] = ()
    least: int = 0
    most: t.Optional[int] = None


def literal(text: str) -> Node:
    """Exactly that text."""
    return Node("cat", parts=tuple(Node("set", frozenset(char)) for char in text))


ANYTHING = Node("repeat", parts=(Node("set", _ALL, True),))


def parse_regex(text: str) -> Node:
    """That pattern; raises StackError with what to write instead of what the two programs do not share."""
    return _Parser(text).whole()


def regex_text(node: Node) -> str:
    """The pattern in one spelling for nginx, cloudflared and Python: no captures, no quotes, blanks, braces or $ but as \\xHH."""
    if node.kind == "set":
        return _set_text(node)
    if node.kind == "cat":
        return "".join(_grouped(part, part.kind == "alt") for part in node.parts)
    if node.kind == "alt":
        return "|".join(regex_text(part) for part in node.parts)
    inner = node.parts[0]
    return _grouped(inner, inner.kind != "set" and not (inner.kind == "cat" and len(inner.parts) == 1 and inner.parts[0].kind == "set")) + _times_text(node)


def regex_size(node: Node) -> int:
    """How many characters it has when all repetitions are written out."""
    if node.kind == "set":
        return 1
    size = sum(regex_size(part) for part in node.parts)
    return size * (max(node.least, 1) if node.most is None else node.most) if node.kind == "repeat" else size


def _grouped(node: Node, needed: bool) -> str:
    return "(?:{0})".format(regex_text(node)) if needed else regex_text(node)


def _times_text(node: Node) -> str:
    known = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if (node.least, node.most) in known:
        return known[node.least, node.most]
    if node.most is None:
        return "{{{0},}}".format(node.least)
    return "{{{0}}}".format(node.least) if node.least == node.most else "{{{0},{1}}}".format(node.least, node.most)


def _set_text(node: Node) -> str:
    if node.chars == _ALL and node.other:
        return "."
    if len(node.chars) == 1 and not node.other:
        return _escaped(next(iter(node.chars)), _PLAIN)
    return "[{0}{1}]".format("^" if node.other else "", _ranges(_ALL - node.chars if node.other else node.chars))


def _ranges(chars: t.FrozenSet[str]) -> str:
    found, codes = [], sorted(ord(char) for char in chars)
    while codes:
        end = 0
        while end + 1 < len(codes) and codes[end + 1] == codes[end] + 1:
            end += 1
        first, last = _escaped(chr(codes[0]), _IN_CLASS), _escaped(chr(codes[end]), _IN_CLASS)
        found.append(first if end == 0 else first + last if end == 1 else first + "-" + last)
        codes = codes[end + 1 :]
    return "".join(found)


def _escaped(char: str, plain: t.FrozenSet[str]) -> str:
    if char in plain or char not in _ALL:
        return char
    # These mean something in nginx's own files, or to people who read quotes.
    return "\\x{0:02x}".format(ord(char)) if char in " \"#$';\\{}`<>" else "\\" + char


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Node:
        text = self._text
        if len(text) > MOST:
            raise StackError("it is longer than {0} characters; use several routes".format(MOST))
        for char in text:
            if char not in _ALL:
                raise StackError("{0!r} is not printable ASCII, which nginx reads as bytes; write [^/]+, or use exact or prefix".format(char))
        start = text.startswith("^")
        end = 2 if text.endswith("\\z") and _unescaped(text, len(text) - 2) else 1 if text.endswith("$") and _unescaped(text, len(text) - 1) else 0
        self._text = text[int(start) : len(text) - end]
        if not self._text:
            raise StackError("it is empty; write a pattern of whole paths such as /files/[0-9]+, or leave it out for all paths")
        node = self._alternatives(0)
        if self._at < len(self._text):
            raise StackError("a ) has no ( before it; write \\) for the character")
        if node.kind == "alt" and (start or end):
            raise StackError("^ and $ hold for one side of | only; leave them out, all alternatives are matched against the whole path")
        return node

    def _alternatives(self, depth: int) -> Node:
        if depth > _DEEP:
            raise StackError("groups are nested deeper than {0}; use several routes".format(_DEEP))
        found = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            found.append(self._sequence(depth))
        return found[0] if len(found) == 1 else Node("alt", parts=tuple(found))

    def _sequence(self, depth: int) -> Node:
        found: t.List[Node] = []
        while self._peek() not in ("", "|", ")"):
            found.append(self._repeated(self._atom(depth)))
        if not found:
            raise StackError("an alternative or a group is empty; write (...)? for what may be missing")
        return Node("cat", parts=tuple(found))

    def _atom(self, depth: int) -> Node:
        char = self._next()
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._class()
        if char == ".":
            return Node("set", _ALL, True)
        if char == "\\":
            return self._escape()
        if char in "*+?{":
            raise StackError("{0} repeats nothing; put it after what is repeated, or write \\{0} for the character".format(char))
        if char in "^$":
            raise StackError("{0} stands within the pattern; the whole path is matched anyway, leave it out, or write \\{0} for the character".format(char))
        if char in "]}":
            raise StackError("{0} has no opening one; write \\{0} for the character".format(char))
        return Node("set", frozenset(char))

    def _group(self, depth: int) -> Node:
        if self._peek() == "?":
            rest = self._text[self._at :]
            if not rest.startswith("?:"):
                raise StackError(_question(rest))
            self._at += 2
        found = self._alternatives(depth + 1)
        if self._next() != ")":
            raise StackError("a ( is not closed; add ), or write \\( for the character")
        return found

    def _repeated(self, atom: Node) -> Node:
        char = self._peek()
        if char not in ("*", "+", "?", "{"):
            return atom
        self._at += 1
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(char) or self._counts()
        after = self._peek()
        if after and after in "*+?{":
            raise StackError("{0} after a repetition differs between the programs; leave it out, or put the repeated part in ( )".format(after))
        return Node("repeat", parts=(atom,), least=least, most=most)

    def _counts(self) -> t.Tuple[int, t.Optional[int]]:
        text, closed, rest = self._text[self._at :].partition("}")
        least, comma, most = text.partition(",")
        if not closed or not least.isdigit() or not (most.isdigit() or not most) or len(text) > 9:
            raise StackError("{{{0} is no repetition; write {{n}}, {{n,}} or {{n,m}}, or \\{{ for the character".format(text[:10] + closed))
        self._at = len(self._text) - len(rest)
        found = int(least), (int(most) if most else None) if comma else int(least)
        if max(found[0], found[1] or 0) > MOST or found[1] == 0 or (found[1] is not None and found[1] < found[0]):
            raise StackError("{{{0}}} is no repetition; use numbers from 0 to {1}, the larger one second and not 0".format(text, MOST))
        return found

    def _escape(self) -> Node:
        char = self._next()
        if not char:
            raise StackError("it ends with \\; write \\\\ for the character")
        if char.lower() in _SHORT:
            chars = _SHORT[char.lower()]
            return Node("set", chars) if char.islower() else Node("set", _ALL - chars, True)
        code = self._text[self._at : self._at + 2]
        if char == "x" and re.fullmatch("[2-7][0-9A-Fa-f]", code) and code.lower() != "7f":
            self._at += 2
            return Node("set", frozenset(chr(int(code, 16))))
        if char.isalnum():
            other = "\\{0} is not part of what both programs share; write the characters themselves".format(char)
            if char.isdigit():
                other = "\\{0} refers to a group, which cloudflared cannot; write the alternatives out".format(char)
            raise StackError(_ESCAPES.get(char, _ESCAPES["p"] if char == "P" else other))
        return Node("set", frozenset(char))

    def _class(self) -> Node:
        negated = self._peek() == "^"
        self._at += int(negated)
        chars: t.Set[str] = set()
        other = False
        empty = True
        while self._peek() != "]" or empty:
            if self._peek() in ("", "]"):
                raise StackError("a [ is not closed or empty; add ], or write \\[ and \\] for the characters")
            one = self._class_item()
            empty = False
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                last = self._class_item()
                if len(one.chars) != 1 or len(last.chars) != 1 or max(one.chars) > max(last.chars):
                    raise StackError("a range in [ ] has no proper ends; write it as a-z, the smaller first, or \\- for the character")
                one = Node("set", frozenset(chr(code) for code in range(ord(max(one.chars)), ord(max(last.chars)) + 1)))
            chars |= one.chars
            other = other or one.other
        self._at += 1
        found = Node("set", frozenset(_ALL - chars if negated else chars), other != negated)
        if not found.chars:
            raise StackError("a [ ] holds no character at all; leave it out")
        return found

    def _class_item(self) -> Node:
        char = self._next()
        if char == "[":
            raise StackError("[ within [ ] differs between the programs; write \\[ for the character, a-z in the place of [:lower:]")
        return self._escape() if char == "\\" else Node("set", frozenset(char))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]


def _unescaped(text: str, end: int) -> bool:
    before = text[:end]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


def _question(rest: str) -> str:
    if rest.startswith(("?=", "?!", "?<=", "?<!")):
        return "it looks ahead or behind, which cloudflared cannot; put a route for the exception above this one"
    if rest.startswith(("?P<", "?<", "?'")):
        return "groups need no names here; write (?: or ("
    if rest.startswith(("?>", "?|", "?(", "?#", "?R", "?&")):
        return "(?{0} is known to nginx only; write (?:".format(rest[1:2])
    return "flags are not the same in both programs; write (?: and spell both cases as in [aA]"
