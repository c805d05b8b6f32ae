# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers of a stack differ from the release that they were made for, and in what.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_DIGEST, LABEL_SERVICE, Service
from ansible_collections.portside.stack.plugins.module_utils._container_drift import Difference, Look, differences
from ansible_collections.portside.stack.plugins.module_utils._drift_mounts import stale_mounts
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

Mapping = t.Mapping[str, t.Any]


def container_drift(
    engine: EngineClient,
    fs: FileSystem,
    definition: Mapping,
    services: t.Mapping[str, Service],
    inspections: t.Iterable[Mapping],
    networks: t.Mapping[str, str],
) -> t.Dict[str, t.List[Difference]]:
    """The differences of each container that has some, by its id. ``networks`` are the host's ids by name.

    A container of another definition of its service is left out, since it is replaced anyway, and so are one-shots.
    """
    images: t.Dict[str, str] = {}
    able: t.Optional[Mapping] = None
    found = {}
    for data in inspections:
        labels = (data.get("Config") or {}).get("Labels") or {}
        service = services.get(labels.get(LABEL_SERVICE, ""))
        if service is None or service.oneshot or labels.get(LABEL_DIGEST) != service.digest:
            continue
        if able is None:
            able = engine.get("/info")
        if service.image not in images:
            images[service.image] = (engine.image(service.image) or {}).get("Id") or ""
        body = definition["services"][service.name]
        own = None if body.get("network_mode") else {name: networks.get(name, "") for name in service.networks}
        differing = differences(body, data, Look(images[service.image], own, able))
        pid = data["State"].get("Pid") if data["State"]["Status"] == "running" else 0
        differing += stale_mounts(fs, definition, service.name, pid) if pid else []
        if differing:
            found[data["Id"]] = differing
    return found
