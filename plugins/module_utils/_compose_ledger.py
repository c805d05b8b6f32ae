# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which one-shots have completed: a small file, so that their containers may be pruned, and a rollback runs none again.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json

# Of each one-shot, so that the file does not grow with every release.
_REMEMBERED = 20


class OneShotLedger:
    """``oneshots.json`` in the stack's directory.

    service -> ``done``: digest -> image, exit_code, finished, oldest first; or ``lost``: what it did is gone.
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "oneshots.json")

    def read(self) -> t.Dict[str, t.Dict[str, t.Any]]:
        try:
            with open(self._path, encoding="utf-8") as handle:
                entries = json.load(handle)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            entries = error
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise StackError(
                "{0} is not what was written there: {1}. Remedy: delete it; the one-shots then run once more.".format(
                    self._path, entries if isinstance(entries, ValueError) else "not a mapping of mappings"
                )
            )
        return entries

    def record(self, service: str, digest: str, image: str, finished: str) -> None:
        entries = self.read()
        done = {known: told for known, told in entries.get(service, {}).get("done", {}).items() if known != digest}
        done[digest] = {"image": image, "exit_code": 0, "finished": finished}
        entries[service] = {"done": dict(list(done.items())[-_REMEMBERED:])}
        self._write(entries)

    def lose(self, services: t.AbstractSet[str]) -> None:
        """Note that what these did is lost, so that nothing they left behind counts as their completion."""
        if services:
            self._write({**self.read(), **{service: {"lost": True} for service in services}})

    def clear(self) -> bool:
        """Forget all of it; answers whether there was anything."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return False
        return True

    def _write(self, entries: t.Mapping[str, t.Any]) -> None:
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        write_json(FileSystem(), self._path, entries)
