# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step's work on the host: its container, the schemas around it, its dump, and what is written down of it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._database_dump import Failed, dump
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import utc
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._schema import (
    Comparison,
    Fingerprints,
    compare,
    fingerprints,
)
from ansible_collections.portside.stack.plugins.module_utils._step_container import (
    Ended,
    Launched,
    NotStarted,
    OneOffs,
)
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import Entry, StepLedger
from ansible_collections.portside.stack.plugins.module_utils._step_volumes import missing_volumes, steps_on
from ansible_collections.portside.stack.plugins.module_utils._steps import Step, from_outside

# As timeout(1) has it; the step itself may well end with 0 when it is stopped.
_TIMED_OUT = 124


class StepWork:
    """What can be done for the steps of one release."""

    def __init__(
        self,
        store: ReleaseStore,
        release: str,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        tell: t.Callable[[str], None],
        token: str,
    ) -> None:
        """``token`` tells this run from others in the ledger."""
        self.store, self.release = store, release
        self.ledger = StepLedger(store, release)
        self.oneoffs = OneOffs(store.stack, store.directory, engine, run, clock)
        self._engine, self._run, self._clock, self._token = engine, run, clock, token
        self._tell_line = tell
        self._began = clock.monotonic()

    def now(self) -> str:
        return utc(self._clock.time())

    def tell(self, step: Step, text: str) -> None:
        seconds = self._clock.monotonic() - self._began
        self._tell_line("{0:6.1f}s  step {1}: {2}".format(seconds, step.name, text))

    def latest(self, step: Step) -> t.Optional[Entry]:
        """The last entry of a step in any release; of two within one second that of this release."""
        others = (StepLedger(self.store, release).last(step.name) for release in self.store.ids())
        found = [entry for entry in (self.ledger.last(step.name), *others) if entry]
        return max(found, key=lambda entry: entry["started"], default=None)

    def void_steps(self) -> t.Set[str]:
        """The steps whose work is lost with a volume, which is noted when what they need makes the volume anew."""
        if self.release not in self.store.ids():
            return set()
        record = self.store.read(self.release)
        return steps_on(record, missing_volumes(self._engine, record["definition"]))

    # -- containers ------------------------------------------------------------------------------------------------

    def launch(self, step: Step, role: str, argv: t.List[str]) -> Launched:
        file = self.store.compose_file(self.release)
        return self.oneoffs.launch(self.release, file, step.name, role, step.service, argv)

    def begin(self, step: Step) -> Launched:
        """Start a step, and have it written down before it is."""
        before = self.fingerprints(step)
        dumped = self._dump(step, before) if step.dump else None
        self.ledger.begin(step.name, self.now(), self._token, before, dumped)
        try:
            return self.launch(step, "command", step.command)
        except StackError:
            self.ledger.forget(step.name)
            raise

    def ask(self, step: Step, role: str, argv: t.List[str]) -> t.Tuple[int, t.List[str]]:
        """Run a command that changes nothing: exit code, and the lines of its standard output."""
        launched = self.launch(step, role, argv)
        try:
            ended = self.oneoffs.finish(launched, step.timeout)
        except NotStarted as error:
            raise StackError(
                "stack {0}: step {1}: its {2} could not be started: {3}. Remedy: correct it and deploy again.".format(
                    self.store.stack, step.name, role, error
                )
            ) from error
        output = self.oneoffs.output(launched.name)
        self.oneoffs.remove(launched.name)
        return _TIMED_OUT if ended.timed_out else ended.code, output.splitlines()

    def record(self, ledger: StepLedger, step: Step, name: str, ended: Ended) -> Entry:
        """Write down how a step ended, then remove its container; an end from outside leaves the entry without one."""
        code = _TIMED_OUT if ended.timed_out else ended.code
        if not ended.timed_out and not ended.out_of_memory and from_outside(code, not ended.engine_away):
            ledger.ended_from_outside(step.name, code, ended.output)
        else:
            ledger.end(step.name, self.now(), code, ended.output, self.fingerprints(step))
        if name:
            self.oneoffs.remove(name)
        return ledger.last(step.name)

    def record_not_needed(self, step: Step, output: t.List[str]) -> None:
        """Write down that the step has nothing to do, which settles whatever is not known of it."""
        schema = self.fingerprints(step)
        own = self.ledger.last(step.name)
        if own is None or own["ended"]:
            self.ledger.begin(step.name, self.now(), self._token, schema, None)
        said = ["Not run: its check says that it is not needed any more.", *map(self.oneoffs.redact, output)]
        self.ledger.end(step.name, self.now(), 0, said, schema)

    # -- schemas and dumps -----------------------------------------------------------------------------------------

    def fingerprints(self, step: Step) -> t.Optional[Fingerprints]:
        if step.schema == "none":
            return None

        def tell() -> t.Optional[str]:
            try:
                code, output = self.ask(step, "schema_command", step.schema_command)
            except StackError as error:
                self.tell(step, "nothing is known of its schema: {0}".format(error))
                return None
            return None if code else "\n".join(output)

        commands = {step.name: tell} if step.schema_command else {}
        return fingerprints(self._engine, self._run, self.store.stack, commands)

    def moved(self, step: Step, entry: Entry) -> Comparison:
        """Whether a step moved a schema."""
        return Comparison("same", []) if step.schema == "none" else compare(entry["schema_before"], entry["schema_after"])

    def _dump(self, step: Step, schema: t.Optional[Fingerprints]) -> t.Optional[str]:
        """Dump the step's database, unless an earlier attempt has changed it: then the dump from before that stays."""
        wanted = step.dump
        attempts = [one for one in self.ledger.entries() if one["step"] == step.name and not one.get("undone")]
        dumped = [one for one in attempts if one["dump"]]
        if dumped and compare(dumped[-1]["schema_before"], schema).verdict != "same":
            self.tell(step, "keeps the dump from before its attempt of {0}".format(dumped[-1]["started"]))
            return None
        # What was lost may be wanted back: its dump stays.
        lost = sum(1 for one in self.ledger.entries() if one["step"] == step.name and one.get("undone") and one["dump"])
        number = "-{0}".format(lost + 1) if lost else ""
        file = "{0}-{1}-{2}{3}.dump".format(step.name, wanted.service, wanted.database, number)
        path = self.store.state_path(self.release, "dumps", file)
        self.tell(step, "dumping {0.service}/{0.database}".format(wanted))
        try:
            os.makedirs(self.store.state_path(self.release), mode=0o700, exist_ok=True)
            size = dump(self.store.stack, self._engine, self._run, *wanted, path, step.timeout, self._clock)
        except (Failed, OSError) as error:
            raise StackError(
                "stack {0}: step {1}: the dump of {2.service}/{2.database} that it asks for could not be made: {3}. "
                "The step was not started, and nothing is left of the dump. Remedy: correct the cause and deploy "
                "again.".format(self.store.stack, step.name, wanted, self.oneoffs.redact(str(error)))
            ) from error
        self.tell(step, "dumped {0.service}/{0.database}, {1} bytes".format(wanted, size))
        return path
