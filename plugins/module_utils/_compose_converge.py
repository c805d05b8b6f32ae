# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driving an activation: the world is looked at, and what is due is done.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence, Event


class World(t.Protocol):
    """What is acted on."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def containers(self) -> t.Iterable[Container]: ...

    def launch(self, action: Action) -> None: ...

    def ended(self) -> t.Iterable[t.Tuple[str, str]]: ...

    def tell(self, event: Event) -> None: ...

    def completed(self, service: Service, container: Container) -> None: ...


def converge(
    machine: Convergence, world: World, interval: float, watch: t.Callable[[Convergence], None] = lambda _machine: None
) -> None:
    """Drive the machine until everything is up, or it has failed. ``watch`` is shown it at every look."""
    while True:
        for name, error in world.ended():
            machine.ended(world.now(), name, error)
        for event in machine.observe(world.now(), world.containers()):
            world.tell(event)
        watch(machine)
        while machine.completed:
            world.completed(*machine.completed.pop())
        if machine.done:
            return
        machine.expire()
        if machine.failure:
            return
        for action in machine.due():
            world.tell(machine.launched(action.service))
            world.launch(action)
        world.sleep(interval)
