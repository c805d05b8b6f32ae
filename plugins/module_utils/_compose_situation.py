# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a stack's host at one moment, and what is to be done there.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_changes import reasons
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger
from ansible_collections.portside.stack.plugins.module_utils._compose_missing import groundwork
from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    LABEL_DIGEST,
    LABEL_PROJECT,
    Container,
    Service,
    container_of,
    is_of_stack,
    services_of,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import (
    Drift,
    Ledger,
    Plan,
    is_done,
    make_plan,
    summary,
    voided,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_resources import (
    Missing,
    absent_externals,
    missing_resources,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import state_of, worst
from ansible_collections.portside.stack.plugins.module_utils._drift_containers import container_drift
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._owned_places import Place, wrong_places
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore


class Work(t.NamedTuple):
    """What is to be up, and what to do for that.

    ``missing`` are the networks and volumes to create, ``void`` the one-shots whose earlier work is lost with that,
    ``ignored`` the ids of containers that say nothing of their service, ``places`` the volumes and directories whose
    owner or mode is to be set.
    """

    services: t.Mapping[str, Service]
    plan: Plan
    missing: t.List[Missing]
    void: t.AbstractSet[str]
    ignored: t.FrozenSet[str] = frozenset()
    places: t.Sequence[Place] = ()

    @property
    def changes(self) -> bool:
        return self.plan.changed or bool(self.missing) or bool(self.places)

    def diff(self, containers: t.Iterable[Container]) -> t.Dict[str, str]:
        """The two sides of a diff, before it is done."""
        diff = summary(containers, self.plan)
        created = "".join("{0} {1}: created\n".format(one.kind, one.name) for one in self.missing)
        owners = [place.lines() for place in self.places]
        before, after = ("".join(side) for side in zip(*owners)) if owners else ("", "")
        return {"before": before + diff["before"], "after": created + after + diff["after"]}


class Situation:
    """Everything that was read at once. In check mode a host without an engine is one with nothing on it.

    ``problems`` are networks, volumes and directories that cannot be as declared, ``current`` is the current release
    ("" for none), ``record`` what is known of that, ``volumes`` and ``networks`` are all that the engine has, by name,
    ``drift`` is what somebody has changed of the stack's containers, ``places`` the volumes and directories whose owner
    or mode is to be set.
    """

    def __init__(
        self,
        definition: t.Dict[str, t.Any],
        project_directory: str,
        engine: EngineClient,
        now: float,
        check_mode: bool,
    ) -> None:
        self.definition = definition
        self.services = services_of(definition)
        self.stack: str = definition["name"]
        self.containers: t.List[Container] = []
        self.drift: Drift = {}
        self.reachable = True
        networks: t.Dict[str, t.Any] = {}
        volumes: t.Dict[str, t.Any] = {}
        try:
            label = "{0}={1}".format(LABEL_PROJECT, self.stack)
            inspections = [data for data in engine.inspect_all(label) if is_of_stack(data)]
            self.containers = [container_of(data, now) for data in inspections]
            networks = {network["Name"]: network for network in engine.get("/networks")}
            ids = {name: network["Id"] for name, network in networks.items()}
            self.drift = container_drift(engine, FileSystem(), definition, self.services, inspections, ids)
            volumes = {volume["Name"]: volume for volume in engine.get("/volumes").get("Volumes") or ()}
        except EngineUnavailable:
            if not check_mode:
                raise
            self.reachable = False
        wanted = definition.get("x-portside") or {}
        self.volumes, self.networks = volumes, networks
        self.missing, self.problems = missing_resources(
            self.stack, wanted, networks, volumes, self.services.values()
        )
        self.places, problems = wrong_places(self.stack, definition, volumes)
        self.problems += problems
        self.absent_externals = absent_externals(self.stack, definition, networks, volumes)
        self._network_ids = {name: network["Id"] for name, network in networks.items()}
        self._completed = OneShotLedger(project_directory).read()
        self._read_current(ReleaseStore(project_directory))

    def _read_current(self, store: ReleaseStore) -> None:
        self.current = ""
        self.record: t.Dict[str, t.Any] = {}
        try:
            self.current = store.current()
            if self.current:
                self.record = store.read(self.current)
        except (StackError, OSError):
            # Here it only helps to tell what changes; whoever cannot do without reads it again.
            pass

    def everything(self) -> Work:
        """What makes the whole stack as declared."""
        void = self._voided(self.missing)
        plan = make_plan(
            self.services, self.containers, self._completed, self._network_ids, void, self._changes, self.drift
        )
        return Work(self.services, plan, self.missing, void, places=self.places)

    def needs_of(self, names: t.AbstractSet[str], themselves: bool = False) -> Work:
        """What makes it possible to run these services: what they depend on, and no service more but ``themselves``."""
        # Compose runs nothing of a file while a network or volume that the file names is not there, whoever uses it.
        void = self._voided(self.missing)
        found = groundwork(
            self.stack, self.services, self.containers, self._completed, self._network_ids, void, names, themselves
        )
        return Work(found.services, found.plan, self.missing, void, found.ignored, self.places)

    def _voided(self, missing: t.List[Missing]) -> t.Set[str]:
        ran = {*self._completed, *(container.service for container in self.containers)}
        return ran & voided(self.services, {one.name for one in missing if one.kind == "volume"})

    def _changes(self, name: str, digest: str) -> str:
        old = (self.record.get("definition") or {}).get("services", {}).get(name) or {}
        known = (old.get("labels") or {}).get(LABEL_DIGEST)
        if known == self.services[name].digest:
            return "is not of the current release"
        return reasons(old, self.definition["services"][name]) if known == digest else ""


def states(
    services: t.Mapping[str, Service], containers: t.Sequence[Container], ledger: Ledger
) -> t.Dict[str, t.Dict[str, t.Any]]:
    """The services as they are, by name."""
    found = {}
    for name, service in services.items():
        own = [container for container in containers if container.service == name]
        container = worst(service, own)
        completed = service.oneshot and is_done(service, ledger.get(name))
        found[name] = {
            "state": "completed" if completed else state_of(container),
            "health": container.health if container else None,
            "containers": sorted(one.id for one in own),
        }
    return found
