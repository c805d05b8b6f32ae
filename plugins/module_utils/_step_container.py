# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that run one command of a release and end: they outlive whoever started them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, compose_argv, last_lines
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, container_of
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor

LABEL_RELEASE = "portside.release"
LABEL_STEP = "portside.step"
# command, or the key of the step whose command it is: check, schema_command.
LABEL_ROLE = "portside.step-role"

_INTERVAL = 0.25
_LOG_LINES = 50


class Launched(t.NamedTuple):
    """A container that was told to start, and what was said where that failed."""

    name: str
    labels: t.Dict[str, str]
    error: str


class Ended(t.NamedTuple):
    """How a container ended.

    ``engine_away`` tells that the engine was not there all the time, or nobody who watched.
    """

    code: int
    output: t.List[str]
    seconds: float
    timed_out: bool = False
    out_of_memory: bool = False
    engine_away: bool = False


class NotStarted(StackError):
    """The container never ran; the text is what Compose or the engine said."""


class OneOffs:
    """The one-off containers of a stack."""

    def __init__(self, stack: str, directory: str, engine: EngineClient, run: Run, clock: Clock) -> None:
        self._stack, self._directory = stack, directory
        self._engine, self._run, self._clock = engine, run, clock
        self.redact = redactor(os.path.join(directory, "secrets"))

    def left(self) -> t.List[t.Dict[str, t.Any]]:
        """Inspections of those that earlier runs left."""
        found = self._engine.inspect_all("{0}={1}".format(LABEL_PROJECT, self._stack))
        return [data for data in found if LABEL_STEP in (data["Config"].get("Labels") or {})]

    def launch(
        self, release: str, compose_file: str, step: str, role: str, service: str, argv: t.List[str]
    ) -> Launched:
        """Start a command in a container of its own. When this raises, nothing was started."""
        name = container_name(self._stack, step, release, role)
        labels = {LABEL_STEP: step, LABEL_RELEASE: release, LABEL_ROLE: role}
        options = [word for key, value in labels.items() for word in ("--label", "{0}={1}".format(key, value))]
        code, out, err = self._run(
            [
                *compose_argv(compose_file, self._directory),
                *("run", "-d", "--no-TTY", "--no-deps", "--name", name, *options, service, *argv),
            ],
            None,
        )
        said = last_lines(out + "\n" + err) or "exit code {0}".format(code)
        return Launched(name, labels, self.redact(said) if code else "")

    def finish(self, launched: Launched, seconds: float) -> Ended:
        """Wait for what was launched. Raises NotStarted where it never ran."""
        if launched.error:
            self._see_that_it_started(launched, self._clock.monotonic() + seconds)
        return self.wait(launched.name, seconds)

    def wait(self, name: str, seconds: float) -> Ended:
        """Wait until a container has ended. When its time is up it is stopped, with its own signal and grace."""
        began = self._clock.monotonic()
        away = False
        while True:
            data, missed = self._inspect(name, began + seconds)
            away = away or missed
            if data["State"]["Status"] in ("exited", "dead"):
                timed_out = False
                break
            if self._clock.monotonic() >= began + seconds:
                self._engine.post("/containers/{0}/stop".format(name), timeout=3600)
                data, timed_out = self._inspect(name, 0)[0], True
                break
            self._clock.sleep(_INTERVAL)
        return Ended(
            code=data["State"]["ExitCode"],
            output=[self.redact(line) for line in self._engine.logs(name, _LOG_LINES)],
            seconds=round(self._clock.monotonic() - began, 1),
            timed_out=timed_out,
            out_of_memory=bool(data["State"].get("OOMKilled")),
            engine_away=away,
        )

    def uptime(self, data: t.Dict[str, t.Any]) -> float:
        """The seconds since an inspected container was started."""
        return container_of(data, self._clock.time()).uptime

    def output(self, name: str) -> str:
        """All that a container wrote to its standard output, without its errors."""
        code, out, err = self._run(["docker", "logs", name], None)
        if code:
            raise StackError(self.redact(last_lines(err)))
        return out

    def remove(self, name: str) -> None:
        """Remove a container, and the volumes without a name that it had to itself."""
        try:
            self._engine.delete("/containers/{0}".format(name), force=1, v=1)
        except EngineError as error:
            if error.status != 404:
                raise

    def remove_unstarted(self, name: str) -> bool:
        """Remove a container that never ran; false when it has been started meanwhile."""
        try:
            self._engine.delete("/containers/{0}".format(name), v=1)
        except EngineError as error:
            if error.status not in (404, 409):
                raise
            return error.status == 404
        return True

    def _see_that_it_started(self, launched: Launched, until: float) -> None:
        """Compose ended with an error: but the engine may have gone away just after the container was started."""
        try:
            data, _away = self._inspect(launched.name, until)
        except EngineError as error:
            if error.status != 404:
                raise
            raise NotStarted(launched.error) from error
        foreign = not launched.labels.items() <= (data["Config"].get("Labels") or {}).items()
        if foreign or data["State"]["Status"] == "created" and self.remove_unstarted(launched.name):
            raise NotStarted(launched.error)

    def _inspect(self, name: str, until: float) -> t.Tuple[t.Dict[str, t.Any], bool]:
        """A container, and whether the engine was away; it is waited for until then."""
        away = False
        while True:
            try:
                return self._engine.get("/containers/{0}/json".format(name)), away
            except StackError as error:
                # An engine on its way down or up may still, or already, answer with errors of its own.
                gone = isinstance(error, EngineUnavailable) or isinstance(error, EngineError) and error.status >= 500
                if not gone or self._clock.monotonic() >= until:
                    raise
                away = True
            self._clock.sleep(_INTERVAL)


def container_name(stack: str, step: str, release: str, role: str = "command") -> str:
    """The same name each time, so that a second one cannot be started."""
    name = "{0}-step-{1}-{2}".format(stack, step, release[:8])
    return name if role == "command" else "{0}-{1}".format(name, role)
