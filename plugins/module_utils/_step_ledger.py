# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the steps of a release: written before a step starts and after it ended.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore

_LINES = 50
_CHARACTERS = 4096

Entry = t.Dict[str, t.Any]


class StepLedger:
    """``state/steps.json`` of a release: one entry for each time that a step was started, in that order.

    An entry has step, started, ended, exit_code, output, schema_before, schema_after, dump and run. Without ended
    nobody saw it end; its exit_code is then null, or that of a container that was ended from outside. With undone a
    restored database has lost what it did, and it counts as not run.
    """

    def __init__(self, store: ReleaseStore, release: str) -> None:
        self._path = store.state_path(release, "steps.json")
        self._stack = store.stack

    def entries(self) -> t.List[Entry]:
        """Every entry, the oldest first."""
        try:
            with open(self._path, encoding="utf-8") as handle:
                entries = json.load(handle)
        except FileNotFoundError:
            return []
        except ValueError as error:
            entries = error
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise StackError(
                "stack {0}: {1} is not what was written there: {2}. Remedy: find out which steps of the release ran, "
                "delete the file and deploy again; its steps then run once more.".format(
                    self._stack, self._path, entries if isinstance(entries, ValueError) else "not a list of entries"
                )
            )
        return entries

    def last(self, step: str) -> t.Optional[Entry]:
        """The last entry of a step; none if it did not run, or what it did is undone."""
        found = [entry for entry in self.entries() if entry["step"] == step]
        return found[-1] if found and not found[-1].get("undone") else None

    def begin(
        self, step: str, started: str, run: str, schema: t.Optional[t.Dict[str, str]], dump: t.Optional[str]
    ) -> None:
        """Note that a step is about to start. ``dump`` is new: what an earlier entry had there is no more."""
        earlier = [dict(entry, dump=None) if dump and entry["dump"] == dump else entry for entry in self.entries()]
        entry = {"step": step, "started": started, "ended": None, "exit_code": None, "output": []}
        self._write([*earlier, dict(entry, schema_before=schema, schema_after=None, dump=dump, run=run)])

    def end(self, step: str, ended: str, code: int, output: t.Sequence[str], schema: t.Optional[t.Dict[str, str]]) -> None:
        """Note how it ended."""
        self._amend(step, ended=ended, exit_code=code, output=last_of(output), schema_after=schema)

    def ended_from_outside(self, step: str, code: int, output: t.Sequence[str]) -> None:
        """Note that something ended it, so that what it did is not known."""
        self._amend(step, exit_code=code, output=last_of(output))

    def forget(self, step: str) -> None:
        """Take back that it was about to start: it never did."""
        entries = self.entries()
        entries.remove([entry for entry in entries if entry["step"] == step][-1])
        self._write(entries)

    def undo(self, lost: t.Callable[[int, Entry], bool], time: str) -> t.List[str]:
        """Note that what some entries tell of is lost, by their position and content; answers their steps."""
        entries = self.entries()
        undone = [entry for index, entry in enumerate(entries) if not entry.get("undone") and lost(index, entry)]
        for entry in undone:
            entry["undone"] = time
        if undone:
            self._write(entries)
        return [entry["step"] for entry in undone]

    def redo(self, time: str) -> t.List[str]:
        """Take back what undo noted at that time; answers the steps."""
        entries = self.entries()
        back = [entry for entry in entries if entry.get("undone") == time]
        for entry in back:
            del entry["undone"]
        if back:
            self._write(entries)
        return [entry["step"] for entry in back]

    def _amend(self, step: str, **changes: t.Any) -> None:
        entries = self.entries()
        [entry for entry in entries if entry["step"] == step][-1].update(changes)
        self._write(entries)

    def _write(self, entries: t.List[Entry]) -> None:
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        write_json(FileSystem(), self._path, entries)


def last_of(output: t.Sequence[str]) -> t.List[str]:
    """The last lines, as many as are worth keeping."""
    kept: t.List[str] = []
    left = _CHARACTERS
    for line in reversed(output[-_LINES:]):
        if left <= 0:
            break
        kept.append(line[-left:])
        left -= len(line) + 1
    return kept[::-1]
