# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell about an activation: its progress as it goes, and why it failed.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import errno
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Event, Failure
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_PROBE_LIMIT = 600


class ActivationFailed(StackError):
    """An activation ended before its end.

    ``story`` is what happened, ``aftermath`` what is so unless the stack is brought back to what it was, ``details``
    what the task's result says besides the message. After one for an ``untouched`` service another activation may go well.
    """

    def __init__(self, story: str, aftermath: str, details: t.Optional[t.Dict[str, t.Any]] = None, untouched: bool = False) -> None:
        super().__init__("\n".join(filter(None, (story, aftermath))))
        self.story, self.aftermath, self.details, self.untouched = story, aftermath, details or {}, untouched


class Interrupted(ActivationFailed):
    """A signal came."""


def error_text(stack: str, error: Exception) -> str:
    """An error as people read it, also one that does not know whose it is."""
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room there (df -h and docker system df say what is taken)" if full else "mend that on the host"
        return "stack {0}: {1}: {2}. Remedy: {3}, then run again.".format(
            stack, error.filename or "a file of the stack", error.strerror, remedy
        )
    if isinstance(error, EngineUnavailable):
        return "stack {0}: {1}".format(stack, error)
    return str(error)


def progress_line(event: Event) -> str:
    """An event as people read it."""
    state = "{0} -> {1}".format(event.before, event.state) if event.before else event.state
    return "{0:6.1f}s  {1}: {2}".format(event.at, event.service, state)


def failure_text(stack: str, failure: Failure, logs: t.Iterable[str], held: t.Iterable[str]) -> str:
    """What happened to a service. ``held`` tells who holds its ports."""
    lines = ["stack {0}: service {1} {2}.".format(stack, failure.service, failure.reason)]
    container = failure.container
    if container is not None and container.error:
        lines.append("The engine says: {0}".format(container.error))
    if container is not None and container.probe and container.health != "healthy":
        lines.append("Last probe: {0}".format(container.probe[:_PROBE_LIMIT]))
    if failure.output:
        lines += ["docker compose said:", *("  " + line for line in failure.output.splitlines())]
    lines += held
    shown = ["  " + line for line in logs]
    if shown:
        lines += ["Last log lines:", *shown]
    elif container is not None:
        lines.append("It wrote no log lines.")
    return "\n".join(lines)


def redacted(failure: Failure, redact: t.Callable[[str], str]) -> Failure:
    """The same failure, with no secret in what others said of it."""
    container = failure.container
    if container is not None:
        container = container._replace(probe=redact(container.probe), error=redact(container.error))
    return failure._replace(reason=redact(failure.reason), container=container, output=redact(failure.output))


def left_text(file: str, service: str, others: t.Iterable[str]) -> str:
    """What a failed activation leaves. ``others`` tells what else the run acted on."""
    done = ", ".join(others)
    return (
        "Remedy: correct the cause and deploy again; to look closer: docker compose -f {0} logs {1}\n".format(file, service)
        + ("This run had also acted on {0}; all other services".format(done) if done else "All other services")
        + " were left as they were."
    )


def acted_on(actions: t.Mapping[str, Action], failed: str, not_started: t.Container[str]) -> t.List[str]:
    """The actions besides the failed one, as people read them."""
    return [
        "{0} ({1}{2})".format(name, action.action, ", which failed too" if name in not_started else "")
        for name, action in actions.items()
        if name != failed
    ]
