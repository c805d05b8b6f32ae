# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting on a host through Docker's command line and the engine.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    LABEL_PROJECT,
    Container,
    Service,
    container_of,
    is_of_stack,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_report import Interrupted
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Event
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

# Enough to keep slow stops from holding up each other, few enough for a small server.
_WORKERS = 4
_OUTPUT_LINES = 8

# argv, text for its standard input -> exit code, standard output, standard error
Run = t.Callable[[t.List[str], t.Optional[str]], t.Tuple[int, str, str]]


class Clock(t.Protocol):
    """The time, as the module hands it in."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Interruptible:
    """The time and the runner of commands for as long as no signal has come: then what began ends, and no more begins.

    A signal is only noted when it comes, so it never cuts anything in half.
    """

    def __init__(self, stack: str, clock: Clock, run: Run) -> None:
        self._stack, self._clock, self._run = stack, clock, run
        self._by = ""

    def interrupt(self, by: str) -> None:
        self._by = self._by or by

    def time(self) -> float:
        return self._clock.time()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        self._heed()

    def run(self, argv: t.List[str], data: t.Optional[str]) -> t.Tuple[int, str, str]:
        self._heed()
        return self._run(argv, data)

    def _heed(self) -> None:
        if self._by:
            raise Interrupted(
                "stack {0}: interrupted by {1}. What had begun was brought to its end.".format(self._stack, self._by),
                "The next run takes up from there.",
            )


def environment(current: t.Mapping[str, str], socket: str) -> t.Dict[str, str]:
    """The environment for the command line: nothing in it may choose another project, file or engine."""
    kept = {
        key: value
        for key, value in current.items()
        if not key.startswith("COMPOSE_") and key not in ("DOCKER_HOST", "DOCKER_CONTEXT")
    }
    kept.update(COMPOSE_IGNORE_ORPHANS="1", DOCKER_HOST="unix://" + socket)
    return kept


def compose_argv(file: str, project_directory: str) -> t.List[str]:
    """Compose for one file, without the .env file that it would read unasked."""
    return [
        *("docker", "compose", "--ansi", "never", "--env-file", "/dev/null"),
        *("--project-directory", project_directory, "-f", file),
    ]


def up_argv(file: str, project_directory: str, action: Action) -> t.List[str]:
    """Compose's command for an action on one service, never on anything around it."""
    # Compose's own idea of what changed differs between its versions: the plan has decided.
    recreate = "--force-recreate" if action.action in ("recreate", "run") else "--no-recreate"
    return [
        *compose_argv(file, project_directory),
        *("up", "-d", "--no-deps", "--no-build", "--pull", "never", recreate, action.service),
    ]


def last_lines(output: str) -> str:
    """The end of Compose's output without its progress."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith((" Container ", " Network ", " Volume "))]
    return "\n".join(said[-_OUTPUT_LINES:])


def read_containers(engine: EngineClient, stack: str, now: float) -> t.List[Container]:
    """The stack's containers, without those that a person or a step runs once."""
    inspections = engine.inspect_all("{0}={1}".format(LABEL_PROJECT, stack))
    return [container_of(data, now) for data in inspections if is_of_stack(data)]


class Host:
    """The world of an activation: the engine, Compose, the clock, and who is told."""

    def __init__(
        self,
        stack: str,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        file: str,
        project_directory: str,
        tell: t.Callable[[Event], None],
        completed: t.Callable[[Service, Container], None],
        known: t.List[Container],
        ignored: t.Container[str] = (),
    ) -> None:
        self._stack, self._engine, self._run, self._clock = stack, engine, run, clock
        self._file, self._directory = file, project_directory
        self.tell = tell
        self.completed = completed
        self._pool = concurrent.futures.ThreadPoolExecutor(_WORKERS)
        self._jobs: t.Dict[str, concurrent.futures.Future[str]] = {}
        self._containers = known
        self._ignored = ignored
        self._fresh = True

    def now(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def containers(self) -> t.List[Container]:
        if not self._fresh:
            self._containers = read_containers(self._engine, self._stack, self._clock.time())
        self._fresh = False
        return [container for container in self._containers if container.id not in self._ignored]

    def launch(self, action: Action) -> None:
        self._jobs[action.service] = self._pool.submit(self._act, action)

    def ended(self) -> t.List[t.Tuple[str, str]]:
        over = [name for name, job in self._jobs.items() if job.done()]
        return [(name, self._jobs.pop(name).result()) for name in over]

    def remove(self, containers: t.Iterable[Container]) -> None:
        """Stop and remove containers, several at a time."""
        for _none in self._pool.map(self._engine.remove_container, [c.id for c in containers]):
            pass

    def close(self) -> None:
        """Let what has begun come to its end; a Compose process cut short leaves half a recreation behind."""
        for job in self._jobs.values():
            job.cancel()
        self._pool.shutdown()

    def _act(self, action: Action) -> str:
        try:
            for container in action.surplus:
                self._engine.remove_container(container.id)
            for container in self._containers:
                if container.service == action.service and container.state == "paused":
                    self._engine.post("/containers/{0}/unpause".format(container.id))
        except StackError as error:
            return str(error)
        if action.action == "remove":
            return ""
        code, out, err = self._run(up_argv(self._file, self._directory, action), None)
        return "" if code == 0 else last_lines(out + "\n" + err) or "exit code {0}".format(code)
