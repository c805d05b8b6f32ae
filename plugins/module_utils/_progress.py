# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's progress in a file that the controller reads meanwhile.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._run_directory import (
    DIRECTORY,
    STACK_NAME,
    open_run_file,
    run_path,
)

__all__ = ["DIRECTORY", "STACK_NAME", "Progress", "progress_path", "watched_work"]


def progress_path(stack: str, directory: str = DIRECTORY) -> str:
    """Where a stack's progress is written."""
    return run_path(stack, "progress", directory)


class Progress:
    """The open file, empty whenever no run is working. Everybody may read it: it has no secret."""

    def __init__(self, stack: str, directory: str = DIRECTORY) -> None:
        self.lines: t.List[str] = []
        self._file = open_run_file(stack, "progress", 0o644, directory)
        self._file.truncate(0)

    def tell(self, line: str) -> None:
        self.lines.append(line)
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.truncate(0)
        self._file.close()


@contextlib.contextmanager
def watched_work(
    lock: StackLock, stack: str, token: str, stage: str, seconds: float, lines: t.List[str]
) -> t.Iterator[t.Callable[[str], None]]:
    """Keep all others out for the body, as StackLock.work does, and let everybody watch.

    Answers what to tell a line of progress to; ``lines`` keeps them all. Raises LockHeld, before the body.
    """
    with lock.work(token, stage, seconds):
        progress = Progress(stack)
        progress.lines = lines
        try:
            yield progress.tell
        finally:
            progress.close()
