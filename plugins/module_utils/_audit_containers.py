# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of containers an audit is about: health, limits, what they may do to the host, their images, names of secrets.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._audit_secrets import visible_secrets
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, LABEL_SERVICE
from ansible_collections.portside.stack.plugins.module_utils._container_escape import has_engine, strong_capabilities
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient, EngineError

Found = t.Dict[str, t.Any]


def inspections(engine: EngineClient) -> t.List[Found]:
    """What the engine says of each container, stopped ones too; one that vanishes meanwhile is left out."""
    found = []
    for entry in engine.containers():
        try:
            found.append(engine.get("/containers/{0}/json".format(entry["Id"])))
        except EngineError as error:
            if error.status != 404:
                raise
    return sorted(found, key=lambda one: one["Name"])


def container(data: Found, realpath: t.Callable[[str], str]) -> Found:
    """A container from its inspection. No value of its environment, labels or command is in it."""
    host, config, state = data["HostConfig"], data["Config"], data.get("State") or {}
    labels = config.get("Labels") or {}
    return {
        "name": name_of(data),
        "id": data["Id"],
        "stack": labels.get(LABEL_PROJECT, ""),
        "service": labels.get(LABEL_SERVICE, ""),
        "image": config.get("Image") or "",
        "tag": tag_kind(config.get("Image") or ""),
        "running": bool(state.get("Running")),
        "status": state.get("Status") or "",
        "restarting": bool(state.get("Restarting")),
        "restarts": data.get("RestartCount") or 0,
        "health": (state.get("Health") or {}).get("Status") or "none",
        "failing": (state.get("Health") or {}).get("FailingStreak") or 0,
        "out_of_memory": bool(state.get("OOMKilled")),
        "memory": host.get("Memory") or 0,
        "privileged": bool(host.get("Privileged")),
        "host_pids": host.get("PidMode") == "host",
        "capabilities": strong_capabilities(host.get("CapAdd") or ()),
        "sockets": engine_sockets(data.get("Mounts") or (), realpath),
        "secrets": visible_secrets(config),
    }


def name_of(data: t.Mapping[str, t.Any]) -> str:
    return data["Name"].lstrip("/")


def engine_sockets(mounts: t.Iterable[t.Mapping[str, t.Any]], realpath: t.Callable[[str], str]) -> t.List[str]:
    """The host's paths among the mounts that are the engine's socket, or a directory with it somewhere inside."""
    socket = realpath(SOCKET)
    found = set()
    for one in mounts:
        source = one.get("Source") or ""
        if one.get("Type") != "bind" or not source:
            continue
        real = realpath(source)
        inside = socket == real or socket.startswith(real.rstrip("/") + "/")
        if inside or has_engine(source) or has_engine(real):
            found.add(source)
    return sorted(found)


def tag_kind(image: str) -> str:
    """How firmly a reference says which image: digest, tag, or floating, which is another one after each pull."""
    name, _at, digest = image.partition("@")
    if digest or image.startswith("sha256:"):
        return "digest"
    tag = name.rpartition("/")[2].partition(":")[2]
    return "floating" if tag in ("", "latest") else "tag"
