# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers of a host may be restarted: those that its stacks' current releases are made of, and nothing else.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    LABEL_DIGEST,
    LABEL_PROJECT,
    LABEL_SERVICE,
    LABEL_STACK,
    Container,
    Service,
    container_of,
    is_oneoff,
    services_of,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import state_of
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._heal_rules import UNHEALTHY, Seen
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore, released_stacks

ATTEMPTS = 5
# Enough for the reason; a check may answer with a whole page.
_LONGEST = 400
# As the engine has it unless a service asks for another.
_GRACE = 10
_ENDLESS = 3600

Inspection = t.Dict[str, t.Any]


class Healed(t.NamedTuple):
    """A stack, with those services of its current release that may be restarted, dependencies before dependants."""

    store: ReleaseStore
    release: str
    services: t.Mapping[str, Service]
    attempts: int

    def owns(self, data: Inspection) -> bool:
        """Whether a container is of that release, and not one that a person or a step runs once."""
        labels = data["Config"].get("Labels") or {}
        service = self.services.get(labels.get(LABEL_SERVICE, ""))
        return (
            service is not None
            and labels.get(LABEL_STACK) == labels.get(LABEL_PROJECT) == self.store.stack
            and labels.get(LABEL_DIGEST) == service.digest
            and not is_oneoff(labels)
        )

    def seen(self, inspected: t.Iterable[Inspection], no_memory: t.Container[str], now: float) -> t.List[Seen]:
        """Its containers as they are; ``no_memory`` are the ids of those of which the engine said that they had none left."""
        order = list(self.services)
        found = [self.one(data, data["Id"] in no_memory, now) for data in inspected if self.owns(data)]
        return sorted(found, key=lambda one: (order.index(one.service), one.name))

    def one(self, data: Inspection, no_memory: bool, now: float) -> Seen:
        """A container that it owns."""
        container, grace = container_of(data, now), data["Config"].get("StopTimeout")
        why = _why(container, no_memory or bool(data["State"].get("OOMKilled")))
        why = " ".join(redactor(os.path.join(self.store.directory, "secrets"))(why).split())
        return Seen(
            id=container.id,
            stack=self.store.stack,
            service=container.service,
            name=container.name,
            state=state_of(container),
            why=why if len(why) <= _LONGEST else why[:_LONGEST] + "...",
            restarts=container.restarts,
            attempts=self.attempts,
            grace=_GRACE if grace is None else grace if grace >= 0 else _ENDLESS,
        )

    def followers(self, service: str) -> t.Set[str]:
        """The services that have to be restarted when that one is: they share its network, or say so in depends_on."""
        moved = {service}
        for name, one in self.services.items():
            if one.follows & moved:
                moved.add(name)
        return moved - {service}


class Stacks:
    """The stacks of a host. A release is read once, as it never changes."""

    def __init__(self, stack_root: str) -> None:
        self._root = stack_root
        self._known: t.Dict[str, Healed] = {}

    def read(self) -> t.Tuple[t.Dict[str, Healed], t.Dict[str, str]]:
        """Those with a current release, and why others cannot be healed."""
        found, troubles = {}, {}
        for stack in released_stacks(self._root):
            try:
                found[stack] = self._one(ReleaseStore(os.path.join(self._root, stack)))
            except (StackError, KeyError, TypeError, AttributeError) as error:
                troubles[stack] = str(error) if isinstance(error, StackError) else "its release cannot be read: {0!r}".format(error)
        self._known = found
        return dict(found), troubles

    def _one(self, store: ReleaseStore) -> Healed:
        release, known = store.current(), self._known.get(store.stack)
        return known if known and known.release == release else healed(store, release, store.read(release)["definition"])


def healed(store: ReleaseStore, release: str, definition: t.Dict[str, t.Any]) -> Healed:
    """What a release says of it; one from before there was anything to say of it has all of its services healed."""
    settings = (definition.get("x-portside") or {}).get("self_healing") or {}
    left = settings.get("except") or ()
    services = services_of(definition) if settings.get("enabled", True) else {}
    kept = {name: service for name, service in services.items() if not service.oneshot and name not in left}
    return Healed(store, release, kept, settings.get("attempts") or ATTEMPTS)


def _why(container: Container, no_memory: bool) -> str:
    state = state_of(container)
    if state == UNHEALTHY:
        words = "unhealthy: {0} failures in a row, the last was {1}".format(container.failed_probes, container.probe.rstrip(": ") or "not told")
    else:
        words = "{0}, exit code {1}".format(state, container.exit_code)
        words += ": " + container.error if container.error else ""
    return words + ("; it had no memory left, and a process of it was killed for that" if no_memory else "")
