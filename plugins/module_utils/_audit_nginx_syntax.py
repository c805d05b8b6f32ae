# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration as words and blocks, read as ngx_conf_read_token reads it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_SPACE = " \t\r\n"
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}
_DEEPEST = 50


class Directive(t.NamedTuple):
    """A name with its arguments; ``block`` is none where it ends in a semicolon."""

    name: str
    args: t.Tuple[str, ...]
    block: t.Optional[t.List[t.Any]]
    file: str
    line: int


class BadConfig(StackError):
    """What nginx would not read either, or what is not read here. It names a place and a reason, never the text."""


def parse(text: str, file: str) -> t.List[Directive]:
    """The directives of one file, blocks inside them."""
    return _Reader(text, file).block(0)


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._text, self._file, self._at, self._line = text, file, 0, 1

    def block(self, depth: int) -> t.List[Directive]:
        """Directives up to the end of the block, or of the file."""
        found: t.List[Directive] = []
        if depth > _DEEPEST:
            raise self._bad("blocks are nested too deep")
        while True:
            words, end, line = self._directive()
            if not words:
                if (end == "}") == (depth > 0):
                    return found
                raise self._bad("a } without its {" if end == "}" else "the end of the file, where a } is missing")
            inner = None
            if end == "{":
                if words[0].endswith("_by_lua_block"):
                    raise self._bad("a block of Lua, which is not read here")
                inner = self.block(depth + 1)
            found.append(Directive(words[0], tuple(words[1:]), inner, self._file, line))

    def _directive(self) -> t.Tuple[t.List[str], str, int]:
        """The words of a directive, and what ends them: a semicolon, a brace, or the end of the file."""
        words: t.List[str] = []
        line = self._line
        while True:
            self._skip()
            char = self._peek()
            if not words:
                line = self._line
            if char in (";", "{", "}", ""):
                if (char in (";", "{") and not words) or (char in ("}", "") and words):
                    raise self._bad("an unexpected {0}".format(char or "end of the file"))
                self._next()
                return words, char, line
            words.append(self._quoted() if char in ("'", '"') else self._plain())

    def _skip(self) -> None:
        while self._peek() and self._peek() in _SPACE + "#":
            if self._next() == "#":
                while self._peek() not in ("\n", ""):
                    self._next()

    def _quoted(self) -> str:
        quote, raw = self._next(), []
        while self._peek() != quote:
            if not self._peek():
                raise self._bad("the end of the file within quotes")
            raw.append(self._next())
            if raw[-1] == "\\":
                raw.append(self._next())
        self._next()
        after = self._peek()
        # A bracket begins the next word, as in: if ($x = "a")
        if after and after not in _SPACE + ";{)":
            raise self._bad("something right behind a quote")
        return _unescaped(raw)

    def _plain(self) -> str:
        raw: t.List[str] = []
        variable = False
        while True:
            char = self._peek()
            if not char or char in _SPACE or char == ";" or (char == "{" and not variable):
                return _unescaped(raw)
            variable = char == "$"
            raw.append(self._next())
            if char == "\\":
                raw.append(self._next())

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        self._line += char == "\n"
        return char

    def _bad(self, reason: str) -> BadConfig:
        return BadConfig("{0}:{1}: {2}".format(self._file, self._line, reason))


def _unescaped(raw: t.Sequence[str]) -> str:
    """The word that is meant: before anything but a few characters a backslash stays, as regular expressions need it."""
    found: t.List[str] = []
    at = 0
    while at < len(raw):
        following = raw[at + 1] if at + 1 < len(raw) else ""
        if raw[at] == "\\" and following in _ESCAPES:
            found.append(_ESCAPES[following])
            at += 1
        else:
            found.append(raw[at])
        at += 1
    return "".join(found)
