# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regular expressions of Go (RE2), as cloudflared reads them: one branch for each of the language, with Go's own words for a refusal.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_unicode import known_name, ranges_of

LONGEST = 3000
MOST_REPEATS = 1000
_ALL = tree.UNICODE
_NOT_NEWLINE = tree.negated(tree.span("\n"), _ALL)
_PERL = {"d": tree.DIGITS, "s": tree.span("\t\n", "\f\r", " "), "w": tree.WORDS}
_LETTERS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_ASSERTIONS = {"A": tree.BEGIN, "z": tree.END, "b": tree.WORD_EDGE, "B": tree.NO_WORD_EDGE}
_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_NAMED = re.compile(r"\(\?P?<([^>]*)(>?)", re.S)


def parse_go(text: str) -> tree.Pattern:
    """The expression as Go understands it; raises BadRegex where Go refuses it."""
    if len(text) > LONGEST:
        return tree.Pattern(tree.anything(_ALL), _ALL, "it has more than {0} characters".format(LONGEST))
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise tree.BadRegex("invalid UTF-8")
    return _Reader(text).pattern()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = tree.Groups(frozenset())
        self.unknown = ""

    def pattern(self) -> tree.Pattern:
        repeat_before = ""
        while self.at < len(self.text):
            repeat_before = self._token(repeat_before)
            if self.groups.too_deep():
                return tree.Pattern(tree.anything(_ALL), _ALL, "its groups are nested too deeply")
        if self.groups.still_open():
            raise _bad("missing closing )", self.text)
        return tree.Pattern(self.groups.finish(), _ALL, self.unknown)

    def _token(self, repeat_before: str) -> str:
        """Reads one; the text of the repetition when it was one."""
        char = self.text[self.at]
        if char in "*+?":
            return self._repetition(self.at + 1, *{"*": (0, None), "+": (1, None), "?": (0, 1)}[char], repeat_before)
        counted = _REPEAT.match(self.text, self.at) if char == "{" else None
        if counted:
            low = int(counted.group(1))
            high = low if not counted.group(2) else int(counted.group(3)) if counted.group(3) else None
            if max(low, high or 0) > MOST_REPEATS or (high is not None and low > high):
                raise _bad("invalid repeat count", counted.group())
            return self._repetition(counted.end(), low, high, repeat_before)
        self.at += 1
        if char == "(":
            self._group()
        elif char == "|":
            self.groups.next_branch()
        elif char == ")":
            if not self.groups.close():
                raise _bad("unexpected )", self.text)
        elif char == "[":
            self._add(("set", self._class()))
        elif char == "\\":
            self._escape()
        elif char in "^$.":
            flags = self.groups.flags
            plain = {"^": tree.BEGIN, "$": tree.END, ".": ("set", _NOT_NEWLINE)}
            flagged = {"^": tree.LINE_BEGIN, "$": tree.LINE_END, ".": ("set", ((0, _ALL),))}
            self._add((flagged if ("s" if char == "." else "m") in flags else plain)[char])
        else:
            self._literal(ord(char))
        return ""

    def _add(self, node: tree.Node) -> None:
        self.groups.items.append(node)

    def _literal(self, number: int) -> None:
        self._add(("set", self._cased(((number, number),))))

    def _cased(self, ranges: tree.Ranges) -> tree.Ranges:
        if "i" not in self.groups.flags or not ranges:
            return ranges
        if ranges[-1][1] > 127:
            cased = ranges_of("(?i)[{0}]".format("".join("\\x{{{0:x}}}-\\x{{{1:x}}}".format(*pair) for pair in ranges)))
            return self._unless_unknown(cased, "it ignores the case of letters beyond ASCII")
        cased = tree.folded(ranges)
        # The Kelvin sign and the long s are the same letters to Go.
        return tree.union(cased, *(((beyond, beyond),) for letter, beyond in (("k", 0x212A), ("s", 0x17F)) if tree.holds(cased, ord(letter))))

    def _unless_unknown(self, ranges: t.Optional[tree.Ranges], why: str) -> tree.Ranges:
        if ranges is None:
            self.unknown = why
        return ((0, _ALL),) if ranges is None else ranges

    def _repetition(self, end: int, low: int, high: t.Optional[int], repeat_before: str) -> str:
        begin, end = self.at, end + (self.text[end : end + 1] == "?")
        if repeat_before:
            raise _bad("invalid nested repetition operator", repeat_before + self.text[begin:end])
        if not self.groups.items:
            raise _bad("missing argument to repetition operator", self.text[begin:end])
        self.groups.repeat(low, high)
        counted = self.text[begin] == "{"
        if counted and max(low, high or 0) >= 2 and not _repeats_fit(self.groups.items[-1], MOST_REPEATS):
            raise _bad("invalid repeat count", self.text[begin:end])
        self.at = end
        return self.text[begin:end]

    def _group(self) -> None:
        begin = self.at - 1
        if not self.text.startswith("?", self.at):
            self.groups.open()
            return
        named = _NAMED.match(self.text, begin)
        # Go looks for the name only where something follows the bracket.
        if named and len(self.text) > named.start(1):
            if not named.group(2):
                raise _bad("invalid named capture", self.text[begin:])
            if not re.fullmatch("[0-9A-Za-z_]+", named.group(1)):
                raise _bad("invalid named capture", named.group())
            self.groups.open()
            self.at = named.end()
            return
        flags, removing, seen = set(self.groups.flags), False, False
        for at in range(begin + 2, len(self.text)):
            char, self.at = self.text[at], at
            if char in "imsU":
                (flags.discard if removing else flags.add)(char)
                seen = True
            elif char == "-" and not removing:
                removing, seen = True, False
            elif char in ":)" and not (removing and not seen):
                if char == ":":
                    self.groups.open()
                self.groups.flags = frozenset(flags)
                self.at += 1
                return
            else:
                break
        raise _bad("invalid or unsupported Perl syntax", self.text[begin : self.at + 1])

    def _escape(self) -> None:
        """What follows a backslash outside of a class."""
        char = self.text[self.at : self.at + 1]
        if char in _ASSERTIONS:
            self._add(_ASSERTIONS[char])
            self.at += 1
        elif char == "Q":
            quoted, end, rest = self.text[self.at + 1 :].partition("\\E")
            for letter in quoted:
                self._literal(ord(letter))
            self.at = len(self.text) - len(rest)
        elif char == "C":
            raise _bad("invalid escape sequence", "\\C")
        else:
            group = self._group_escape()
            if group is not None:
                self._add(("set", group))
            else:
                self._literal(self._character_escape())

    def _group_escape(self) -> t.Optional[tree.Ranges]:
        """A class such as a digit, with the reader behind it; None for others."""
        char = self.text[self.at : self.at + 1]
        if char in ("p", "P"):
            name = re.compile(r"\{[^}]*\}|[^{]", re.S).match(self.text, self.at + 1)
            if not name:
                raise _bad("invalid character class range", self.text[self.at - 1 :])
            self.at = name.end()
            bare = name.group().strip("{}")
            known = known_name(bare.lstrip("^")) if bare.count("^") < 2 else ""
            if not known:
                raise _bad("invalid character class range", "\\{0}{1}".format(char, name.group()))
            ranges = ranges_of("{0}\\p{{{1}}}".format("(?i)" if "i" in self.groups.flags else "", known))
            if ranges is not None and (char == "P") != bare.startswith("^"):
                ranges = tree.negated(ranges, _ALL)
            return self._unless_unknown(ranges, "it names a class of Unicode, \\{0}{1}".format(char, name.group()))
        if char and char.lower() in _PERL:
            self.at += 1
            ranges = self._cased(_PERL[char.lower()])
            return ranges if char in _PERL else tree.negated(ranges, _ALL)
        return None

    def _character_escape(self) -> int:
        """The character of an escape, with the reader behind it."""
        begin, char = self.at - 1, self.text[self.at : self.at + 1]
        self.at += 1
        if not char:
            raise tree.BadRegex("error parsing regexp: trailing backslash at end of expression: ``")
        if not (char.isascii() and char.isalnum()):
            if char.isascii():
                return ord(char)
        elif char in "01234567":
            octal = re.compile("0[0-7]{0,2}|[1-7][0-7]{1,2}").match(self.text, begin + 1)
            if octal:
                self.at = octal.end()
                return int(octal.group(), 8)
        elif char == "x":
            digits = re.compile(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})").match(self.text, self.at)
            if digits and int(digits.group(1) or digits.group(2), 16) <= _ALL:
                self.at = digits.end()
                return int(digits.group(1) or digits.group(2), 16)
            self.at = re.compile(r"\{[0-9A-Fa-f]*.?|.{0,2}", re.S).match(self.text, self.at).end()
        elif char in _LETTERS:
            return _LETTERS[char]
        raise _bad("invalid escape sequence", self.text[begin : self.at])

    def _class(self) -> tree.Ranges:
        """What a class takes, with the reader behind its bracket."""
        begin = self.at - 1
        inverted = self.text.startswith("^", self.at)
        self.at += inverted
        found: t.List[tree.Ranges] = []
        first, unknown_before, self.unknown = True, self.unknown, ""
        while first or not self.text.startswith("]", self.at):
            first = False
            found.append(self._class_part(begin))
        self.at += 1
        # Of an inverted class with an unknown part, nothing is known.
        if self.unknown:
            return ((0, _ALL),)
        self.unknown = unknown_before
        ranges = tree.union(*found)
        return tree.negated(ranges, _ALL) if inverted else ranges

    def _class_part(self, begin: int) -> tree.Ranges:
        named = re.compile(r"\[:(.*?):\]", re.S).match(self.text, self.at)
        if named:
            name = re.fullmatch(r"(\^?)([a-z]+)", named.group(1))
            if not name or name.group(2) not in tree.POSIX:
                raise _bad("invalid character class range", named.group())
            self.at = named.end()
            ranges = self._cased(tree.POSIX[name.group(2)])
            return tree.negated(ranges, _ALL) if name.group(1) else ranges
        if self.text.startswith("\\", self.at):
            self.at += 1
            group = self._group_escape()
            if group is not None:
                return group
            self.at -= 1
        low_at = self.at
        low = high = self._class_character(begin)
        if self.text.startswith("-", self.at) and self.at + 1 < len(self.text) and self.text[self.at + 1] != "]":
            self.at += 1
            high = self._class_character(begin)
            if high < low:
                raise _bad("invalid character class range", self.text[low_at : self.at])
        return self._cased(((low, high),))

    def _class_character(self, begin: int) -> int:
        if self.at >= len(self.text):
            raise _bad("missing closing ]", self.text[begin:])
        char = self.text[self.at]
        self.at += 1
        return self._character_escape() if char == "\\" else ord(char)


def _repeats_fit(node: tree.Node, most: int) -> bool:
    """Go's limit for repetitions within repetitions."""
    if node[0] == "rep":
        # A star, a plus and a question mark are no counts to Go: they keep what is left.
        high = node[3] if node[3] is not None else node[2]
        if node[3] == 0:
            return True
        if high > most:
            return False
        return _repeats_fit(node[1], most // high if high > 0 else most)
    if node[0] in ("cat", "alt"):
        return all(_repeats_fit(part, most) for part in node[1])
    return True


def _bad(reason: str, where: str) -> tree.BadRegex:
    return tree.BadRegex("error parsing regexp: {0}: `{1}`".format(reason, where))
