# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services reserve of a host, all its stacks together, against what the host has.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size, size_text
from ansible_collections.portside.stack.plugins.module_utils._compose_model import scale_of

# {"service", "replicas", "memory": bytes of each, "cpus": of each}
Reservation = t.Dict[str, t.Any]
# By stack.
Reservations = t.Mapping[str, t.Sequence[Reservation]]
_BIGGEST = 5


class Capacity(t.NamedTuple):
    """What a host has."""

    host: str
    memory: int
    cpus: float


def reservations(services: t.Mapping[str, t.Mapping[str, t.Any]], one_shots: t.Container[str]) -> t.List[Reservation]:
    """What the services of a stack reserve, declared or rendered. One that runs once holds nothing for good."""
    found = []
    for name, service in services.items():
        reserved = _amounts(service, "reservations")
        memory = byte_size(reserved.get("memory", service.get("mem_reservation")))
        cpus = float(reserved.get("cpus") or 0)
        count = scale_of(service)
        if name not in one_shots and count and (memory or cpus):
            found.append({"service": name, "replicas": count, "memory": memory or 0, "cpus": cpus})
    return found


def memory_problem(reserved: Reservations, capacity: Capacity, headroom: int) -> t.List[str]:
    """Why the memory of a host does not do for what is reserved of it, of which ``headroom`` bytes stay free."""
    total = _sum(reserved, "memory")
    if not total or total <= capacity.memory - headroom:
        return []
    return [
        "the memory reservations of all stacks on host {0} come to {1} ({2}), and it has {3}, of which {4} stay free for the "
        "system (stack_memory_headroom). The biggest: {5}. Remedy: reserve less (deploy.resources.reservations.memory), run "
        "fewer containers, or take a bigger host.".format(
            capacity.host,
            size_text(total),
            _by_stack(reserved, "memory", size_text),
            size_text(capacity.memory),
            size_text(headroom),
            _biggest(reserved, "memory", size_text),
        )
    ]


def cpu_warning(reserved: Reservations, capacity: Capacity) -> t.List[str]:
    """What follows where more processors are reserved than there are."""
    total = _sum(reserved, "cpus")
    if total <= capacity.cpus:
        return []
    return [
        "the CPU reservations of all stacks on host {0} come to {1:g} ({2}), and it has {3:g}. It goes on: when all are busy, "
        "each has its share of them (cpu_shares), which is less than it reserves. The biggest: {4}.".format(
            capacity.host, total, _by_stack(reserved, "cpus", _number), capacity.cpus, _biggest(reserved, "cpus", _number)
        )
    ]


def limit_warnings(stack: str, services: t.Mapping[str, t.Mapping[str, t.Any]], capacity: Capacity) -> t.List[str]:
    """Memory limits that the host cannot even hold one of."""
    found = []
    for name, service in services.items():
        given = _amounts(service, "limits").get("memory", service.get("mem_limit"))
        limit = byte_size(given)
        if limit and limit > capacity.memory:
            found.append(
                "stack {0}: service {1}: its memory limit {2} is above all that host {3} has ({4}), so it limits nothing. "
                "Remedy: lower deploy.resources.limits.memory.".format(stack, name, given, capacity.host, size_text(capacity.memory))
            )
    return found


def _amounts(service: t.Mapping[str, t.Any], section: str) -> t.Mapping[str, t.Any]:
    return ((service.get("deploy") or {}).get("resources") or {}).get(section) or {}


def _number(value: float) -> str:
    return "{0:g}".format(value)


def _sum(reserved: Reservations, what: str) -> float:
    total = sum(one["replicas"] * one[what] for services in reserved.values() for one in services)
    return total if what == "memory" else round(total, 6)


def _by_stack(reserved: Reservations, what: str, text: t.Callable[[float], str]) -> str:
    sums = {stack: _sum({stack: services}, what) for stack, services in reserved.items()}
    return ", ".join("{0} {1}".format(stack, text(total)) for stack, total in sorted(sums.items()) if total)


def _biggest(reserved: Reservations, what: str, text: t.Callable[[float], str]) -> str:
    each = [(one["replicas"] * one[what], stack, one) for stack, services in reserved.items() for one in services if one[what]]
    each.sort(key=lambda found: (-found[0], found[1], found[2]["service"]))
    told = []
    for total, stack, one in each[:_BIGGEST]:
        several = " ({0} x {1})".format(one["replicas"], text(one[what])) if one["replicas"] > 1 else ""
        told.append("{0} of {1} {2}{3}".format(one["service"], stack, text(total), several))
    return ", ".join(told)
