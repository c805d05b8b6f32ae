# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may change a stack: a lease that ends by itself, and a flock for as long as a module works.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A run is many modules, one after the other, and nothing of it is on the host between two of them. So it takes a lease,
which every module renews by its own time limit. No module shortens it: the run may be at work on other hosts for as
long, and comes back when the slowest of them is ready. While a module works it holds a flock besides: the kernel ends that
with the process, and not before, so a module whose controller died goes on undisturbed.

Three files in /run/portside, none of which holds a secret:

- NAME.lease, the lease as JSON, replaced whole: so it is never seen half written, and reading it needs no lock.
- NAME.work, under flock by the module that works; it tells the stage. It is never replaced, a flock is on the inode.
- NAME.lock, under flock for the moment in which one of the two is read and changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._lease_model import (
    NO_WORK,
    Lease,
    LockHeld,
    Work,
    at_work,
    held,
    lost,
    utc,
    waiting,
)
from ansible_collections.portside.stack.plugins.module_utils._run_directory import (
    DIRECTORY,
    STACK_NAME,
    open_run_file,
    rewrite,
    run_path,
    try_flock,
)

__all__ = ["IDLE", "Lease", "LockHeld", "StackLock", "boot_id", "busy_stacks", "utc"]

# What a run may take between two modules beyond their limits: the controller's own work, and a slow connection.
IDLE = 120.0
_POLL = 0.5
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """What tells this start of the host from the others; empty where the kernel does not say."""
    try:
        with open(_BOOT_ID, encoding="ascii") as handle:
            return handle.read().strip()
    except OSError:
        return ""


class StackLock:
    """The lock of one stack."""

    def __init__(self, stack: str, now: t.Callable[[], float], directory: str = DIRECTORY, boot: str = "") -> None:
        self.stack = stack
        self._now, self._directory = now, directory
        self._boot = boot or boot_id()
        self._path = run_path(stack, "lease", directory)

    # -- looking ---------------------------------------------------------------------------------------------------

    def read(self) -> t.Optional[Lease]:
        """The lease that is written, whether or not it still counts."""
        try:
            with open(self._path, encoding="utf-8") as handle:
                return Lease(**json.load(handle))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def holder(self) -> t.Optional[Lease]:
        """The lease that counts: of this start of the host, and not expired."""
        lease = self.read()
        return lease if lease and lease.boot == self._boot and lease.expires > self._now() else None

    def check(self, token: str = "", dead: t.Container[str] = ()) -> None:
        """Raise LockHeld if another run has the lease, except one of the dead; changes nothing."""
        lease = self.holder()
        if lease and lease.token != token and lease.token not in dead:
            raise held(self.stack, lease, self._noted(), self._now())

    def busy(self) -> bool:
        """Whether a run has the lease, or a module is at work, as is noted of them: this keeps nobody waiting."""
        return self.holder() is not None or self._noted().until > self._now()

    # -- the lease -------------------------------------------------------------------------------------------------

    def acquire(
        self,
        lease_of: t.Mapping[str, t.Any],
        purpose: str,
        token: str,
        seconds: float,
        dead: t.Container[str] = (),
        sleep: t.Optional[t.Callable[[float], None]] = None,
        tell: t.Optional[t.Callable[[str], None]] = None,
    ) -> t.Optional[Lease]:
        """Take the lease, or renew it if the token has it already.

        ``lease_of`` has who, origin, pid and started; ``dead`` are tokens of runs that are known to be over. Where no
        run has the lease but a module is still at work, waits for that with ``sleep``, at most until its time limit.
        One that does not say what it does is just at its beginning or end.

        Answers the lease of the dead run that it replaced, with the stage in which that was killed.
        Raises LockHeld.
        """
        told = False
        until = self._now() + IDLE
        while True:
            with self._moment():
                lease = self._own(token)
                if lease:
                    self._write(_extended(lease, self._now() + seconds))
                    return None
                self.check(dead=dead)
                work = self._working()
                if work is None:
                    replaced = self._with_killed_stage(self.read())
                    who = {key: lease_of[key] for key in ("who", "origin", "pid", "started")}
                    now = self._now()
                    self._write(Lease(token, purpose, since=now, expires=now + seconds, stages=[], boot=self._boot, **who))
                    return replaced
                until = work.until if work.stage else until
                if sleep is None or self._now() >= until:
                    raise at_work(self.stack, self.read(), work, self._now())
            if tell and work.stage and not told:
                tell(waiting(self.stack, work))
                told = True
            sleep(_POLL)

    def release(self, token: str) -> t.Optional[Lease]:
        """Give the lease back; answers it, or none when it is not the token's."""
        with self._moment():
            lease = self._own(token)
            if lease:
                os.unlink(self._path)
            return lease

    # -- the work --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def work(self, token: str, stage: str, seconds: float) -> t.Iterator[None]:
        """Keep all others out for the body, which is to take at most so many seconds.

        With a token the lease has to be its own. It is renewed, and so are those that the run has of other stacks,
        whose turn comes later. Without a token, nobody may have the lease.
        Leave the body before the module exits: leaving it with an exception notes the stage as failed.
        Raises LockHeld, before the body.
        """
        with open_run_file(self.stack, "work", 0o600, self._directory) as file:
            began = self._now()
            until = began + seconds + IDLE
            with self._moment():
                if not try_flock(file):
                    raise at_work(self.stack, self.read(), _work(file), began)
                if token:
                    lease = self._with_killed_stage(self._own(token))
                    if lease is None:
                        raise lost(self.stack, self.holder())
                    self._write(_extended(lease, until))
                else:
                    self.check()
                rewrite(file, json.dumps(Work(token, stage, began, until)._asdict()))
            self._renew_others(token, until)
            failed = True
            try:
                yield
                failed = False
            finally:
                now = self._now()
                with self._moment():
                    rewrite(file, "")
                    lease = self._own(token)
                    # Its run may have given up on this module, and the lease with it.
                    if lease:
                        done = {"stage": stage, "seconds": round(now - began, 1), "failed": failed}
                        self._write(_extended(lease, now + IDLE)._replace(stages=[*lease.stages, done]))
                self._renew_others(token, now + IDLE)

    def _renew_others(self, token: str, expires: float) -> None:
        for name in os.listdir(self._directory) if token else ():
            stack, _dot, kind = name.partition(".")
            if kind == "lease" and stack != self.stack:
                other = StackLock(stack, self._now, self._directory, self._boot)
                with other._moment():
                    lease = other._own(token)
                    if lease:
                        other._write(_extended(lease, expires))

    # -- files -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _moment(self) -> t.Iterator[None]:
        with open_run_file(self.stack, "lock", 0o600, self._directory) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _own(self, token: str) -> t.Optional[Lease]:
        """The token's lease. One that has expired, and that nobody took, still is its own."""
        lease = self.read()
        return lease if lease and lease.token == token and lease.boot == self._boot else None

    def _working(self) -> t.Optional[Work]:
        # Only in a moment of one's own: to look is to have the flock for a moment, which keeps a module out.
        with open_run_file(self.stack, "work", 0o600, self._directory) as file:
            return None if try_flock(file) else _work(file)

    def _noted(self) -> Work:
        """What a module does, or did when it was killed."""
        try:
            with open(run_path(self.stack, "work", self._directory), encoding="utf-8") as file:
                return _work(file)
        except (FileNotFoundError, PermissionError):
            return NO_WORK

    def _with_killed_stage(self, lease: t.Optional[Lease]) -> t.Optional[Lease]:
        work = self._noted()
        if lease is None or not work.stage or work.token != lease.token:
            return lease
        killed = {"stage": work.stage, "seconds": None, "failed": True}
        return lease._replace(stages=[*lease.stages, killed])

    def _write(self, lease: Lease) -> None:
        # Only in a moment of one's own, so that one name for the new file is enough.
        candidate = self._path + ".new"
        with open(candidate, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            json.dump(lease._asdict(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(candidate, self._path)


def busy_stacks(now: t.Callable[[], float], directory: str = DIRECTORY, boot: str = "") -> t.Set[str]:
    """The stacks that somebody is at work on."""
    files = [name.partition(".") for name in os.listdir(directory)] if os.path.isdir(directory) else []
    stacks = {stack for stack, _dot, kind in files if kind in ("lease", "work") and STACK_NAME.match(stack)}
    return {stack for stack in stacks if StackLock(stack, now, directory, boot).busy()}


def _extended(lease: Lease, expires: float) -> Lease:
    return lease._replace(expires=max(lease.expires, expires))


def _work(file: t.TextIO) -> Work:
    """What is written there; nothing, when that was cut short by a kill."""
    try:
        return Work(**json.load(file))
    except (ValueError, TypeError):
        return NO_WORK
