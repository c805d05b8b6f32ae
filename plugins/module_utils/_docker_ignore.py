# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a .dockerignore leaves out of a build, as Docker reads it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A pattern is matched against the whole path and each directory above it, the last one that matches wins, and one that
begins with ``!`` takes files in again. ``*`` stops at a slash, ``**`` does not.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_WILDCARDS = frozenset("*?[\\")


class _Pattern(t.NamedTuple):
    taken_in: bool
    text: str
    matches: t.Callable[[str], t.Any]


class IgnoreRules:
    """The patterns of one .dockerignore. Raises StackError for one that means nothing."""

    def __init__(self, text: str) -> None:
        self._patterns = [_pattern(line) for line in _lines(text)]

    def ignores(self, path: str) -> bool:
        """Whether a path of the context, without a leading slash, is left out."""
        parts = path.split("/")
        paths = [path] + ["/".join(parts[:count]) for count in range(1, len(parts))]
        ignored = False
        for pattern in self._patterns:
            if pattern.taken_in == ignored and any(pattern.matches(one) for one in paths):
                ignored = not pattern.taken_in
        return ignored

    def may_hold_more(self, directory: str) -> bool:
        """Whether something below an ignored directory may be taken in again."""
        return any(
            pattern.taken_in and (_WILDCARDS & set(pattern.text) or pattern.text.startswith(directory + "/"))
            for pattern in self._patterns
        )


def _lines(text: str) -> t.Iterator[str]:
    for line in text.lstrip("\ufeff").split("\n"):
        pattern = line.strip()
        if pattern and not line.startswith("#"):
            yield pattern


def _pattern(line: str) -> _Pattern:
    taken_in = line.startswith("!")
    given = line[1:].strip() if taken_in else line
    if not given:
        raise StackError(".dockerignore: the line ! names nothing. Remedy: write !PATH, or take it out.")
    text = re.sub(r"^/+(?=.)", "", posixpath.normpath(given))
    try:
        return _Pattern(taken_in, text, _matcher(text))
    except re.error as error:
        raise StackError(
            ".dockerignore: {0!r} is no pattern: {1}. Remedy: correct it; a literal [ is written \\[.".format(line, error)
        ) from error


def _matcher(text: str) -> t.Callable[[str], t.Any]:
    # Docker compares these forms without an expression, and so a little differently.
    if not _WILDCARDS & set(text):
        return text.__eq__
    if text.startswith("**") and not _WILDCARDS & set(text[2:]):
        suffix = text[2:]
        return lambda path: path.endswith(suffix) or path == suffix[1:] and suffix.startswith("/")
    if text.endswith("**") and not _WILDCARDS & set(text[:-2]):
        return lambda path: path.startswith(text[:-2])
    return re.compile(_expression(text)).fullmatch


def _expression(text: str) -> str:
    found, at = "", 0
    while at < len(text):
        here, at = text[at], at + 1
        if here == "*" and text[at : at + 1] == "*":
            at += 2 if text[at + 1 : at + 2] == "/" else 1
            found += "(?:.*/)?" if at < len(text) else ".*"
        elif here == "*":
            found += "[^/]*"
        elif here == "?":
            found += "[^/]"
        elif here == "\\" and at < len(text):
            found, at = found + "\\" + text[at], at + 1
        elif here in ".+()|{}$\\":
            found += "\\" + here
        else:
            found += here
    return found
