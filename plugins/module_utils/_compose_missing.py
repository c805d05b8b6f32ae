# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be started so that some services could be: what they depend on and does not run, and nothing else.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import UP, Ledger, Plan, make_plan
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


class Groundwork(t.NamedTuple):
    """The services to have up, as they are to be; what to do for that; and the containers to look away from."""

    services: t.Dict[str, Service]
    plan: Plan
    ignored: t.FrozenSet[str]


def needed_by(services: t.Mapping[str, Service], names: t.AbstractSet[str]) -> t.Set[str]:
    """What these services depend on, however indirectly."""
    found: t.Set[str] = set()
    ahead = [need for name in names for need in services[name].depends_on]
    while ahead:
        name = ahead.pop()
        if name in services and name not in found:
            found.add(name)
            ahead += services[name].depends_on
    return found


def groundwork(
    stack: str,
    services: t.Mapping[str, Service],
    containers: t.Iterable[Container],
    ledger: Ledger,
    networks: t.Mapping[str, str],
    void: t.Container[str],
    names: t.AbstractSet[str],
    themselves: bool = False,
) -> Groundwork:
    """The plan for what these services need, and with ``themselves`` for them too.

    What runs is taken as it is, whatever release it is of. Of a one-shot any completion counts.
    """
    needed = needed_by(services, names) | (names if themselves else set())
    own: t.Dict[str, t.List[Container]] = {name: [] for name in services}
    orphans = []
    for container in containers:
        own.get(container.service, orphans).append(container)
    running: t.Dict[str, Container] = {}
    for name in needed:
        up = [container for container in own[name] if container.state in UP]
        if up and not services[name].oneshot:
            running[name] = min(up, key=lambda c: (c.digest != services[name].digest, c.number))
    wanted = {name: _wanted(services[name], running) for name in services if name in needed}
    counts = {
        name: {"done": {service.digest: {}}} if ledger.get(name, {}).get("done") else ledger.get(name, {})
        for name, service in wanted.items()
    }
    missing = {name: service for name, service in wanted.items() if name not in running and service.scale}
    there = [container for name in missing for container in own[name]]
    plan = make_plan(missing, [*there, *orphans], counts, networks, void)
    if plan.orphans_first:
        raise StackError(_occupied(stack, plan.orphans_first[0], sorted(plan.actions)))
    actions = {name: action for name, action in plan.actions.items() if action.action != "remove"}
    looked_at = {one.id for one in [*there, *running.values()]}
    ignored = {container.id for name in needed for container in own[name] if container.id not in looked_at}
    return Groundwork(wanted, Plan(actions, [], [], []), frozenset(ignored))


def _wanted(service: Service, running: t.Mapping[str, Container]) -> Service:
    """The service as it is to be awaited: one that runs, as it is."""
    unprobed = {name for name, container in running.items() if container.health is None}
    service = service._replace(
        depends_on={
            need: "service_started" if need in unprobed and condition == "service_healthy" else condition
            for need, condition in service.depends_on.items()
        }
    )
    return service._replace(digest=running[service.name].digest, scale=1) if service.name in running else service


def _occupied(stack: str, orphan: Container, starting: t.List[str]) -> str:
    return (
        "stack {0}: {1} would have to be started now, and the container {2} of service {3}, which is not declared any "
        "more, still has a port or volume of theirs. Remedy: give the renamed service its old name for this deploy, or "
        "run the step that needs it after the activation (when: after)."
    ).format(stack, ", ".join(starting), orphan.name, orphan.service)
