# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of /run/portside: what is known of a stack until the host's next start.

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


def run_path(stack: str, kind: str, directory: str = DIRECTORY) -> str:
    """The path of a stack's file of one kind."""
    if not STACK_NAME.match(stack):
        raise StackError(
            "definition: name {0!r} is not a project name. "
            "Remedy: use lower case letters, digits, _ and -, and begin with a letter or digit.".format(stack)
        )
    return "{0}/{1}.{2}".format(directory, stack, kind)


def open_run_file(stack: str, kind: str, mode: int, directory: str = DIRECTORY) -> t.TextIO:
    """A stack's file, made if it is missing, open for reading and writing as it is."""
    path = run_path(stack, kind, directory)
    try:
        if not os.path.isdir(directory):
            os.makedirs(directory, exist_ok=True)
            os.chmod(directory, 0o755)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        file = os.fdopen(descriptor, "r+", encoding="utf-8")
        os.fchmod(descriptor, mode)
    except PermissionError as error:
        raise StackError(
            "stack {0}: {1} may not be written: {2}. Remedy: run the task with become: true.".format(
                stack, path, error.strerror
            )
        ) from error
    return file


def try_flock(file: t.TextIO) -> bool:
    """Take the flock on an open file if nobody has it. It ends when the file is closed, or the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def rewrite(file: t.TextIO, text: str) -> None:
    """Put another text into an open file, in place."""
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
