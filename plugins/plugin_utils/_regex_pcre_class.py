# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Escapes and classes of PCRE2, on bytes: which of them a pattern takes.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree

NOT_NEWLINE = tree.negated(tree.span("\n"), tree.BYTE)
_CLASSES = {
    "d": tree.DIGITS,
    "w": tree.WORDS,
    "s": tree.span("\t\r", " "),
    "h": tree.span("\t", " ", "\xa0"),
    "v": tree.span("\n\r", "\x85"),
}
_LETTERS = {"a": 7, "e": 27, "f": 12, "n": 10, "r": 13, "t": 9}
_HEX = re.compile(r"x\{([0-9A-Fa-f]+)\}|x(?!\{)([0-9A-Fa-f]{0,2})")
_OCTAL = re.compile(r"o\{([0-7]+)\}|([0-7]{1,3})")


def read_escape(text: str, at: int, inside: bool = False) -> t.Tuple[tree.Ranges, int]:
    """The bytes that the escape behind a backslash takes, and where the text goes on."""
    char = text[at : at + 1]
    if not char:
        raise tree.BadRegex("\\ at end of pattern")
    if char.lower() in _CLASSES:
        ranges = _CLASSES[char.lower()]
        return (ranges if char in _CLASSES else tree.negated(ranges, tree.BYTE)), at + 1
    if char == "N" and not inside and not re.match(r"N\{(?![0-9]+(,[0-9]*)?\})", text[at:]):
        return NOT_NEWLINE, at + 1
    if char == "C" and not inside:
        return ((0, tree.BYTE),), at + 1
    number, end = _number(text, at, inside)
    if number > tree.BYTE:
        raise tree.BadRegex("character code point value in \\x{} or \\o{} is too large")
    return ((number, number),), end


def _number(text: str, at: int, inside: bool) -> t.Tuple[int, int]:
    char = text[at]
    if not (char.isascii() and char.isalnum()):
        return ord(char), at + 1
    if char in _LETTERS:
        return _LETTERS[char], at + 1
    if char == "b" and inside:
        return 8, at + 1
    if char in "89" and inside:
        return ord(char), at + 1
    hexadecimal = _HEX.match(text, at)
    if hexadecimal:
        return int(hexadecimal.group(1) or hexadecimal.group(2) or "0", 16), hexadecimal.end()
    octal = _OCTAL.match(text, at)
    if octal:
        return int(octal.group(1) or octal.group(2), 8), octal.end()
    if char == "c":
        control = text[at + 1 : at + 2]
        if not (" " <= control <= "~"):
            raise tree.BadRegex("\\c must be followed by a printable ASCII character" if control else "\\c at end of pattern")
        return ord(control.upper()) ^ 64, at + 2
    if char in "xo":
        raise tree.BadRegex("digits missing in \\x{} or \\o{}, or other characters in them")
    if char in "FLlNUu":
        raise tree.BadRegex("PCRE2 does not support \\F, \\L, \\l, \\N{name}, \\U, or \\u")
    raise tree.BadRegex("escape sequence is invalid in character class" if inside and char in "BRX" else "unrecognized character follows \\")


def read_class(text: str, at: int, caseless: bool) -> t.Tuple[t.Optional[tree.Ranges], int]:
    """The bytes that the class behind a bracket takes (None: unknown), and where the text goes on."""
    if text[at : at + 1] in (":", ".", "=") and _posix_end(text, at + 1, text[at]):
        raise tree.BadRegex("POSIX named classes are supported only within a class")
    inverted = text.startswith("^", at)
    at += inverted
    found: t.List[tree.Ranges] = []
    first = True
    while first or not text.startswith("]", at):
        first = False
        ranges, at = _part(text, at)
        if ranges is None:
            return None, at
        found.append(tree.folded(ranges) if caseless else ranges)
    ranges = tree.union(*found)
    return (tree.negated(ranges, tree.BYTE) if inverted else ranges), at + 1


def _part(text: str, at: int) -> t.Tuple[t.Optional[tree.Ranges], int]:
    low, at = _element(text, at)
    if low is None or not text.startswith("-", at) or text.startswith("-]", at):
        return low, at
    # A class followed by a hyphen is refused, or is no range: releases differ in the details.
    if len(low) != 1 or low[0][0] != low[0][1] or text[at - 1] == "]" and text[at - 2] == ":":
        raise tree.BadRegex("invalid range in character class")
    high, end = _element(text, at + 1)
    if high is None:
        return None, end
    if len(high) != 1 or high[0][0] != high[0][1]:
        raise tree.BadRegex("invalid range in character class")
    if high[0][0] < low[0][0]:
        raise tree.BadRegex("range out of order in character class")
    return ((low[0][0], high[0][0]),), end


def _element(text: str, at: int) -> t.Tuple[t.Optional[tree.Ranges], int]:
    if at >= len(text):
        raise tree.BadRegex("missing terminating ] for character class")
    if text[at] == "[" and text[at + 1 : at + 2] in (":", ".", "="):
        end = _posix_end(text, at + 2, text[at + 1])
        if end:
            return _posix(text[at + 1], text[at + 2 : end]), end + 2
    if text[at] == "\\":
        # Quoting in a class, Unicode's classes.
        if text[at + 1 : at + 2] in ("Q", "E", "p", "P"):
            return None, at
        if at + 1 >= len(text):
            raise tree.BadRegex("\\ at end of pattern")
        return read_escape(text, at + 1, inside=True)
    return ((ord(text[at]), ord(text[at])),), at + 1


def _posix_end(text: str, at: int, mark: str) -> int:
    """Where PCRE2 sees the end of [:name:], 0 where it sees none."""
    while at + 1 < len(text):
        if text[at] == "\\" and text[at + 1] in "]\\":
            at += 1
        elif text[at] == "]" or text[at : at + 2] == "[" + mark:
            return 0
        elif text[at : at + 2] == mark + "]":
            return at
        at += 1
    return 0


def _posix(mark: str, name: str) -> t.Optional[tree.Ranges]:
    if mark != ":":
        raise tree.BadRegex("POSIX collating elements are not supported")
    # The edges of words: no class at all.
    if name in ("<", ">"):
        return None
    plain = name[1:] if name.startswith("^") else name
    if plain not in tree.POSIX:
        raise tree.BadRegex("unknown POSIX class name")
    return tree.negated(tree.POSIX[plain], tree.BYTE) if name.startswith("^") else tree.POSIX[plain]
