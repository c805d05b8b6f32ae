# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a stack off a host: containers and networks, never volumes.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import concurrent.futures
import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    LABEL_PROJECT,
    LABEL_SERVICE,
    LABEL_STACK,
    Service,
)
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_WORKERS = 4


def remove_stack(
    stack: str,
    services: t.Mapping[str, Service],
    engine: EngineClient,
    check_mode: bool,
    tell: t.Callable[[str], None],
) -> t.List[t.Dict[str, str]]:
    """Remove the stack's containers, dependants first, then its networks; answers what was removed."""
    containers = engine.containers("{0}={1}".format(LABEL_PROJECT, stack))
    networks: t.Dict[str, str] = {}
    for label in (LABEL_STACK, LABEL_PROJECT):
        query = json.dumps({"label": ["{0}={1}".format(label, stack)]})
        networks.update((found["Name"], found["Id"]) for found in engine.get("/networks", filters=query))
    groups = _groups(services, containers)
    if not check_mode:
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            for group in groups:
                for entry in pool.map(lambda entry: _remove_container(engine, entry), group):
                    tell("removed {0}".format(entry["Names"][0].lstrip("/")))
        for name, identifier in sorted(networks.items()):
            _remove_network(stack, engine, name, identifier)
            tell("removed network {0}".format(name))
    gone = [(entry["Labels"].get(LABEL_SERVICE, ""), entry["Names"][0].lstrip("/")) for g in groups for entry in g]
    return [
        *({"service": service, "action": "remove", "reason": "container {0}".format(name)} for service, name in gone),
        *({"service": "", "action": "remove", "reason": "network {0}".format(name)} for name in sorted(networks)),
    ]


def _remove_container(engine: EngineClient, entry: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    engine.remove_container(entry["Id"])
    return entry


def _groups(
    services: t.Mapping[str, Service], containers: t.List[t.Dict[str, t.Any]]
) -> t.List[t.List[t.Dict[str, t.Any]]]:
    """The containers in groups that may go together: none goes before what depends on it."""
    depth: t.Dict[str, int] = {}
    for name, service in services.items():
        depth[name] = 1 + max((depth.get(need, 0) for need in service.depends_on), default=0)
    groups: t.Dict[int, t.List[t.Dict[str, t.Any]]] = {}
    for entry in containers:
        level = depth.get(entry["Labels"].get(LABEL_SERVICE, ""), len(services) + 1)
        groups.setdefault(level, []).append(entry)
    return [groups[level] for level in sorted(groups, reverse=True)]


def _remove_network(stack: str, engine: EngineClient, name: str, identifier: str) -> None:
    try:
        engine.delete("/networks/{0}".format(identifier))
    except EngineError as error:
        if error.status == 404:
            return
        attached = engine.get("/networks/{0}".format(identifier)).get("Containers") or {}
        users = ", ".join(sorted(container["Name"] for container in attached.values()))
        raise StackError(
            "stack {0}: network {1} could not be removed: {2} (attached: {3}). "
            "Remedy: disconnect or remove those containers, then run again.".format(stack, name, error, users or "none")
        ) from error
