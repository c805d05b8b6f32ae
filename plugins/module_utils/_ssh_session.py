# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh connection that a process was started over.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t


class Session(t.NamedTuple):
    """The port of this host that the connection came to, and when its process was started, in ticks of the kernel.

    Both are 0 for a process that no connection has started.
    """

    port: int = 0
    started: int = 0


def session(pid: int, root: str = "/proc") -> Session:
    """The connection over which a process was started, found among those that started it: sudo leaves no trace of it in itself."""
    port = started = 0
    while pid > 1 and not (port and started):
        try:
            with open(os.path.join(root, str(pid), "stat"), encoding="utf-8", errors="replace") as handle:
                head, _parenthesis, tail = handle.read().rpartition(")")
            with open(os.path.join(root, str(pid), "environ"), "rb") as handle:
                variables = handle.read().split(b"\0")
        except OSError:
            break
        fields = tail.split()
        if not started and head.partition("(")[2].startswith("sshd"):
            started = int(fields[19])
        for variable in variables:
            words = variable.partition(b"=")[2].split()
            if not port and variable.startswith(b"SSH_CONNECTION=") and len(words) == 4:
                port = int(words[3])
        pid = int(fields[1])
    return Session(port, started)
