# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of one stack, put together from what was read. Pure.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import scale_of
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import (
    Declared,
    proxies_of_release,
    services_of_release,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import published_of
from ansible_collections.portside.stack.plugins.module_utils._exposure_rows import observed_rows
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import orphaned
from ansible_collections.portside.stack.plugins.module_utils._status_containers import service
from ansible_collections.portside.stack.plugins.module_utils._status_usage import Usage

Found = t.Dict[str, t.Any]


class Engine(t.NamedTuple):
    """What an engine says. It has no containers where none answered, which is not the same as an empty list."""

    containers: t.Optional[t.Sequence[Found]]
    volumes: t.Mapping[str, t.Mapping[str, t.Any]]
    usage: t.Mapping[int, Usage]


def stack_entry(
    stack: str, read: t.Mapping[str, t.Any], definitions: t.Mapping[str, t.Mapping[str, t.Any]], engine: Engine, healing: Found
) -> Found:
    """A stack as status tells it; ``read`` is what its files say, ``definitions`` are the current ones of all stacks of the host."""
    definition = definitions.get(stack) or {}
    services = _services(stack, definition, read["images"], engine, _rows(definitions, engine))
    kept = ("release", "since", "by", "at_work", "history", "certificates", "can_roll_back_to", "visible", "start", "unseen")
    return dict(
        {"name": stack, "services": services, "orphans": _orphans(stack, definition, engine), "healing": healing},
        **{key: read[key] for key in kept},
    )


def _rows(definitions: t.Mapping[str, t.Mapping[str, t.Any]], engine: Engine) -> t.List[Found]:
    """Who reaches which service, through the edges of all stacks."""
    running = [one for one in engine.containers or () if one["state"] == "running"]
    declared = Declared(
        services={key: one for stack, definition in definitions.items() for key, one in services_of_release(stack, definition).items()},
        proxies=tuple(one for stack, definition in definitions.items() for one in proxies_of_release(stack, definition)),
    )
    return observed_rows({"published": published_of(running), "endpoints": []}, declared)


def _services(
    stack: str, definition: t.Mapping[str, t.Any], images: t.Mapping[str, str], engine: Engine, rows: t.Sequence[Found]
) -> t.List[Found]:
    references = {pin: reference for reference, pin in images.items()}
    unpublished = (definition.get("x-portside") or {}).get("unpublished_ports") or {}
    found = []
    for name, body in (definition.get("services") or {}).items():
        of_service = engine.containers and [one for one in engine.containers if (one["stack"], one["service"], one["oneoff"]) == (stack, name, False)]
        exposed = [int(port) for port, protocol in map(_port, body.get("expose") or ()) if port.isdigit() and protocol == "tcp"]
        own_rows = [row for row in rows if (row["stack"], row["service"]) == (stack, name)]
        ports = [*exposed, *unpublished.get(name, ())]
        found.append(service(name, body, scale_of(body), references, of_service, own_rows, engine.usage, ports))
    return found


def _port(text: t.Any) -> t.Tuple[str, str]:
    port, _slash, protocol = str(text).partition("/")
    return port, protocol or "tcp"


def _orphans(stack: str, definition: t.Mapping[str, t.Any], engine: Engine) -> Found:
    """What of the stack is on the host and not in its current release. What a person or a step runs once is none."""
    known = definition.get("services") or {}
    own = [one for one in engine.containers or () if one["stack"] == stack and not one["oneoff"]]
    return {
        "containers": sorted(one["name"] for one in own if one["service"] not in known),
        "volumes": orphaned(stack, definition, engine.volumes),
    }
