# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a container is restarted because it is unhealthy, when that waits, and when it is given up.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What is known of a container goes with it: one that a deploy put in its place starts anew.
"""

from __future__ import annotations

import typing as t

HEALTHY, UNHEALTHY = "healthy", "unhealthy"
# Containers that do not run. One that our own restart left so is not as anybody wanted it.
_DOWN = ("exited", "created", "dead")
# The first restart is at once; what comes before the next ones, in seconds.
FIRST, MOST = 10.0, 300.0
# How long it has to be healthy until its restarts are forgotten.
STEADY = 600.0
# So many restarts of the engine's own, in that time, are a loop.
LOOP = 5

WAITS, GIVEN_UP, HEALED, LOOPS, LOOP_OVER = "waits", "given_up", "healed", "loops", "loop_over"


class Seen(t.NamedTuple):
    """A container as it is now. ``restarts`` are those of the engine's own, ``grace`` the seconds it has to stop."""

    id: str
    stack: str
    service: str
    name: str
    state: str
    why: str = ""
    restarts: int = 0
    attempts: int = 5
    grace: float = 10.0


class Memory(t.NamedTuple):
    """What is known of it.

    ``restarts`` are ours, since it last was healthy for long; ``next`` is when it is restarted if it stays unhealthy.
    ``failed`` tells that a restart ended with an error. ``counted`` is how many restarts of its own the engine had
    counted at the beginning of the time in which they are watched.
    """

    counted: int
    counted_at: float
    restarts: int = 0
    last: t.Optional[float] = None
    next: t.Optional[float] = None
    given_up: bool = False
    why: str = ""
    healthy: t.Optional[float] = None
    failed: bool = False
    looping: bool = False

    @property
    def noteworthy(self) -> bool:
        """Whether anybody has to know of it."""
        return bool(self.restarts or self.given_up or self.looping or self.next is not None)


class Step(t.NamedTuple):
    """What is known now, what to tell of it, and whether to restart the container."""

    memory: Memory
    tell: str = ""
    restart: bool = False


def delay(restarts: int) -> float:
    """What a container that failed again after so many restarts waits for the next one."""
    return min(FIRST * 2 ** min(restarts - 1, 10), MOST) if restarts else 0.0


def judge(known: t.Optional[Memory], seen: Seen, now: float) -> Step:
    """What to do about a container."""
    memory, tell = _watched(_in_time(known or Memory(seen.restarts, now), now), seen, now)
    if memory.looping or tell:
        return Step(memory, tell)
    if seen.state == HEALTHY:
        return _well(memory, now)
    memory = memory._replace(healthy=None, failed=memory.failed and seen.state in _DOWN)
    if not is_sick(memory, seen):
        return Step(memory._replace(next=None))
    memory = memory._replace(why=seen.why)
    if memory.given_up:
        return Step(memory)
    if memory.restarts >= seen.attempts:
        return Step(memory._replace(given_up=True, next=None), GIVEN_UP)
    if memory.next is None:
        memory = memory._replace(next=now + delay(memory.restarts))
        tell = WAITS if memory.restarts else ""
    return Step(memory, tell, now >= (memory.next or 0.0))


def is_sick(memory: Memory, seen: Seen) -> bool:
    """Whether a restart is what it needs."""
    return seen.state == UNHEALTHY or memory.failed and seen.state in _DOWN


def begun(memory: Memory, now: float) -> Memory:
    """It is restarted now."""
    return memory._replace(restarts=memory.restarts + 1, last=now, next=None, healthy=None, failed=False)


def _well(memory: Memory, now: float) -> Step:
    since = now if memory.healthy is None else memory.healthy
    tell = HEALED if memory.given_up or memory.restarts and memory.healthy is None else ""
    if memory.given_up or now - since >= STEADY:
        memory = Memory(memory.counted, memory.counted_at)
    return Step(memory._replace(healthy=since, next=None, failed=False, why=""), tell)


def _watched(memory: Memory, seen: Seen, now: float) -> t.Tuple[Memory, str]:
    """The restarts that the engine does by itself, as the restart policy says."""
    if seen.restarts < memory.counted:
        # Somebody has restarted it, and the engine counts anew.
        return memory._replace(counted=seen.restarts, counted_at=now, looping=False), ""
    grown, seconds = seen.restarts - memory.counted, now - memory.counted_at
    fresh = memory._replace(counted=seen.restarts, counted_at=now)
    if not memory.looping and grown >= LOOP:
        why = "the engine has restarted it {0} times within {1:.0f} s; {2}".format(grown, seconds, seen.why)
        return fresh._replace(looping=True, next=None, healthy=None, why=why), LOOPS
    if seconds < STEADY:
        return memory, ""
    if memory.looping and not grown:
        return fresh._replace(looping=False, why=""), LOOP_OVER
    return fresh, ""


def _in_time(memory: Memory, now: float) -> Memory:
    """As it counts where the clock was set back since."""
    return memory._replace(
        counted_at=min(memory.counted_at, now),
        healthy=None if memory.healthy is None else min(memory.healthy, now),
        next=None if memory.next is None else min(memory.next, now + MOST),
    )
