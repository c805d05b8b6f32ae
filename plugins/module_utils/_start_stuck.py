# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start that makes no progress waits for, told while it does.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence

# Seconds without a change until it is told, and at most between two times after that.
FIRST, LONGEST = 10.0, 60.0
_PROBE_LIMIT = 160
_WAITING = "waiting"


class StuckStart:
    """Sees an activation at every look, and tells of it when nothing has changed for a while, then ever less often."""

    def __init__(self, redact: t.Callable[[str], str]) -> None:
        self._redact = redact
        self._since: t.Dict[str, t.Tuple[str, float]] = {}
        self._changed = self._next = 0.0

    def look(self, machine: Convergence) -> t.List[str]:
        """The lines to tell now: one for each service that is awaited."""
        waiting = machine.waiting()
        for name in machine.services:
            state = _WAITING if name in waiting else "at work" if name in machine.at_work else machine.state(name)
            if self._since.get(name, ("", 0.0))[0] != state:
                self._since[name] = state, machine.now
                self._changed, self._next = machine.now, FIRST
        quiet = machine.now - self._changed
        if quiet < self._next:
            return []
        self._next += min(self._next, LONGEST)
        awaited = [name for name in machine.unsettled() if name not in waiting]
        return ["{0:6.1f}s  {1}".format(machine.now - machine.started, self._line(machine, name)) for name in awaited]

    def _line(self, machine: Convergence, name: str) -> str:
        container = machine.container(name)
        state, since = self._since[name]
        at_work = name in machine.at_work
        what = "docker compose is at work on it" if at_work else state
        line = "waits for {0} ({1}): {2} for {3:.0f} s".format(name, _awaited(machine, name), what, machine.now - since)
        if container is not None and container.probe and container.health != "healthy" and not at_work:
            # What is cut off may be half a secret, which nobody would find any more.
            line += ", last probe: {0}".format(_short(self._redact(container.probe)))
        behind = machine.behind(name)
        return line + "; behind it: {0}".format(", ".join(behind)) if behind else line


def _awaited(machine: Convergence, name: str) -> str:
    container: t.Optional[Container] = machine.container(name)
    if machine.services[name].oneshot:
        return "completed"
    return "healthy" if container is not None and container.health else "running"


def _short(probe: str) -> str:
    text = " ".join(probe.split())
    return text if len(text) <= _PROBE_LIMIT else text[:_PROBE_LIMIT] + "..."
