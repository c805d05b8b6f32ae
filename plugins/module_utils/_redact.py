# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps secrets out of what containers say, before that is told or written down anywhere.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from urllib.parse import quote

from ansible_collections.portside.stack.plugins.module_utils._secrets import VERSION_RE

# Shorter ones are words that stand anywhere: to replace them would hide the reason of an error, not the secret.
_SHORTEST, _SHORTEST_LINE = 6, 12

Redact = t.Callable[[str], str]


def redactor(directory: str) -> Redact:
    """A function that has [secret NAME] in the place of every value in a stack's directory of secrets.

    The values are read when there is a first text to look through.
    """
    known: t.List[Redact] = []

    def redact(text: str) -> str:
        if not text:
            return text
        if not known:
            known.append(_reading(directory))
        return known[0](text)

    return redact


def _reading(directory: str) -> Redact:
    try:
        return replacing(_values(directory))
    except OSError as error:
        # What cannot be looked through is not shown.
        withheld = "[withheld: {0} cannot be read: {1}]".format(error.filename, error.strerror)
        return lambda _text: withheld


def _values(directory: str) -> t.List[t.Tuple[str, str]]:
    """Every version of every secret: name and value."""
    found = []
    for name in _listed(directory):
        home = os.path.join(directory, name)
        for version in _listed(home):
            if VERSION_RE.fullmatch(version):
                with open(os.path.join(home, version), encoding="utf-8", errors="replace", newline="") as file:
                    found.append((name, file.read()))
    return found


def _listed(directory: str) -> t.List[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def replacing(values: t.Iterable[t.Tuple[str, str]]) -> Redact:
    """A function that has [secret NAME] in the place of these values; names and values are given."""
    names: t.Dict[str, str] = {}
    for name, value in values:
        for form in _forms(value):
            names.setdefault(form, name)
    if not names:
        return str
    # At each place the longest that begins there; what overlaps goes together, or the rest of one would stay.
    pattern = re.compile("(?=({0}))".format("|".join(re.escape(form) for form in sorted(names, key=len, reverse=True))))

    def redact(text: str) -> str:
        pieces: t.List[str] = []
        shown, start, end, longest = 0, 0, 0, ""
        for found in pattern.finditer(text):
            if longest and found.start(1) >= end:
                pieces += [text[shown:start], "[secret {0}]".format(names[longest])]
                shown, longest = end, ""
            if not longest:
                start = found.start(1)
            longest, end = max(longest, found.group(1), key=len), max(end, found.end(1))
        if longest:
            pieces += [text[shown:start], "[secret {0}]".format(names[longest])]
            shown = end
        return "".join(pieces) + text[shown:]

    return redact


def _forms(value: str) -> t.Set[str]:
    """How a value may stand in a text: whole or by lines, as it is or encoded."""
    wanted = {value.strip()} if len(value.strip()) >= _SHORTEST else set()
    lines = [line.strip() for line in value.splitlines()]
    wanted |= {line for line in lines if len(line) >= _SHORTEST_LINE}
    found = set()
    for one in wanted:
        found |= {one, quote(one, safe=""), json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1]}
    return found
