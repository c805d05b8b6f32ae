# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a start: when each service was begun and up, and for whom it waited how long.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence

Record = t.Dict[str, t.Any]
NOT_STARTED = "not started"
AT_WORK = "being started"


class StartRecord:
    """What is seen of an activation, which may take several attempts. Times are told in seconds since its start."""

    def __init__(self, started: float) -> None:
        self._started = self._last = started
        self._services: t.Dict[str, Record] = {}
        self._waits: t.Dict[str, t.Dict[t.Tuple[str, str], float]] = {}
        self._open: t.Dict[str, t.List[t.Tuple[str, str]]] = {}

    def plan(self, actions: t.Mapping[str, Action]) -> None:
        """An attempt begins, and is to do this."""
        for name, action in actions.items():
            if action.action != "remove":
                found = {"service": name, "action": action.action, "reason": action.reason}
                self._services.setdefault(name, dict(found, begun=None, up=None, state=NOT_STARTED, waited_for=[]))

    def watch(self, machine: Convergence) -> None:
        """Take in how the services are at this moment."""
        for name, needs in self._open.items():
            waits = self._waits.setdefault(name, {})
            for need in needs:
                waits[need] = waits.get(need, 0.0) + machine.now - self._last
        self._open, self._last = machine.waiting(), machine.now
        for name, found in self._services.items():
            if found["begun"] is None and name in machine.begun:
                found["begun"] = self._since(machine.begun[name])
            if found["begun"] is None:
                continue
            found["state"] = AT_WORK if name in machine.at_work else machine.state(name)
            up = machine.is_up(name)
            # What is up, and is not any more a moment later, was not up.
            found["up"] = (self._since(machine.now) if found["up"] is None else found["up"]) if up else None

    def told(self, recorded: str, now: float, failed: str = "") -> t.Optional[Record]:
        """The record, those begun first in front; none where nothing was begun.

        ``recorded`` is the time as it is written, ``failed`` the service for which it ended: that one was not up, however
        it looks, as what runs has to stand for a while.
        """
        found = [dict(one, waited_for=self._waited_for(name)) for name, one in self._services.items()]
        for one in found:
            one["up"] = None if one["service"] == failed else one["up"]
        if all(one["begun"] is None for one in found):
            return None
        found.sort(key=lambda one: (one["begun"] is None, one["begun"] or 0.0))
        return {"recorded": recorded, "seconds": self._since(now), "services": found}

    def _waited_for(self, name: str) -> t.List[Record]:
        """The longest wait first."""
        waits = {need: round(seconds, 1) for need, seconds in self._waits.get(name, {}).items()}
        found = [{"service": need[0], "condition": need[1], "seconds": seconds} for need, seconds in waits.items() if seconds]
        return sorted(found, key=lambda wait: -wait["seconds"])

    def _since(self, moment: float) -> float:
        return round(moment - self._started, 1)


def not_up(record: Record) -> t.List[str]:
    """The services that were to be started and did not come up."""
    return [one["service"] for one in record["services"] if one["up"] is None]
