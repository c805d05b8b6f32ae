# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done so that the engine's containers are what the document says.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Port, Service
from ansible_collections.portside.stack.plugins.module_utils._container_drift import Difference

UP = ("running", "restarting")
Ledger = t.Mapping[str, t.Mapping[str, t.Any]]
# A service's name, and the digest of what there is of it -> what differs from that in words; empty where that is not known.
Changes = t.Callable[[str, str], str]
# Of containers that somebody has changed, what differs from what their labels say, by their ids.
Drift = t.Mapping[str, t.Sequence[Difference]]


class Action(t.NamedTuple):
    """One thing to do for one service.

    ``adopted`` is a one-shot that an earlier run started: it is awaited, not run again.
    ``surplus`` are containers of the service to remove first.
    """

    service: str
    action: str
    reason: str
    adopted: bool = False
    surplus: t.Tuple[Container, ...] = ()


class Plan(t.NamedTuple):
    """Everything to do, dependencies before dependants."""

    actions: t.Dict[str, Action]
    orphans_first: t.List[Container]
    orphans_last: t.List[Container]
    # To be recreated, and holding a port that another service is to have now.
    in_the_way: t.List[Container]

    @property
    def changed(self) -> bool:
        return bool(self.actions or self.orphans_first or self.orphans_last)

    def report(self) -> t.List[t.Dict[str, str]]:
        """The actions as they are returned."""
        gone = {c.service: "is not declared any more" for c in self.orphans_first + self.orphans_last}
        orphans = [{"service": name, "action": "remove", "reason": why} for name, why in sorted(gone.items())]
        return orphans + [{"service": a.service, "action": a.action, "reason": a.reason} for a in self.actions.values()]


def make_plan(
    services: t.Mapping[str, Service],
    containers: t.Iterable[Container],
    ledger: Ledger,
    networks: t.Mapping[str, str],
    void: t.Container[str] = (),
    changes: Changes = lambda _name, _digest: "",
    drift: t.Optional[Drift] = None,
) -> Plan:
    """Compare the wanted services with the containers.

    ``networks`` are the present networks' ids by name, ``void`` the one-shots whose earlier work is lost.
    """
    drift = drift or {}
    own: t.Dict[str, t.List[Container]] = {name: [] for name in services}
    orphans = []
    for container in containers:
        own.get(container.service, orphans).append(container)
    actions: t.Dict[str, Action] = {}
    for name, service in services.items():
        action = (
            _oneshot(service, own[name], {"lost": True} if name in void else ledger.get(name), changes)
            if service.oneshot
            else _service(service, own[name], networks, changes, drift)
        )
        leader = next((other for other in sorted(service.follows) if _renewed(actions.get(other))), None)
        if leader and not service.oneshot and not _renewed(action):
            surplus = action.surplus if action else ()
            action = Action(name, "recreate", "it is tied to {0}, which is new".format(leader), surplus=surplus)
        if action:
            actions[name] = action
    starting = [services[name] for name in actions]
    first = [orphan for orphan in orphans if _in_the_way(orphan, starting)]
    in_the_way = [
        container
        for name, action in actions.items()
        for container in own[name]
        if action.action == "recreate" and _holds_port(container, [one for one in starting if one.name != name])
    ]
    return Plan(actions, first, [orphan for orphan in orphans if orphan not in first], in_the_way)


def is_done(service: Service, entry: t.Optional[t.Mapping[str, t.Any]]) -> bool:
    """Whether the ledger says that this very one-shot completed, whatever completed after it."""
    return bool(entry) and service.digest in entry.get("done", ())


def voided(services: t.Mapping[str, Service], new_volumes: t.AbstractSet[str]) -> t.Set[str]:
    """The one-shots that work on a new volume: a new database is empty."""
    return {name for name in working_on(services, new_volumes) if services[name].oneshot}


def working_on(services: t.Mapping[str, Service], volumes: t.AbstractSet[str]) -> t.Set[str]:
    """The services that mount one of these volumes, by themselves or through what they depend on.

    ``services`` come dependencies first.
    """
    reached: t.Dict[str, t.Set[str]] = {}
    for name, service in services.items():
        reached[name] = set(service.mounts).union(*(reached.get(other, ()) for other in service.depends_on))
    return {name for name in services if reached[name] & volumes}


def _renewed(action: t.Optional[Action]) -> bool:
    return action is not None and action.action in ("create", "recreate", "start")


def _oneshot(
    service: Service,
    containers: t.List[Container],
    entry: t.Optional[t.Mapping[str, t.Any]],
    changes: Changes,
) -> t.Optional[Action]:
    if entry and entry.get("lost"):
        return Action(service.name, "run", "what it works on is new", surplus=tuple(containers))
    if is_done(service, entry):
        others = tuple(c for c in containers if c.digest != service.digest and c.state in (*UP, "paused"))
        return Action(service.name, "remove", "still runs for another release", surplus=others) if others else None
    earlier = [container.digest for container in containers] + list((entry or {}).get("done", ()))
    told = (changes(service.name, digest) for digest in earlier)
    reason = next(filter(None, told), "its definition changed" if earlier else "has not run yet")
    for container in containers:
        if container.digest == service.digest:
            if container.state == "running":
                return Action(service.name, "run", "is still running from an earlier run", adopted=True)
            if container.state == "exited" and container.exit_code == 0:
                return Action(service.name, "run", "completed in an earlier run, now recorded", adopted=True)
            reason = "has not completed: {0}".format(describe(container))
    return Action(service.name, "run", reason, surplus=tuple(containers))


def _service(
    service: Service,
    containers: t.List[Container],
    networks: t.Mapping[str, str],
    changes: Changes,
    drift: Drift,
) -> t.Optional[Action]:
    ranked = sorted(containers, key=lambda c: (c.digest != service.digest, c.foreign, c.id in drift, c.state not in UP, c.number))
    kept, surplus = ranked[: service.scale], tuple(ranked[service.scale :])
    if not kept and service.scale:
        return Action(service.name, "create", "has no container")
    # Compose would make another one beside those that it does not see, and find the name taken.
    unseen = tuple(container for container in kept if container.foreign)
    for container in kept:
        told = [one.what for one in drift.get(container.id, ())] + (["was not made by Compose"] if container.foreign else [])
        reason = _difference(service, container, networks, changes) or ", ".join(told)
        if reason:
            return Action(service.name, "recreate", reason, surplus=surplus + unseen)
    for container in kept:
        if container.state not in UP:
            return Action(service.name, "start", "is {0}".format(describe(container)), surplus=surplus)
    if len(kept) < service.scale:
        return Action(service.name, "create", "{0} of {1} containers".format(len(kept), service.scale))
    if surplus:
        reason = "{0} containers, {1} wanted".format(len(containers), service.scale)
        return Action(service.name, "remove", reason, surplus=surplus)
    return None


def _difference(
    service: Service, container: Container, networks: t.Mapping[str, str], changes: Changes
) -> str:
    if container.digest != service.digest:
        if not container.digest:
            return "was not made by this collection"
        told = changes(service.name, container.digest)
        if not told and container.image != service.image:
            return "image {0} -> {1}".format(container.image, service.image)
        return told or "its definition changed"
    absent = sorted(service.networks - {name for name, _identifier in container.networks})
    if absent:
        return "is not on network {0}".format(", ".join(absent))
    for name, identifier in container.networks:
        if name not in ("host", "none") and identifier and networks.get(name) != identifier:
            return "network {0} was replaced".format(name)
    return ""


def _in_the_way(orphan: Container, starting: t.Iterable[Service]) -> bool:
    """Whether an orphan holds a port or data that a service to start needs; two databases on one volume lose data."""
    starting = list(starting)
    return any(orphan.mounts & service.mounts for service in starting) or _holds_port(orphan, starting)


def _holds_port(container: Container, starting: t.Iterable[Service]) -> bool:
    return any(overlap(a, b) for service in starting for a in container.ports for b in service.ports)


def overlap(one: Port, other: Port) -> bool:
    """Whether two published ports exclude each other; a range is satisfied by any of its ports."""
    same = one.protocol == other.protocol and one.first <= other.last and other.first <= one.last
    return same and (_every(one.address) or _every(other.address) or one.address == other.address)


def _every(address: str) -> bool:
    return address in ("", "0.0.0.0", "::")


def describe(container: Container) -> str:
    """A container's state in words."""
    return "exited ({0})".format(container.exit_code) if container.state == "exited" else container.state


_DONE = {"create": "created", "recreate": "recreated", "start": "started", "remove": "removed", "run": "run"}


def summary(containers: t.Iterable[Container], plan: Plan) -> t.Dict[str, str]:
    """What is done and why, as the two sides of a diff: a line for each service."""
    actions = sorted(plan.report(), key=lambda action: action["service"])
    before = []
    for name in (action["service"] for action in actions):
        states = ["{0}, image {1}".format(describe(c), c.image) for c in containers if c.service == name]
        before += ["{0}: {1}\n".format(name, "; ".join(states))] if states else []
    after = ["{0}: {1} ({2})\n".format(a["service"], _DONE[a["action"]], a["reason"]) for a in actions]
    return {"before": "".join(before), "after": "".join(after)}
