# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the containers of a host's stacks, and restarts those that are unhealthy. Never while a run is at work on the stack.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_STACK
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._heal_report import (
    FOLLOWED,
    REFUSED,
    RESTARTED,
    StateFile,
    entry,
    journal_line,
)
from ansible_collections.portside.stack.plugins.module_utils._heal_rules import (
    STEADY,
    WAITS,
    Memory,
    Seen,
    begun,
    delay,
    is_sick,
    judge,
)
from ansible_collections.portside.stack.plugins.module_utils._heal_stacks import Healed, Stacks
from ansible_collections.portside.stack.plugins.module_utils._lease import LockHeld, StackLock

# Events may be missed.
EVERY = 60.0
# How soon it is seen that a run is over which has to be waited for, or that one was at work on what was given up.
_RUN_OVER, _RUN_SEEN = 2.0, 5.0
_SOON = 0.5
# What the engine may need for a restart, besides the time that the container has to stop.
_ENGINE = 60.0


class Healer:
    """What is known of a host's containers, and what is done for them. ``no_memory`` are the ids of those whose process was killed."""

    def __init__(
        self,
        stacks: Stacks,
        lock_of: t.Callable[[str], StackLock],
        busy: t.Callable[[], t.Set[str]],
        clock: Clock,
        file: StateFile,
        tell: t.Callable[[str], None],
        note: t.Callable[[t.Dict[str, t.Any]], None],
    ) -> None:
        self._stacks, self._lock_of, self._busy, self._clock = stacks, lock_of, busy, clock
        self._file, self._tell, self._note = file, tell, note
        self._before = file.read()
        self._known: t.Dict[str, t.Tuple[Seen, Memory]] = {}
        # The stacks that a run was at work on: when that is over, all of it starts anew.
        self._disturbed: t.Set[str] = set()
        self._troubles: t.Dict[str, str] = {}
        self._no_memory: t.Dict[str, float] = {}

    def ran_out_of_memory(self, container: str) -> None:
        """The engine said so."""
        self._no_memory[container] = self._clock.time()

    def turn(self, engine: EngineClient) -> float:
        """Look at everything once, and do what is due; answers in how many seconds to look again at the latest."""
        stacks, troubles = self._stacks.read()
        self._tell_troubles(troubles)
        # Before and after: a run may begin or end meanwhile.
        busy = self._busy()
        inspected = engine.inspect_all(LABEL_STACK)
        busy |= self._busy()
        self._forget(busy, {data["Id"] for data in inspected})
        self._disturbed |= busy & stacks.keys()
        for stack, healed in stacks.items():
            if stack not in busy:
                self._heal(engine, healed, inspected)
        self._before = {}
        self._file.write(self._known)
        return self._pause()

    def _forget(self, busy: t.Set[str], there: t.Set[str]) -> None:
        over = self._disturbed - busy
        self._disturbed -= over
        self._known = {key: one for key, one in self._known.items() if key in there and one[0].stack not in over}
        recently = self._clock.time() - STEADY
        self._no_memory = {key: at for key, at in self._no_memory.items() if at >= recently}

    def _heal(self, engine: EngineClient, healed: Healed, inspected: t.List[t.Dict[str, t.Any]]) -> None:
        now, due = self._clock.time(), []
        all_seen = healed.seen(inspected, self._no_memory, now)
        for seen in all_seen:
            step = judge(self._memory(seen.id), seen, now)
            self._known[seen.id] = (seen, step.memory)
            if step.tell:
                self._report(step.tell, seen, step.memory)
            if step.restart:
                due.append(seen)
        gone = {key for key, (seen, _memory) in self._known.items() if seen.stack == healed.store.stack} - {one.id for one in all_seen}
        for key in gone:
            del self._known[key]
        if due:
            self._restart_locked(engine, healed, due, all_seen)

    def _memory(self, container: str) -> t.Optional[Memory]:
        if container in self._known:
            return self._known[container][1]
        # From before this program was started again.
        return self._before.get(container)

    def _restart_locked(self, engine: EngineClient, healed: Healed, due: t.List[Seen], all_seen: t.List[Seen]) -> None:
        stack = healed.store.stack
        led = {name for one in due for name in healed.followers(one.service)}
        seconds = sum(one.grace + _ENGINE for one in all_seen if one in due or one.service in led)
        try:
            with self._lock_of(stack).work("", "self-healing", seconds):
                # Up to here a run may have had its end.
                if healed.store.current() == healed.release:
                    self._restart(engine, healed, due, all_seen)
        except LockHeld:
            self._disturbed.add(stack)

    def _restart(self, engine: EngineClient, healed: Healed, due: t.List[Seen], all_seen: t.List[Seen]) -> None:
        done: t.Set[str] = set()
        for seen in due:
            if seen.id in done or not self._still_sick(engine, healed, seen):
                continue
            self._one(engine, seen, RESTARTED)
            done.add(seen.id)
            for follower in all_seen:
                if follower.service in healed.followers(seen.service) and follower.id not in done and _is_up(follower):
                    self._one(engine, follower, FOLLOWED, "service {0}".format(seen.service))
                    done.add(follower.id)

    def _still_sick(self, engine: EngineClient, healed: Healed, seen: Seen) -> bool:
        try:
            data = engine.get("/containers/{0}/json".format(seen.id))
        except EngineError as error:
            if error.status == 404:
                return False
            raise
        return healed.owns(data) and is_sick(self._known[seen.id][1], healed.one(data, False, self._clock.time()))

    def _one(self, engine: EngineClient, seen: Seen, kind: str, leader: str = "") -> None:
        before = self._known[seen.id][1]
        memory = begun(before, self._clock.time())
        # Known before it is done: whoever ends this program now does not make it try for ever.
        self._keep(seen, before._replace(next=None) if leader else memory)
        try:
            # With the signal and the time to stop that are the container's own.
            engine.post("/containers/{0}/restart".format(seen.id), timeout=seen.grace + _ENGINE)
        except EngineError as error:
            if error.status == 404:
                return
            kind, memory = REFUSED, memory._replace(failed=True, why="{0}; {1}".format(seen.why, error))
            self._keep(seen, memory)
        self._report(kind, seen, before._replace(why=leader, next=None) if kind == FOLLOWED else memory)

    def _keep(self, seen: Seen, memory: Memory) -> None:
        self._known[seen.id] = (seen, memory)
        self._file.write(self._known)

    def _report(self, kind: str, seen: Seen, memory: Memory) -> None:
        self._tell(journal_line(kind, seen, memory, delay(memory.restarts)))
        # That it waits is in what is told of the restart before.
        if kind != WAITS:
            self._note(entry(kind, seen, memory))

    def _tell_troubles(self, troubles: t.Dict[str, str]) -> None:
        for stack, why in troubles.items():
            if self._troubles.get(stack) != why:
                self._tell("<4>heal: stack {0} is not healed: {1}".format(stack, " ".join(why.split())))
        self._troubles = troubles

    def _pause(self) -> float:
        now, pauses = self._clock.time(), [EVERY]
        waiting = [memory.next for seen, memory in self._known.values() if seen.stack not in self._disturbed]
        pauses += [at - now for at in waiting if at is not None]
        pauses += [_RUN_OVER] if self._disturbed else []
        pauses += [_RUN_SEEN] if any(memory.given_up for _seen, memory in self._known.values()) else []
        return max(min(pauses), _SOON)


def _is_up(seen: Seen) -> bool:
    return seen.state in ("running", "restarting", "starting", "healthy", "unhealthy")
