# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's progress in a file that the controller reads meanwhile; held, it also keeps a second run out.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import fcntl
import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

DIRECTORY = "/run/portside"
# What Compose takes as a project's name; it is a file's name here.
STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


def progress_path(stack: str, directory: str = DIRECTORY) -> str:
    """Where a stack's progress is written."""
    return "{0}/{1}.progress".format(directory, stack)


class Progress:
    """The open file. It is empty whenever no run is working."""

    def __init__(self, stack: str, directory: str = DIRECTORY) -> None:
        if not STACK_NAME.match(stack):
            raise StackError(
                "definition: name {0!r} is not a project name. "
                "Remedy: use lower case letters, digits, _ and -, and begin with a letter or digit.".format(stack)
            )
        self.lines: t.List[str] = []
        path = progress_path(stack, directory)
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            self._file = open(path, "a", encoding="utf-8")
            os.chmod(path, 0o644)
        except PermissionError as error:
            raise StackError(
                "stack {0}: {1} may not be written: {2}. Remedy: run the task with become: true.".format(
                    stack, path, error.strerror
                )
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise StackError(
                "stack {0}: another run is working on it at this moment (it holds {1}). Remedy: wait until it ends; "
                "a run whose connection broke goes on by itself.".format(stack, path)
            ) from None
        self._file.truncate(0)

    def tell(self, line: str) -> None:
        self.lines.append(line)
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.truncate(0)
        self._file.close()
