# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What works in a stack as it is declared, and yet is likely to be missed.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._suggested_healthchecks import suggested_healthcheck


def stack_warnings(stack: t.Any, stacks: t.Any = None) -> t.List[str]:
    """Sentences. With all ``stacks``, the routes of their edges count as well."""
    declared = model.mapping(stack)
    everything = [declared, *(one for one in map(model.mapping, model.sequence(stacks)) if one.get("name") != declared.get("name"))]
    stack = edges.with_edge(declared)
    found: t.List[str] = []
    report = Report(stack.get("name"), found)
    active = model.active_services(stack)
    _unmeasured(report, active, _routed(str(stack.get("name")), everything))
    _without_what_is_off(report, active, model.services_of(stack))
    return found


def _unmeasured(report: Report, active: t.Dict[str, model.Mapping], routed: t.Set[str]) -> None:
    """Services of which nobody can know when they are ready, though somebody would like to."""
    one_shots = model.one_shots(active)
    for name, service in active.items():
        # An empty or disabled healthcheck was written by somebody who knew.
        if name in one_shots or "healthcheck" in service:
            continue
        waiting = sorted(other for other, one in active.items() if _would_wait(one, name))
        if not waiting and name not in routed:
            continue
        who = ", ".join(waiting) + (" and the routes to it" if name in routed else "") if waiting else "the routes to it"
        report.of(name).add("healthcheck", "there is none, so {0} cannot wait until it answers; {1}".format(who, _advice(service)))


def _would_wait(service: model.Mapping, name: str) -> bool:
    """Whether a service depends on that one, and has not said that its start is enough."""
    given = model.dependencies(service)
    return name in given and not given[name].get("condition")


def _routed(name: str, stacks: t.Iterable[model.Mapping]) -> t.Set[str]:
    """The services of the stack of that name that routes lead to."""
    return {
        route.service
        for stack in stacks
        for route in edges.routes_of(stack)
        if route.service and (route.stack or str(stack.get("name"))) == name
    }


def _advice(service: model.Mapping) -> str:
    check = suggested_healthcheck(service)
    if not check:
        return "write one that asks it for something, or healthcheck: {interval: 30s} where its image has one"
    written = yaml.safe_dump(check, default_flow_style=True, sort_keys=False, width=10**6).strip()
    return "for its image, write healthcheck: {0}".format(written)


def _without_what_is_off(report: Report, active: t.Dict[str, model.Mapping], services: t.Dict[str, model.Mapping]) -> None:
    """Dependencies that are left out. Without `required: false` they are problems of the stack."""
    for name, service in active.items():
        for target, options in model.dependencies(service).items():
            if target in services and target not in active and options.get("required") is False:
                profiles = ", ".join(str(item) for item in model.sequence(services[target].get("profiles")))
                text = "{0!r} does not run, because none of its profiles ({1}) is enabled, so it starts without that (required: false)"
                report.of(name).add("depends_on", text.format(target, profiles))
