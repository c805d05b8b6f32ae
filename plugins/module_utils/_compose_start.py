# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the services of an activation come up: watched, told while it is stuck, and written down.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence, Failure
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._lease import utc
from ansible_collections.portside.stack.plugins.module_utils._start_chart import chart
from ansible_collections.portside.stack.plugins.module_utils._start_record import Record, StartRecord
from ansible_collections.portside.stack.plugins.module_utils._start_stuck import StuckStart


class Start:
    """The start of one activation. ``path`` is where it is written down, empty for nowhere."""

    def __init__(self, clock: Clock, path: str, redact: t.Callable[[str], str], tell: t.Callable[[str], None]) -> None:
        self.began = clock.monotonic()
        self._clock, self._path, self._redact, self._tell = clock, path, redact, tell
        self._seen, self._stuck = StartRecord(self.began), StuckStart(redact)
        self._record: t.Optional[Record] = None

    def plan(self, actions: t.Mapping[str, Action]) -> None:
        """An attempt begins, and is to do this."""
        self._seen.plan(actions)
        self._stuck = StuckStart(self._redact)

    def watch(self, machine: Convergence) -> None:
        """See how far it is."""
        self._seen.watch(machine)
        for line in self._stuck.look(machine):
            self._tell(line)

    def keep(self, failure: t.Optional[Failure]) -> None:
        """An attempt is over, whether all is up or not."""
        failed = failure.service if failure else ""
        self._record = self._seen.told(utc(self._clock.time()), self._clock.monotonic(), failed)
        if not (self._record and self._path):
            return
        try:
            write_json(FileSystem(), self._path, self._record)
        except OSError as error:
            # No start fails because of what is only told of it.
            self._tell("{0} could not be written: {1}".format(self._path, error.strerror))

    def result(self) -> t.Dict[str, t.Any]:
        """What tasks return of it."""
        return {"start": self._record, "start_chart": chart(self._record) if self._record else []}
