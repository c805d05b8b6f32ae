# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module database_restore does: dumps back in place, and nothing counts as done that they undo.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, LABEL_SERVICE, is_oneoff, services_of
from ansible_collections.portside.stack.plugins.module_utils._database_dump import Failed, Restore
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import utc
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger


class Dumped(t.NamedTuple):
    """A dump that is to come back, and the release and entry that it was made for."""

    path: str
    service: str
    database: str
    user: str
    release: str
    entry: t.Dict[str, t.Any]


class DatabaseRestore:
    """The dumps of one stack that are to come back together."""

    def __init__(
        self,
        store: ReleaseStore,
        dumps: t.List[t.Dict[str, str]],
        engine: EngineClient,
        run: Run,
        clock: Clock,
        tell: t.Callable[[str], None],
    ) -> None:
        self._store, self._engine, self._run, self._clock, self._tell = store, engine, run, clock, tell
        self._releases = store.ids()
        self._redact = redactor(os.path.join(store.directory, "secrets"))
        self._dumps = [self._known(dump) for dump in dumps]

    def plan(self) -> t.Dict[str, t.Any]:
        """What would be done."""
        after = "".join("{0.service}/{0.database}: restored from {0.path}\n".format(dump) for dump in self._dumps)
        return {"changed": bool(self._dumps), "kept": [], "undone": [], "diff": {"before": "", "after": after}}

    def carry_out(self, seconds: int) -> t.Dict[str, t.Any]:
        """Restore all of them or none. Each may take so many seconds."""
        moment = utc(self._clock.time())
        restores: t.List[t.Tuple[Dumped, Restore]] = []
        undone: t.List[t.Dict[str, str]] = []
        try:
            for dump in self._dumps:
                self._tell("restoring {0.service}/{0.database} from {0.path}".format(dump))
                restores.append((dump, self._restore(dump, moment)))
                restores[-1][1].prepare(seconds)
            # Before the databases change, so that after an interrupt nothing counts as done that is lost.
            for dump in self._dumps:
                for release in self._releases:
                    undone += self._undo(dump, release, moment)
                self._forget_oneshots(dump)
            for dump, restore in restores:
                restore.swap()
                self._tell("{0.service}/{0.database} is as it was at {1}".format(dump, dump.entry["started"]))
        except Failed as error:
            raise StackError(
                "stack {0}: {1.service}/{1.database} could not be restored from {1.path}: {2}.\n{3} Remedy: correct the "
                "cause and run again, or go back with schema=keep.".format(
                    self._store.stack, dump, self._redact(str(error)), self._all_back(restores, moment)
                )
            ) from error
        finally:
            self._discard(restores)
        kept = [{"service": dump.service, "database": dump.database, "kept": one.kept} for dump, one in restores]
        return dict(self.plan(), kept=kept, undone=undone, time=moment)

    def put_back(self, moment: str) -> t.Dict[str, t.Any]:
        """Undo the restore of that time: the databases that were kept are the present ones again."""
        redone: t.List[t.Dict[str, str]] = []
        kept: t.List[t.Dict[str, str]] = []
        changed = False
        for dump in self._dumps:
            try:
                restore = self._restore(dump, moment)
                if not restore.put_back():
                    continue
                changed = True
                kept.append({"service": dump.service, "database": dump.database, "kept": restore.aside})
            except Failed as error:
                raise StackError(
                    "stack {0}: {1.service}/{1.database} could not be put back as it was before the restore: {2}. "
                    "Remedy: rename it by hand, it is kept as {3}.".format(
                        self._store.stack, dump, self._redact(str(error)), self._restore(dump, moment).kept
                    )
                ) from error
            self._tell("{0.service}/{0.database} is as it was before the restore".format(dump))
        for release in self._releases:
            redone += [{"release": release, "step": step} for step in StepLedger(self._store, release).redo(moment)]
        return {"changed": changed or bool(redone), "kept": kept, "undone": [], "diff": {"before": "", "after": ""}}

    def _restore(self, dump: Dumped, moment: str) -> Restore:
        digits = "".join(character for character in moment if character.isdigit())
        target = (dump.service, dump.database, dump.user, dump.path, digits)
        return Restore(self._store.stack, self._engine, self._run, self._clock, *target)

    def _all_back(self, restores: t.List[t.Tuple[Dumped, Restore]], moment: str) -> str:
        try:
            self.put_back(moment)
        except StackError as error:
            return str(error)
        return "Every database is as it was before."

    def _known(self, dump: t.Dict[str, str]) -> Dumped:
        path = dump["path"]
        for release in self._releases:
            for entry in StepLedger(self._store, release).entries():
                if entry.get("dump") == path and os.path.exists(path):
                    return Dumped(release=release, entry=entry, **dump)
        raise StackError(
            "stack {0}: {1} is not a dump that a step of a release on this host made. Remedy: name one that "
            "release_info lists.".format(self._store.stack, path)
        )

    def _undo(self, dump: Dumped, release: str, moment: str) -> t.List[t.Dict[str, str]]:
        """Note that what the steps of a release did to the database since the dump was made is lost."""
        record = self._store.read(release)
        reached = _reached(record["definition"])
        services = {step["name"]: step["service"] for step in record["steps"]}
        ledger = StepLedger(self._store, release)
        dumps = [entry["dump"] for entry in ledger.entries()]

        def lost(index: int, entry: t.Dict[str, t.Any]) -> bool:
            # Within a release the order tells: two steps may start within one second.
            later = index >= dumps.index(dump.path) if dump.path in dumps else entry["started"] > dump.entry["started"]
            return later and dump.service in reached.get(services.get(entry["step"], ""), ())

        return [{"release": release, "step": step} for step in ledger.undo(lost, moment)]

    def _forget_oneshots(self, dump: Dumped) -> None:
        """Let the one-shots run again that have worked on the database since, and for a release that ran them later."""
        working: t.Set[str] = set()
        for release in self._releases:
            reached = _reached(self._store.read(release)["definition"])
            working |= {name for name in reached if dump.service in reached[name]}
        ledger = OneShotLedger(self._store.directory)
        for service, told in ledger.read().items():
            done = told.get("done", {})
            # The engine's times go down to nanoseconds, the ledger's to seconds.
            kept = {digest: one for digest, one in done.items() if one["finished"][:19] < dump.entry["started"][:19]}
            if service in working and kept != done:
                ledger.lose({service})
                for digest, one in kept.items():
                    ledger.record(service, digest, one["image"], one["finished"])
                self._remove_containers(service)

    def _remove_containers(self, service: str) -> None:
        # What ended well would count as the completion that is lost.
        for entry in self._engine.containers("{0}={1}".format(LABEL_PROJECT, self._store.stack)):
            labels = entry.get("Labels") or {}
            if labels.get(LABEL_SERVICE) == service and not is_oneoff(labels):
                self._engine.remove_container(entry["Id"])

    def _discard(self, restores: t.List[t.Tuple[Dumped, Restore]]) -> None:
        for dump, restore in restores:
            try:
                restore.discard()
            except StackError as error:
                # What failed before is worth more than this, and the next restore drops it.
                said = self._redact(str(error))
                self._tell("what was made of {0.path} could not be dropped: {1}".format(dump, said))


def _reached(definition: t.Dict[str, t.Any]) -> t.Dict[str, t.Set[str]]:
    """What each service needs, directly or not, and itself."""
    reached: t.Dict[str, t.Set[str]] = {}
    for name, service in services_of(definition).items():
        reached[name] = {name}.union(*(reached.get(other, {other}) for other in service.depends_on))
    return reached
