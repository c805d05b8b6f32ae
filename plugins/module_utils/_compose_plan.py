# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done so that the engine's containers are what the document says.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Port, Service

UP = ("running", "restarting")
Ledger = t.Mapping[str, t.Mapping[str, t.Any]]


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
    images: t.Mapping[str, str],
    void: t.Container[str] = (),
) -> Plan:
    """Compare the wanted services with the containers.

    ``networks`` are the present networks' ids by name, ``images`` the ids of the image references that are to be
    followed (none, unless a refresh was asked for), ``void`` the one-shots whose earlier work is lost.
    """
    own: t.Dict[str, t.List[Container]] = {name: [] for name in services}
    orphans = []
    for container in containers:
        own.get(container.service, orphans).append(container)
    actions: t.Dict[str, Action] = {}
    for name, service in services.items():
        action = (
            _oneshot(service, own[name], {"lost": True} if name in void else ledger.get(name), images)
            if service.oneshot
            else _service(service, own[name], networks, images)
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


def is_done(service: Service, entry: t.Optional[t.Mapping[str, t.Any]], images: t.Mapping[str, str]) -> bool:
    """Whether the ledger says that this very one-shot completed, with the image that is to be followed."""
    if not entry or entry.get("digest") != service.digest or entry.get("exit_code") != 0:
        return False
    newest = images.get(service.image)
    return not newest or newest == entry.get("image")


def voided(services: t.Mapping[str, Service], new_volumes: t.AbstractSet[str]) -> t.Set[str]:
    """The one-shots that work on a new volume, by themselves or through what they depend on: a new database is empty.

    ``services`` come dependencies first.
    """
    reached: t.Dict[str, t.Set[str]] = {}
    for name, service in services.items():
        reached[name] = set(service.mounts).union(*(reached.get(other, ()) for other in service.depends_on))
    return {name for name, service in services.items() if service.oneshot and reached[name] & new_volumes}


def _renewed(action: t.Optional[Action]) -> bool:
    return action is not None and action.action in ("create", "recreate", "start")


def _oneshot(
    service: Service,
    containers: t.List[Container],
    entry: t.Optional[t.Mapping[str, t.Any]],
    images: t.Mapping[str, str],
) -> t.Optional[Action]:
    if entry and entry.get("lost"):
        return Action(service.name, "run", "what it works on is new", surplus=tuple(containers))
    if is_done(service, entry, images):
        return None
    if is_done(service, entry, {}):
        reason = "a newer {0} was pulled".format(service.image)
    else:
        reason = "its definition changed" if entry or containers else "has not run yet"
    for container in containers:
        if container.digest == service.digest and not _outdated(service, container, images):
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
    images: t.Mapping[str, str],
) -> t.Optional[Action]:
    ranked = sorted(containers, key=lambda c: (c.digest != service.digest, c.state not in UP, c.number))
    kept, surplus = ranked[: service.scale], tuple(ranked[service.scale :])
    if not kept and service.scale:
        return Action(service.name, "create", "has no container")
    for container in kept:
        reason = _difference(service, container, networks) or _outdated(service, container, images)
        if reason:
            return Action(service.name, "recreate", reason, surplus=surplus)
    for container in kept:
        if container.state not in UP:
            return Action(service.name, "start", "is {0}".format(describe(container)), surplus=surplus)
    if len(kept) < service.scale:
        return Action(service.name, "create", "{0} of {1} containers".format(len(kept), service.scale))
    if surplus:
        reason = "{0} containers, {1} wanted".format(len(containers), service.scale)
        return Action(service.name, "remove", reason, surplus=surplus)
    return None


def _difference(service: Service, container: Container, networks: t.Mapping[str, str]) -> str:
    if container.digest != service.digest:
        if container.image != service.image:
            return "image {0} -> {1}".format(container.image, service.image)
        return "its definition changed" if container.digest else "was not made by this collection"
    absent = sorted(service.networks - {name for name, _identifier in container.networks})
    if absent:
        return "is not on network {0}".format(", ".join(absent))
    for name, identifier in container.networks:
        if name not in ("host", "none") and identifier and networks.get(name) != identifier:
            return "network {0} was replaced".format(name)
    return ""


def _outdated(service: Service, container: Container, images: t.Mapping[str, str]) -> str:
    newest = images.get(service.image)
    return "a newer {0} was pulled".format(service.image) if newest and newest != container.image_id else ""


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


def summary(services: t.Mapping[str, Service], containers: t.Iterable[Container], plan: Plan) -> t.Dict[str, str]:
    """What differs, as the two sides of a diff: one line a container, or a wanted service."""
    touched = set(plan.actions) | {orphan.service for orphan in plan.orphans_first + plan.orphans_last}
    before = [
        "{0}: {1}, image {2}, digest {3}".format(c.service, describe(c), c.image, c.digest[:12] or "none")
        for c in sorted(containers, key=lambda c: (c.service, c.number))
        if c.service in touched
    ]
    after = []
    for name in sorted(set(plan.actions)):
        service = services[name]
        state = "completed" if service.oneshot else "running"
        line = "{0}: {1}, image {2}, digest {3}".format(name, state, service.image, service.digest[:12])
        after += [line] * (1 if service.oneshot else service.scale)
    return {"before": "".join(line + "\n" for line in before), "after": "".join(line + "\n" for line in after)}
