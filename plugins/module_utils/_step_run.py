# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module release_step does: each step of a release once, whatever became of earlier runs.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_report import Interrupted
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._schema import Comparison
from ansible_collections.portside.stack.plugins.module_utils._step_container import (
    LABEL_RELEASE,
    LABEL_ROLE,
    LABEL_STEP,
    Ended,
    NotStarted,
)
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import Entry, StepLedger
from ansible_collections.portside.stack.plugins.module_utils._step_work import StepWork
from ansible_collections.portside.stack.plugins.module_utils._steps import (
    Step,
    Verdict,
    failure_text,
    step_of,
    unknown_text,
    verdict,
)

# As docker has it for a container that could not be started.
_NOT_STARTED = 125
_DEFAULT_TIMEOUT = 600

Result = t.Dict[str, t.Any]


class StepFailed(StackError):
    """A step failed; ``results`` are those of the steps up to it."""

    def __init__(self, message: str, results: t.List[Result]) -> None:
        super().__init__(message)
        self.results = results


class ReleaseSteps:
    """The steps of one release that are to run now."""

    def __init__(
        self, work: StepWork, steps: t.List[Step], leader: bool, start_missing: t.Callable[[t.Set[str]], t.Any]
    ) -> None:
        """``start_missing`` has up what services need."""
        self._work, self._steps, self._leader = work, steps, leader
        self._stack = work.store.stack
        self._start_missing = start_missing
        self._void: t.Set[str] = set()
        self._adopted: t.Dict[str, Ended] = {}
        self._results: t.List[Result] = []

    def plan(self) -> t.List[Result]:
        """The steps with what would be done; changes nothing."""
        # Its engine may be yet to come.
        with contextlib.suppress(EngineUnavailable):
            self._void = self._work.void_steps()
        for step in self._steps:
            judged = self._verdict(step)
            if judged.action == "refuse" and not self._may_be_left(step):
                raise self._unknown(step)
            known = judged.action in ("already_ran", "left_to_leader")
            self._note(step, judged.action if known else "would_run", judged.reason)
        return self._results

    def carry_out(self) -> t.List[Result]:
        """Run what is to run, in order; the first that fails ends it."""
        self._settle()
        self._void = self._work.void_steps()
        for step in self._steps:
            self._one(step, self._verdict(step))
        return self._results

    def _verdict(self, step: Step) -> Verdict:
        if step.name in self._void:
            return verdict(step, None, None, self._leader)
        return verdict(step, self._work.ledger.last(step.name), self._work.latest(step), self._leader)

    def _may_be_left(self, step: Step) -> bool:
        """Whether there may be a container that tells how the step ended."""
        try:
            return any(data["Config"]["Labels"][LABEL_STEP] == step.name for data in self._work.oneoffs.left())
        except EngineUnavailable:
            return True

    # -- one step --------------------------------------------------------------------------------------------------

    def _one(self, step: Step, judged: Verdict) -> None:
        if judged.action == "already_ran" and step.name in self._adopted:
            entry = self._work.ledger.last(step.name)
            self._note(step, "ran", "was started by an earlier run, and has completed", entry, self._adopted[step.name])
        elif judged.action in ("already_ran", "left_to_leader"):
            self._note(step, judged.action, judged.reason)
        elif judged.action == "refuse":
            raise self._unknown(step)
        else:
            self._start_needs(step)
            if judged.action == "ask" and not self._is_needed(step, judged.reason):
                self._note(step, "not_needed", "its check says that it is not needed any more")
            else:
                self._run(step, judged.reason)

    def _start_needs(self, step: Step) -> None:
        try:
            self._start_missing({step.service})
        except Interrupted:
            raise
        except StackError as error:
            text = "stack {0}: step {1} was not started, as what its service {2} needs is not up.\n{3}"
            raise StepFailed(text.format(self._stack, step.name, step.service, error), self._results) from error

    def _is_needed(self, step: Step, reason: str) -> bool:
        self._work.tell(step, "asking its check ({0})".format(reason))
        code, output = self._work.ask(step, "check", step.check)
        if code:
            self._work.tell(step, "its check says that it is needed (exit code {0})".format(code))
            return True
        self._work.record_not_needed(step, output)
        self._work.tell(step, "not needed any more, says its check")
        return False

    def _run(self, step: Step, reason: str) -> None:
        work = self._work
        work.tell(step, "run ({0})".format(reason))
        launched = work.begin(step)
        name = launched.name
        try:
            ended = work.oneoffs.finish(launched, step.timeout)
        except NotStarted as error:
            name, ended = "", Ended(_NOT_STARTED, str(error).splitlines(), 0.0)
        except Interrupted as error:
            goes_on = "The step {0} goes on by itself, in the container {1}. The next run waits for its end."
            raise Interrupted(error.story, goes_on.format(step.name, name)) from error
        except EngineError as error:
            if error.status != 404:
                raise
            # Somebody removed it while it ran.
            raise self._unknown(step) from error
        entry = work.record(work.ledger, step, name, ended)
        if not entry["ended"]:
            raise self._unknown(step)
        moved = self._note(step, "ran", reason, entry, ended)
        if entry["exit_code"] == 0:
            also = ", moved the schema of {0}".format(", ".join(moved.names)) if moved.verdict == "moved" else ""
            work.tell(step, "completed ({0:.1f} s{1})".format(ended.seconds, also))
            return
        what = _what(step, name, ended)
        work.tell(step, what)
        message = failure_text(self._stack, work.release, work.store.current(), step, what, entry, moved)
        raise StepFailed(message, self._results)

    def _unknown(self, step: Step) -> StepFailed:
        return StepFailed(unknown_text(self._stack, step, self._work.latest(step)), self._results)

    def _note(
        self, step: Step, action: str, reason: str, entry: t.Optional[Entry] = None, ended: t.Optional[Ended] = None
    ) -> Comparison:
        moved = self._work.moved(step, entry) if entry else Comparison("", [])
        self._results.append(
            {
                "name": step.name,
                "action": action,
                "reason": reason,
                "exit_code": entry["exit_code"] if entry else None,
                "seconds": ended.seconds if ended else None,
                "schema": moved.verdict or None,
                "dump": entry["dump"] if entry else None,
            }
        )
        return moved

    # -- what earlier runs left ------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Bring the containers of earlier runs to their end, also those of releases that never came to be.

        Afterwards the ledgers tell everything: an entry without an end is one that nobody can know about.
        """
        for data in self._work.oneoffs.left():
            labels = data["Config"]["Labels"]
            release, name, role = labels[LABEL_RELEASE], labels[LABEL_STEP], labels.get(LABEL_ROLE)
            ledger = StepLedger(self._work.store, release)
            entry = ledger.last(name) if release in self._work.store.ids() else None
            if role != "command" or (entry and entry["ended"]):
                self._work.oneoffs.remove(data["Id"])
            elif data["State"]["Status"] != "created" or not self._work.oneoffs.remove_unstarted(data["Id"]):
                self._adopt(data, release, ledger, entry, self._step_of(release, name))
            elif entry:
                ledger.forget(name)

    def _adopt(
        self, data: t.Dict[str, t.Any], release: str, ledger: StepLedger, entry: t.Optional[Entry], step: Step
    ) -> None:
        if data["State"]["Status"] not in ("exited", "dead"):
            self._work.tell(step, "is still running from an earlier run, waits for its end")
        uptime = self._work.oneoffs.uptime(data)
        try:
            ended = self._work.oneoffs.wait(data["Id"], step.timeout - uptime)
        except EngineError as error:
            if error.status != 404:
                raise
            return
        ended = ended._replace(seconds=round(uptime + ended.seconds, 1), engine_away=True)
        if not entry:
            self._work.oneoffs.remove(data["Id"])
            return
        entry = self._work.record(ledger, step, data["Id"], ended)
        how = "exit code {0}".format(entry["exit_code"]) if entry["ended"] else "it was ended from outside"
        self._work.tell(step, "started by an earlier run, has ended: {0}".format(how))
        if release == self._work.release:
            self._adopted[step.name] = ended

    def _step_of(self, release: str, name: str) -> Step:
        for step in self._steps if release == self._work.release else ():
            if step.name == name:
                return step
        try:
            record = self._work.store.read(release)
        except StackError:
            record = {"steps": []}
        found = [step_of(data) for data in record["steps"] if data["name"] == name]
        return found[0] if found else Step(name, "", [], "", _DEFAULT_TIMEOUT, False, None, False, None, "auto", None)


def _what(step: Step, name: str, ended: Ended) -> str:
    if not name:
        return "could not be started"
    if ended.timed_out:
        return "did not end within its {0} s, and was stopped".format(step.timeout)
    if ended.out_of_memory:
        return "was killed after {0:.1f} s: it needs more memory than its service may have".format(ended.seconds)
    return "failed: exit code {0} after {1:.1f} s".format(ended.code, ended.seconds)
