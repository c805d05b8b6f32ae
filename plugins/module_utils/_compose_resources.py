# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks and volumes of a stack: created and labelled, never altered, never deleted by a deploy.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    LABEL_MOUNTED_BY,
    LABEL_STACK,
    Service,
)
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

# Compose's key, the engine's key, and what leaving the key out means.
_NETWORK_KEYS = (("driver", "Driver", "bridge"), ("internal", "Internal", False), ("enable_ipv6", "EnableIPv6", False))
_REMEDY = {
    "network": "Remedy: declare it as it is, or give the network another name, or stop the stack "
    "(state: absent removes its networks) and deploy again.",
    "volume": "Remedy: declare it as it is, or give the volume another name and move the data; "
    "nothing here ever deletes a volume.",
}


class Missing(t.NamedTuple):
    """A network or volume to create, with the body of the request."""

    kind: str
    name: str
    body: t.Dict[str, t.Any]


def missing_resources(
    stack: str,
    wanted: t.Mapping[str, t.Any],
    networks: t.Mapping[str, t.Dict[str, t.Any]],
    volumes: t.Mapping[str, t.Dict[str, t.Any]],
    services: t.Iterable[Service] = (),
) -> t.Tuple[t.List[Missing], t.List[str]]:
    """What to create, and every present one that differs from what is wanted; ``services`` mount them."""
    missing, problems = [], []
    for name, body in (wanted.get("networks") or {}).items():
        if name in networks:
            problems += _differences(stack, "network", name, body or {}, networks[name], _NETWORK_KEYS)
        else:
            missing.append(Missing("network", name, _network(stack, name, body or {})))
    for name, body in (wanted.get("volumes") or {}).items():
        if name in volumes:
            keys = (("driver", "Driver", "local"), ("driver_opts", "Options", {}))
            problems += _differences(stack, "volume", name, body or {}, volumes[name], keys)
        else:
            users = sorted(service.name for service in services if name in service.mounts)
            missing.append(Missing("volume", name, _volume(stack, name, body or {}, users)))
    return missing, problems


def create_resource(stack: str, engine: EngineClient, resource: Missing) -> None:
    try:
        engine.post("/{0}s/create".format(resource.kind), resource.body)
    except EngineError as error:
        raise StackError(
            "stack {0}: {1} {2} could not be created: {3}. Remedy: correct it under stacks: {0}.{1}s.".format(
                stack, resource.kind, resource.name, error
            )
        ) from error


def absent_externals(
    stack: str,
    definition: t.Mapping[str, t.Any],
    networks: t.Container[str],
    volumes: t.Container[str],
) -> t.Dict[str, str]:
    """The networks and volumes that somebody else was to create and has not, with the problem of each."""
    problems = {}
    made = definition.get("x-portside") or {}
    for kind, present in (("network", networks), ("volume", volumes)):
        for key, body in (definition.get(kind + "s") or {}).items():
            name = (body or {}).get("name", key)
            if name not in present and name not in (made.get(kind + "s") or {}):
                problems[name] = (
                    "stack {0}: {1} {2} is declared external and is not on the host. Remedy: create it (docker {1} "
                    "create {2}), put the stack that makes it before this one, or declare it without external.".format(
                        stack, kind, name
                    )
                )
    return problems


def _differences(
    stack: str,
    kind: str,
    name: str,
    body: t.Mapping[str, t.Any],
    present: t.Mapping[str, t.Any],
    keys: t.Iterable[t.Tuple[str, str, t.Any]],
) -> t.List[str]:
    return [
        "stack {0}: {1} {2}: {3} is {4!r} on the host, {5!r} is declared; it is never altered. {6}".format(
            stack, kind, name, key, present.get(theirs) or default, body.get(key) or default, _REMEDY[kind]
        )
        for key, theirs, default in keys
        if (present.get(theirs) or default) != (body.get(key) or default)
    ]


def _labels(stack: str, body: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    labels = {str(key): str(value) for key, value in (body.get("labels") or {}).items()}
    labels[LABEL_STACK] = stack
    return labels


def _strings(mapping: t.Optional[t.Mapping[str, t.Any]]) -> t.Dict[str, str]:
    return {str(key): str(value) for key, value in (mapping or {}).items()}


def _network(stack: str, name: str, body: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    request = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": body.get("driver") or "bridge",
        "Internal": bool(body.get("internal")),
        "Attachable": bool(body.get("attachable")),
        "EnableIPv6": bool(body.get("enable_ipv6")),
        "Options": _strings(body.get("driver_opts")),
        "Labels": _labels(stack, body),
    }
    ipam = body.get("ipam")
    if ipam:
        request["IPAM"] = {
            "Driver": ipam.get("driver") or "default",
            "Options": _strings(ipam.get("options")),
            "Config": [
                {
                    theirs: pool[key]
                    for key, theirs in (
                        ("subnet", "Subnet"),
                        ("ip_range", "IPRange"),
                        ("gateway", "Gateway"),
                        ("aux_addresses", "AuxiliaryAddresses"),
                    )
                    if pool.get(key)
                }
                for pool in ipam.get("config") or ()
            ],
        }
    return request


def _volume(stack: str, name: str, body: t.Mapping[str, t.Any], users: t.List[str]) -> t.Dict[str, t.Any]:
    labels = _labels(stack, body)
    if users:
        labels[LABEL_MOUNTED_BY] = ",".join(users)
    return {
        "Name": name,
        "Driver": body.get("driver") or "local",
        "DriverOpts": _strings(body.get("driver_opts")),
        "Labels": labels,
    }
