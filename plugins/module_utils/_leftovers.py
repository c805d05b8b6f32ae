# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs that were cut off left behind on the host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._history import (
    Event,
    History,
    interrupted_event,
    unfinished,
)
from ansible_collections.portside.stack.plugins.module_utils._lease import Lease


class Leftovers:
    """Of one stack's directory, which need not exist."""

    def __init__(self, directory: str, fs: FileSystem) -> None:
        self._directory, self._fs = directory, fs
        self._history = History(directory)

    def interrupted(self, token: str, lease: t.Optional[Lease], now: float) -> t.Optional[Event]:
        """The end that is missing in the history, of a run other than the token's; ``lease`` is what it left."""
        started = unfinished(self._history.read())
        return interrupted_event(started, lease, now) if started and started.get("run") != token else None

    def record(self, event: Event) -> None:
        self._history.append(event)

    def staging(self) -> t.List[str]:
        """Directories in which a process that is dead was writing."""
        places = (self._directory, os.path.join(self._directory, "releases"))
        return [path for place in places for path in self._fs.stale_staging(place)]

    def remove(self, paths: t.Iterable[str]) -> None:
        for path in paths:
            self._fs.remove_tree(path)
