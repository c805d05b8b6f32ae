# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a stack, as their containers are.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import UP, Action, describe
from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation
from ansible_collections.portside.stack.plugins.module_utils._container_drift import Difference
from ansible_collections.portside.stack.plugins.module_utils._drift_model import SITE, Drift

_UNWELL = "docker logs {0} says why; " + SITE


def service_drift(found: Situation) -> t.List[Drift]:
    """What a deploy would do, and which containers are not well."""
    plan = found.everything().plan
    drift: t.List[Drift] = []
    for name, service in found.services.items():
        action = plan.actions.get(name)
        own = [one for one in found.containers if one.service == name]
        # What is to be made anew may have to go first: it comes after those that are too many.
        surplus = action.surplus[: max(0, len(own) - service.scale)] if action and not service.oneshot else ()
        drift += [_extra(found.stack, name, one, "is one too many of its service") for one in surplus]
        if service.oneshot:
            drift += [_oneshot(found.stack, action)] if action else []
            continue
        kept = [one for one in own if one not in surplus]
        drift += _of_containers(found, service, kept, action if not service.follows & plan.actions.keys() else None)
    orphans = [*plan.orphans_first, *plan.orphans_last]
    return drift + [_extra(found.stack, one.service, one, "is of the project, but not of the release") for one in orphans]


def _of_containers(found: Situation, service: Service, kept: t.List[Container], action: t.Optional[Action]) -> t.List[Drift]:
    stack, name, drift = found.stack, service.name, []
    if len(kept) < service.scale:
        what = "has no container" if not kept else "has {0} of {1} containers".format(len(kept), service.scale)
        drift.append(Drift(stack, name, "container", what, str(service.scale), str(len(kept)), broken=True))
    differing = [one for container in kept for one in found.drift.get(container.id, ())]
    for one in dict.fromkeys(differing):
        drift.append(Drift(stack, name, *one, broken=_cuts_off(one)))
    if action and action.action == "recreate" and not differing:
        drift.append(Drift(stack, name, "container", "is to be made anew: " + action.reason, service.digest, kept[0].digest))
    for container in kept:
        remedy = _UNWELL.format(container.name)
        if container.state not in UP:
            drift.append(Drift(stack, name, "stopped", "is {0}".format(describe(container)), "running", container.state, broken=True))
        elif container.state == "restarting":
            drift.append(Drift(stack, name, "stopped", "starts again and again", "running", container.state, remedy, True))
        elif container.health == "unhealthy":
            drift.append(Drift(stack, name, "stopped", "is unhealthy", "healthy", "unhealthy", remedy, True))
    return drift


def _cuts_off(one: Difference) -> bool:
    """Whether the service is not reached by those who are to reach it."""
    return one.kind == "network" and one.declared != "none"


def _oneshot(stack: str, action: Action) -> Drift:
    return Drift(stack, action.service, "container", "one-shot: {0}".format(action.reason), "completed", "not completed", broken=True)


def _extra(stack: str, service: str, container: Container, why: str) -> Drift:
    what = "container {0} ({1}) {2}".format(container.name, describe(container), why)
    return Drift(stack, service, "extra", what, "none", container.name)
