# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done to a release: have it there, make it the current one, note its failure, remove it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import BootUnit
from ansible_collections.portside.stack.plugins.module_utils._drift_files import note_digests, noted_path
from ansible_collections.portside.stack.plugins.module_utils._drift_secrets import version_contents
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._files import parse
from ansible_collections.portside.stack.plugins.module_utils._files_apply import apply
from ansible_collections.portside.stack.plugins.module_utils._files_plan import Planner
from ansible_collections.portside.stack.plugins.module_utils._filesystem import Accounts, FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._history import Event, History, event
from ansible_collections.portside.stack.plugins.module_utils._lease import Lease, utc
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor
from ansible_collections.portside.stack.plugins.module_utils._release_diff import given_record, release_diff
from ansible_collections.portside.stack.plugins.module_utils._release_images import keep_images
from ansible_collections.portside.stack.plugins.module_utils._release_retention import Pruned, retain
from ansible_collections.portside.stack.plugins.module_utils._release_store import RELEASE_ID, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._release_write import (
    Files,
    Label,
    plan_release,
    remove_release,
    switch_current,
    write_release,
)
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger
from ansible_collections.portside.stack.plugins.module_utils._step_volumes import missing_volumes, steps_on

Result = t.Dict[str, t.Any]

ERROR_LIMIT = 8000


class ReleaseOnHost:
    """One release of a stack, and the run that does something to it. ``lease`` is the run's, none when it has none."""

    def __init__(
        self,
        store: ReleaseStore,
        release: str,
        fs: FileSystem,
        engine: EngineClient,
        label: Label,
        now: t.Callable[[], float],
        warn: t.Callable[[str], None],
        check_mode: bool,
    ) -> None:
        if not RELEASE_ID.match(release):
            raise StackError(
                "stack {0}: release {1!r} is not the name of a release, which is 16 hexadecimal digits. "
                "Remedy: give the id that the filter release_files makes, or one that release_info lists.".format(
                    store.stack, release
                )
            )
        self._store, self._release, self._fs, self._engine = store, release, fs, engine
        self._label, self._now, self._warn, self._check_mode = label, now, warn, check_mode
        self._history = History(store.directory)

    def present(
        self, files: t.Optional[Files], action: str, why: str, lease: t.Optional[Lease], with_diff: bool, boot: t.Optional[BootUnit] = None
    ) -> Result:
        """Have the release on the host, whole, with its images kept; note the start of a run that is to activate it.

        One that is current already is not committed again, so that its units are seen to here.
        """
        store, release = self._store, self._release
        plan = None
        if files is None:
            self._require_complete()
            record = store.read(release)
        else:
            plan = plan_release(self._fs, store, release, files, self._check_mode)
            record = given_record(store, release, files)
        diff = release_diff(self._fs, store, release, files, plan) if with_diff else []
        tagged = self._keep_images(record)
        if plan and not self._check_mode:
            for warning in write_release(self._fs, store, release, plan, self._label):
                self._warn(warning)
        current = store.current()
        is_current = self._is_committed(current) and self._steps_stand(record)
        # Going back to the current release is for its databases: not nothing.
        if not self._check_mode and (not is_current or action == "rollback"):
            self._note_start(action, why, lease)
        lacking = boot.lacks(store.directory) if boot and is_current else []
        if boot and lacking and not self._check_mode:
            boot.ensure(store.directory)
        result = {
            "changed": bool(plan and plan.changed or tagged or lacking),
            "tagged": tagged,
            "current": current,
            "is_current": is_current,
        }
        return dict(result, diff=diff) if with_diff else result

    def current(
        self,
        action: str,
        why: str,
        keep: int,
        lease: t.Optional[Lease],
        fingerprints: t.Callable[[], t.Optional[t.Dict[str, str]]],
        ensure_boot_unit: t.Callable[[], t.Any],
    ) -> Result:
        """Make the release the current one, and let go of those that are old.

        A release is known as good before it is current, so that a kill in between costs nothing; up to the switch
        everything may fail, since the old release is current still. After it nothing does: what is missing then,
        the next run does (the history's entry) or the next commit (pruning).
        """
        store, release = self._store, self._release
        if not self._check_mode or release in store.ids():
            self._require_complete()
        previous = store.current()
        last = self._last_event()
        if self._is_committed(previous) and last.get("event") and last.get("run") == _run(lease):
            return {"changed": False, "record": last, "pruned": _pruned(Pruned([], [], [], {}, []))}
        kind = "rolled_back" if action == "rollback" else "deployed"
        if self._check_mode:
            return {"changed": True, "record": self._event(kind, action, why, lease, previous=previous)}
        schema = None
        try:
            schema = fingerprints()
        except (OSError, StackError) as error:
            self._warn("{0} Without it a rollback to this release has to be told schema=keep.".format(error))
        ensure_boot_unit()
        write_json(self._fs, store.state_path(release, "verified.json"), {"verified": utc(self._now()), "schema": schema})
        secrets = version_contents(self._fs, store.directory, store.read(release))
        write_json(self._fs, noted_path(store, release), note_digests(self._fs, store, release, secrets))
        switch_current(self._fs, store, release)
        record = self._event(kind, action, why, lease, previous=previous)
        pruned = Pruned([], [], [], {}, [])
        try:
            self._history.append(record)
            pruned = retain(self._fs, self._engine, store, keep)
        except (OSError, StackError) as error:
            self._warn(
                "stack {0}: release {1} is the current one, but what comes after that did not work: {2}. "
                "The next deploy takes up from there.".format(store.stack, release, str(error).rstrip("."))
            )
        for warning in pruned.warnings:
            self._warn(warning)
        return {"changed": True, "record": record, "pruned": _pruned(pruned)}

    def failed(self, action: str, why: str, error: str, restored: t.Optional[str], lease: t.Optional[Lease]) -> Result:
        """Note that the release failed, and what serves instead."""
        last = self._last_event()
        if last.get("event") == "failed" and last.get("run") == _run(lease):
            return {"changed": False, "record": last}
        record = self._event(
            "failed",
            action,
            why,
            lease,
            previous=self._store.current(),
            # Other tasks fail too, and nobody knows what they quote.
            error=_shortened(redactor(os.path.join(self._store.directory, "secrets"))(error)),
            restored=restored,
        )
        if not self._check_mode:
            home = parse({}, directories={self._store.directory: {}})
            apply(Planner(self._fs, Accounts()).plan(home), self._fs, None, self._label)
            self._history.append(record)
        return {"changed": True, "record": record}

    def absent(self) -> Result:
        """Remove the release's directory. Its images and files go with the next commit."""
        store, release = self._store, self._release
        if store.current() == release:
            raise StackError(
                "stack {0}: release {1} is the current one, and is not removed. "
                "Remedy: deploy or roll back to another release first.".format(store.stack, release)
            )
        if not self._fs.lstat(store.path(release)):
            return {"changed": False}
        if not self._check_mode:
            for warning in remove_release(self._fs, store, release):
                self._warn(warning)
        return {"changed": True}

    def _require_complete(self) -> None:
        missing = self._store.missing(self._release)
        if missing:
            raise StackError(
                "stack {0}: release {1} is not complete on the host: {2} is missing. "
                "Remedy: deploy it from its declaration again, or name a release that is complete: {3}.".format(
                    self._store.stack, self._release, ", ".join(missing), ", ".join(self._store.ids()) or "there is none"
                )
            )

    def _keep_images(self, record: t.Mapping[str, t.Any]) -> t.List[str]:
        try:
            return keep_images(
                self._engine, self._store.stack, self._release, record.get("images", {}), self._check_mode
            )
        except EngineUnavailable:
            if not self._check_mode:
                raise
            return []

    def _is_committed(self, current: str) -> bool:
        """Whether the release was made the current one with all that belongs to it, also by what was killed then."""
        return (
            current == self._release
            and self._store.verified(self._release) is not None
            and self._last_event().get("event", "deployed") in ("deployed", "rolled_back")
        )

    def _steps_stand(self, record: t.Mapping[str, t.Any]) -> bool:
        """Whether nothing is lost of what its steps and logins are, with a restored database or a volume that is gone."""
        last = {entry["step"]: entry for entry in StepLedger(self._store, self._release).entries()}
        if any(entry.get("undone") for entry in last.values()):
            return False
        try:
            gone = missing_volumes(self._engine, record["definition"])
        except EngineUnavailable:
            if not self._check_mode:
                raise
            return True
        return not (steps_on(record, gone) & last.keys() or gone and record.get("logins"))

    def _last_event(self) -> Event:
        of_release = [one for one in self._history.read() if one.get("release") == self._release]
        return of_release[-1] if of_release else {}

    def _note_start(self, action: str, why: str, lease: t.Optional[Lease]) -> None:
        last = self._last_event()
        if last.get("event") != "started" or last.get("run") != _run(lease):
            self._history.append(self._event("started", action, why, lease, previous=self._store.current()))

    def _event(self, kind: str, action: str, why: str, lease: t.Optional[Lease], **fields: t.Any) -> Event:
        return event(
            kind, action, lease, self._now(), stack=self._store.stack, release=self._release, why=why, **fields
        )


def _run(lease: t.Optional[Lease]) -> str:
    return lease.token if lease else ""


def _pruned(pruned: Pruned) -> Result:
    return {key: value for key, value in pruned._asdict().items() if key != "warnings"}


def _shortened(error: str) -> str:
    """The beginning says what failed, the end mostly why."""
    half = ERROR_LIMIT // 2
    return error if len(error) <= ERROR_LIMIT else "{0}\n[...]\n{1}".format(error[:half], error[-half:])
