# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regular expressions of PCRE2 as nginx compiles them: on bytes, with PCRE's own words for a refusal.

What no finite automaton can do (back references), look-behind, and most of what keeps PCRE from backtracking is only understood for one
text. Recursion, verbs, Unicode, and what differs between releases of PCRE2, is told as unknown.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_pcre_class as escapes
from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_backtrack import lengths, regular

LONGEST = 3000
MOST_REPEATS = 65535
_ASSERTIONS = {
    "A": tree.BEGIN,
    "G": tree.BEGIN,
    "z": tree.END,
    "Z": tree.BEFORE_LAST_NEWLINE,
    "b": tree.WORD_EDGE,
    "B": tree.NO_WORD_EDGE,
}
_REPEAT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
# A repetition to some releases of PCRE2, and literal text to others.
_NEW_REPEAT = re.compile(r"\{ *(?:[0-9]+ *,? *[0-9]*|, *[0-9]+) *\}")
_OPTIONS = re.compile(r"\?(\^?)([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_PARTED = re.compile(r"(?:\\Q?\\?E|\(\?#[^)]*\))+[+?]")
_NAME = "[A-Za-z_][0-9A-Za-z_]{0,31}"
_BACK = re.compile(r"k<({0})>|k'({0})'|[gk]\{{({0})\}}|g([+-]?[0-9]+)|g\{{([+-]?[0-9]+)\}}|([1-9][0-9]*)".format(_NAME))
_NAMED = re.compile(r"\?(?:P?<({0})>|'({0})')".format(_NAME))
_PYTHONS_BACK = re.compile(r"\?P=({0})\)".format(_NAME))
_CANNOT = "quantifier does not follow a repeatable item"


class Pattern(t.NamedTuple):
    """As in ``_regex_tree``; where it is not known exactly, perhaps with what a Backtracker makes of it."""

    node: tree.Node
    unknown: str = ""
    exact: t.Optional[tree.Node] = None


class _Unknowable(Exception):
    """Nothing can be said about the whole expression."""


def parse_pcre(text: str, caseless: bool) -> Pattern:
    """The expression as nginx understands it, for texts of bytes; raises BadRegex where PCRE2 refuses it."""
    raw = text.encode("utf-8", "surrogateescape").decode("latin-1")
    if len(raw) > LONGEST:
        return Pattern(tree.anything(tree.BYTE), "it has more than {0} bytes".format(LONGEST))
    reader = _Reader(raw, caseless)
    try:
        return reader.pattern()
    except _Unknowable as error:
        return Pattern(tree.anything(tree.BYTE), str(error))


class _Reader:
    def __init__(self, text: str, caseless: bool) -> None:
        self.text = text
        self.at = 0
        self.groups = tree.Groups(frozenset("i" if caseless else ""))
        self.names: t.Set[str] = set()
        self.captures = 0
        self.referred: t.Set[t.Union[int, str]] = set()
        self.renumbers = False

    def pattern(self) -> Pattern:
        repeatable = False
        while self.at < len(self.text):
            repeatable = self._token(repeatable)
            if self.groups.too_deep():
                raise _Unknowable("its groups are nested too deeply")
        if self.groups.still_open():
            raise tree.BadRegex("missing closing parenthesis")
        if any(name not in self.names if isinstance(name, str) else not 0 < name <= self.captures for name in self.referred):
            raise tree.BadRegex("reference to non-existent subpattern")
        if self.referred and self.renumbers:
            raise _Unknowable("it refers back to groups that share a number or a name")
        exact = self.groups.finish()
        node, unknown = regular(exact)
        return Pattern(node, unknown, exact if unknown else None)

    def _token(self, repeatable: bool) -> bool:
        """Reads one; whether a quantifier may follow."""
        char = self.text[self.at]
        self.at += 1
        counted = _REPEAT.match(self.text, self.at - 1) if char == "{" else None
        if char in "*+?" or counted:
            self._repetition({"*": (0, None), "+": (1, None), "?": (0, 1)}[char] if not counted else self._counts(counted), repeatable)
            return False
        if char == "{" and _NEW_REPEAT.match(self.text, self.at - 1):
            raise _Unknowable("releases of PCRE2 differ in what its braces mean")
        if char == "(":
            return self._group(repeatable)
        if char == "|":
            self.groups.next_branch()
            return False
        if char == ")":
            if not self.groups.close():
                raise tree.BadRegex("unmatched closing parenthesis")
            return True
        if char == "\\":
            return self._escape(repeatable)
        if char in "^$":
            lines = "m" in self.groups.flags
            self._add((tree.INNER_LINE_BEGIN if lines else tree.BEGIN) if char == "^" else (tree.LINE_END if lines else tree.BEFORE_LAST_NEWLINE))
            return False
        if char == ".":
            self._add(("set", ((0, tree.BYTE),) if "s" in self.groups.flags else escapes.NOT_NEWLINE))
        elif char == "[":
            self._class()
        else:
            self._literal(ord(char))
        return True

    def _add(self, node: tree.Node) -> None:
        self.groups.items.append(node)

    def _literal(self, number: int) -> None:
        self._add(("set", self._cased(((number, number),))))

    def _cased(self, ranges: tree.Ranges) -> tree.Ranges:
        return tree.folded(ranges) if "i" in self.groups.flags else ranges

    def _counts(self, counted: t.Match[str]) -> t.Tuple[int, t.Optional[int]]:
        self.at = counted.end()
        low = int(counted.group(1))
        high = low if not counted.group(2) else int(counted.group(3)) if counted.group(3) else None
        if max(low, high or 0) > MOST_REPEATS:
            raise tree.BadRegex("number too big in {} quantifier")
        if high is not None and low > high:
            raise tree.BadRegex("numbers out of order in {} quantifier")
        return low, high

    def _repetition(self, counts: t.Tuple[int, t.Optional[int]], repeatable: bool) -> None:
        if not repeatable:
            raise tree.BadRegex(_CANNOT)
        if _PARTED.match(self.text, self.at):
            raise _Unknowable("a quantifier is parted by a comment")
        follows = self.text[self.at : self.at + 1]
        self.at += follows in ("?", "+")
        self.groups.repeat(*counts)
        repeated = self.groups.items[-1]
        if follows == "+":
            self.groups.items[-1] = ("atomic", repeated)
        elif (follows == "?") != ("U" in self.groups.flags):
            self.groups.items[-1] = ("lazy",) + repeated[1:]

    def _group(self, repeatable: bool) -> bool:
        rest = self.text[self.at : self.at + 4]
        if rest.startswith("*") and re.match(r"\*[A-Za-z:]", rest):
            raise _Unknowable("it begins with or has a verb, (*...)")
        back = _PYTHONS_BACK.match(self.text, self.at)
        if back:
            self.at = back.end()
            return self._refer(back.group(1))
        named = _NAMED.match(self.text, self.at)
        if named or not rest.startswith("?"):
            self.captures += 1
            self._open(self.captures, *(self._named(named) if named else ()))
            return False
        for start, wrap in (
            ("?:", lambda node: ("group", node, ())),
            ("?|", lambda node: ("group", node, ())),
            ("?>", lambda node: ("atomic", node)),
            ("?=", lambda node: ("look", node, True)),
            ("?!", lambda node: ("look", node, False)),
            ("?<=", lambda node: self._behind(node, True)),
            ("?<!", lambda node: self._behind(node, False)),
        ):
            if rest.startswith(start):
                self.at += len(start)
                self.renumbers |= start == "?|"
                self.groups.open(wrap)
                return False
        if rest.startswith("?#"):
            end = self.text.find(")", self.at)
            if end < 0:
                raise tree.BadRegex("missing ) after (?# comment")
            self.at = end + 1
            return repeatable
        return self._options()

    def _refer(self, word: str, octal: bool = False) -> bool:
        """Adds a back reference, unless it is an octal number."""
        name: t.Union[int, str] = word
        if not re.match("[A-Za-z_]", word):
            name = int(word) + {"-": self.captures + 1, "+": self.captures}.get(word[0], 0)
            if octal and name > max(self.captures, 9) and word[0] not in "89":
                return False
        self.referred.add(name)
        self._add(("back", (name, "i" in self.groups.flags)))
        return True

    def _open(self, *names: t.Union[int, str]) -> None:
        self.groups.open(lambda node: ("group", node, names))

    def _named(self, named: t.Match[str]) -> t.Tuple[str]:
        name = named.group(1) or named.group(2)
        if name in self.names and "J" not in self.groups.flags:
            if self.renumbers:
                raise _Unknowable("it has groups that share a number or a name")
            raise tree.BadRegex("two named subpatterns have the same name (PCRE2_DUPNAMES not set)")
        self.renumbers |= name in self.names
        self.names.add(name)
        self.at = named.end()
        return (name,)

    def _behind(self, node: tree.Node, positive: bool) -> tree.Node:
        for low, high in map(lengths, node[1] if node[0] == "alt" else (node,)):
            if high is None and not self.referred:
                raise tree.BadRegex("lookbehind assertion is not fixed length")
            if high != low:
                raise _Unknowable("releases of PCRE2 differ in whether they look behind for texts of several lengths")
        return ("behind", node, positive)

    def _options(self) -> bool:
        options = _OPTIONS.match(self.text, self.at)
        if not options:
            if len(self.text) == self.at + 1 or re.fullmatch(r"\?[a-zA-Z^-]*", self.text[self.at :]):
                raise tree.BadRegex("missing closing parenthesis")
            if re.match(r"\?(P?<|')(?![A-Za-z_][0-9A-Za-z_]{32,}[>'])", self.text[self.at :]):
                raise tree.BadRegex("syntax error in subpattern name, which has letters, digits and _ and begins with no digit")
            if re.match(r"\?[PR0-9+&(C<'-]", self.text[self.at :]):
                raise _Unknowable("it refers to other parts of itself, or has a condition")
            raise tree.BadRegex("unrecognized character after (? or (?-")
        reset, adding, removing, end = options.groups()
        if set(adding + (removing or "")) - set("imsUJ") or (reset and removing is not None):
            raise _Unknowable("it sets options other than i, m, s, U and J")
        flags = (set() if reset else set(self.groups.flags)) | set(adding)
        self.at = options.end()
        if end == ":":
            self._open()
        self.groups.flags = frozenset(flags - set(removing or ""))
        return False

    def _class(self) -> None:
        found, self.at = escapes.read_class(self.text, self.at, "i" in self.groups.flags)
        if found is None:
            raise _Unknowable("a class of it is beyond what is understood here")
        self._add(("set", found))

    def _escape(self, repeatable: bool) -> bool:
        char = self.text[self.at : self.at + 1]
        if char == "Q":
            quoted, end, rest = self.text[self.at + 1 :].partition("\\E")
            for letter in quoted:
                self._literal(ord(letter))
            self.at = len(self.text) - len(rest)
            return repeatable or bool(quoted)
        if char == "E":
            self.at += 1
            return repeatable
        if char in _ASSERTIONS and char:
            self._add(_ASSERTIONS[char])
            self.at += 1
            return False
        back = _BACK.match(self.text, self.at)
        if back and self._refer(back.group(back.lastindex), octal=back.lastindex == 6):
            self.at = back.end()
            return True
        if char in ("g", "k", "K", "R", "X", "p", "P"):
            raise _Unknowable("it has \\{0}".format(char))
        found, self.at = escapes.read_escape(self.text, self.at)
        self._add(("set", self._cased(found)))
        return True
