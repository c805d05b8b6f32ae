# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where problems are collected, and how they are worded.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t


class Report:
    """The problems of one stack: each names stack, service and key."""

    def __init__(self, stack: t.Any, problems: t.List[str], service: t.Optional[str] = None) -> None:
        self._problems = problems
        self._stack = stack
        self._service = service

    def of(self, service: str) -> Report:
        """The same report, about one service."""
        return Report(self._stack, self._problems, service)

    def add(self, key: str, text: str) -> None:
        where = "stack {0!r}".format(self._stack)
        if self._service is not None:
            where += ", service {0!r}".format(self._service)
        if key:
            where += ", key {0!r}".format(key)
        problem = "{0}: {1}{2}".format(where, text, "" if text.endswith("?") else ".")
        if problem not in self._problems:
            self._problems.append(problem)

    def unknown(self, key: str, name: t.Any, known: t.Iterable[str], what: str, remedy: str) -> None:
        """A name that is none of the known ones."""
        self.add(key, "{0!r} is not {1}; {2}".format(name, what, did_you_mean(name, known) or remedy))


def did_you_mean(name: t.Any, known: t.Iterable[str]) -> str:
    """The known name that was probably meant, as a question."""
    near = difflib.get_close_matches(str(name), [str(item) for item in known], 1, 0.6)
    return "did you mean {0!r}?".format(near[0]) if near else ""


def shown(value: t.Any) -> str:
    """A value as YAML's readers know it, short enough for a sentence."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
