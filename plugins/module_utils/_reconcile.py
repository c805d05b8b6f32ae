# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a stack to its current release, whatever a reboot or a restart of the engine made of it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Restart policies bring back each container by itself. They know nothing of dependencies, and nothing of a service that
a deploy had removed and not yet created.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_report import ActivationFailed
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import LockHeld, StackLock
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

# A host that starts everything at once is slow; so this is longer than a deploy waits.
_TIMEOUT = 600
_ENGINE_TIMEOUT = 300
_INTERVAL = 2.0
_ATTEMPTS = 3


def reconcile(
    store: ReleaseStore,
    lock: StackLock,
    engine: EngineClient,
    run: Run,
    clock: Clock,
    listeners: t.Callable[[], t.List[Listener]],
    tell: t.Callable[[str], None],
) -> None:
    """Bring the stack up as its current release says; changes nothing where all is well.

    A run that has the lock is left to finish, or its lease to end: what is current then is what counts.
    Raises StackError.
    """
    when_free(
        store,
        lock,
        engine,
        clock,
        "reconcile",
        tell,
        lambda: _bring_up(store, engine, run, clock, listeners, tell),
    )


def when_free(
    store: ReleaseStore,
    lock: StackLock,
    engine: EngineClient,
    clock: Clock,
    stage: str,
    tell: t.Callable[[str], None],
    work: t.Callable[[], None],
) -> None:
    """Do the work once the engine answers and nobody else is at work on the stack, however long that takes."""
    _wait_for_engine(store, engine, clock)
    told = ""
    while True:
        try:
            with lock.work("", stage, _TIMEOUT):
                return work()
        except LockHeld as error:
            holder = error.lease.token if error.lease else "none"
            if holder != told:
                tell("waits for a run to end. {0}".format(error))
            told = holder
            clock.sleep(_INTERVAL)


def _wait_for_engine(store: ReleaseStore, engine: EngineClient, clock: Clock) -> None:
    deadline = clock.monotonic() + _ENGINE_TIMEOUT
    while True:
        try:
            engine.about()
            return
        except EngineUnavailable as error:
            if clock.monotonic() >= deadline:
                raise StackError("stack {0}: {1}".format(store.stack, error)) from error
        clock.sleep(_INTERVAL)


def _bring_up(
    store: ReleaseStore,
    engine: EngineClient,
    run: Run,
    clock: Clock,
    listeners: t.Callable[[], t.List[Listener]],
    tell: t.Callable[[str], None],
) -> None:
    current = store.current()
    if not current:
        tell("stack {0}: there is no current release".format(store.stack))
        return
    params = {
        "definition": store.read(current)["definition"],
        "file": store.compose_file(current),
        "release": current,
        "project_directory": store.directory,
        "wait_timeout": _TIMEOUT,
    }
    for left in reversed(range(_ATTEMPTS)):
        try:
            result = StackOnHost(params, False, engine, run, clock, listeners, tell).present()
            break
        except ActivationFailed as error:
            # The engine was restarted once more, say, and did not bring back what it ended.
            if not (error.untouched and left):
                raise
            tell("stack {0}: it is brought up once more. {1}".format(store.stack, error.story.splitlines()[0]))
    did = ", ".join("{0} {1}".format(action["action"], action["service"]) for action in result["actions"])
    tell("stack {0}: release {1}: {2}".format(store.stack, current, did or "all is well"))
