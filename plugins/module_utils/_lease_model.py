# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lease and a refusal of it say.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


class Lease(t.NamedTuple):
    """Whose turn it is. Times are seconds since the epoch."""

    token: str
    purpose: str
    who: str
    origin: str  # the host the run was started on
    pid: int  # the run's process there
    started: str  # what tells that process from a later one of the same number; opaque
    since: float
    expires: float
    # {"stage", "seconds", "failed"} for each that is over; of one that was killed the seconds are null.
    stages: t.List[t.Dict[str, t.Any]]
    boot: str  # the start of the host it was taken in

    @property
    def holder(self) -> str:
        return "{0}@{1} (process {2})".format(self.who, self.origin, self.pid)


class Work(t.NamedTuple):
    """What a module does."""

    token: str
    stage: str
    since: float
    until: float  # when it is over at the latest


NO_WORK = Work("", "", 0.0, 0.0)


class LockHeld(StackError):
    """Somebody else has the stack; ``lease`` is theirs, none where a module works without one."""

    def __init__(self, message: str, lease: t.Optional[Lease]) -> None:
        super().__init__(message)
        self.lease = lease


def utc(seconds: float) -> str:
    """A time as it is written everywhere: 2026-11-21T11:32:34Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def held(stack: str, lease: Lease, work: Work, now: float) -> LockHeld:
    """Another run has the lease; ``work`` is what is noted of a module."""
    if work.stage and work.token == lease.token:
        stage = "in the stage {0} for {1:.0f} s now".format(work.stage, now - work.since)
    elif lease.stages:
        stage = "after the stage {0}".format(lease.stages[-1]["stage"])
    else:
        stage = "before its first stage"
    return LockHeld(
        "stack {0}: {1} has the lock for a {2} since {3} ({4:.0f} s ago), and is {5}. "
        "Unless that run goes on, the lock ends by itself at {6} (in {7:.0f} s). "
        "Remedy: wait until that run ends, then run again. Nothing was changed by this one.".format(
            *(stack, lease.holder, lease.purpose, utc(lease.since), now - lease.since, stage),
            *(utc(lease.expires), lease.expires - now),
        ),
        lease,
    )


def at_work(stack: str, lease: t.Optional[Lease], work: Work, now: float) -> LockHeld:
    """A module works on the stack, whoever has the lease."""
    doing = "at the beginning or end of a stage"
    if work.stage:
        doing = "in the stage {0} since {1} ({2:.0f} s ago), until {3} at the latest (in {4:.0f} s)".format(
            work.stage, utc(work.since), now - work.since, utc(work.until), work.until - now
        )
    return LockHeld(
        "stack {0}: another run is working on it at this moment: {1}, {2}. Remedy: wait until it ends, then run again; "
        "a run whose connection broke goes on by itself. Nothing was changed by this one.".format(
            stack, lease.holder if lease else "one without a lock", doing
        ),
        lease,
    )


def lost(stack: str, holder: t.Optional[Lease]) -> LockHeld:
    """The run's own lease is gone; ``holder`` is who has one now."""
    if holder:
        fate = "{0} has it since {1} for a {2}".format(holder.holder, utc(holder.since), holder.purpose)
    else:
        fate = "it was given back, or the host was restarted"
    return LockHeld(
        "stack {0}: this run does not have the lock any more: {1}. Nothing was changed by this task. "
        "Remedy: run again.".format(stack, fate),
        holder,
    )


def waiting(stack: str, work: Work) -> str:
    """That a module is being waited for."""
    return "stack {0}: the stage {1} is still at work here, since {2}; waits for its end, until {3} at the latest".format(
        stack, work.stage, utc(work.since), utc(work.until)
    )
