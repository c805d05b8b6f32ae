# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the containers of a stack are, and of each service what its containers are together. Pure.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import container as exposed_container
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import is_loopback, shown
from ansible_collections.portside.stack.plugins.module_utils._exposure_rows import INTERNAL, PUBLIC, REACHES
from ansible_collections.portside.stack.plugins.module_utils._status_usage import Usage

Found = t.Dict[str, t.Any]

# The first that any container has is that of the service.
_STATES = ("dead", "removing", "exited", "created", "restarting", "paused", "running")
_HEALTHS = ("unhealthy", "starting", "none", "healthy")


def container(data: t.Mapping[str, t.Any]) -> Found:
    """A container from its inspection."""
    host, state = data["HostConfig"], data["State"]
    settings = data.get("NetworkSettings") or {}
    told = {**(data["Config"].get("ExposedPorts") or {}), **(settings.get("Ports") or {})}
    return dict(
        exposed_container(data),
        image_id=data.get("Image", ""),
        state=state["Status"],
        exit_code=state.get("ExitCode", 0),
        health=(state.get("Health") or {}).get("Status") or "none",
        restarts=data.get("RestartCount", 0),
        pid=state.get("Pid") or 0,
        cpu_limit=_cpus(host),
        memory_limit=host.get("Memory") or None,
        listens=sorted({int(key.partition("/")[0]) for key in told if key.endswith("/tcp")}),
    )


def _cpus(host: t.Mapping[str, t.Any]) -> t.Optional[float]:
    if host.get("NanoCpus"):
        return host["NanoCpus"] / 1e9
    if (host.get("CpuQuota") or 0) > 0:
        return round(host["CpuQuota"] / (host.get("CpuPeriod") or 100000), 3)
    return None


def service(
    name: str,
    body: t.Mapping[str, t.Any],
    wanted: int,
    references: t.Mapping[str, str],
    containers: t.Optional[t.Sequence[Found]],
    rows: t.Sequence[t.Mapping[str, t.Any]],
    usage: t.Mapping[int, Usage],
    ports: t.Iterable[int],
) -> Found:
    """A service of a release. ``references`` are what pinned images are called, ``rows`` who reaches it, ``ports`` what else it
    is declared to listen on; without containers the engine did not answer."""
    own = list(containers or ())
    running = [one for one in own if one["state"] == "running"]
    pin = str(own[0]["image"] if own else body.get("image") or "")
    widest: t.Mapping[str, t.Any] = max(rows, key=lambda row: REACHES.index(row["reach"]), default={})
    exposures = [row["exposure"] for row in rows] or [INTERNAL]
    exposure = max(exposures, key=REACHES.index)
    return {
        "name": name,
        "state": "unknown" if containers is None else _first(_STATES, own, "state") or ("missing" if wanted else "off"),
        "health": "unknown" if containers is None else _first(_HEALTHS, own, "health") or "none",
        "containers": len(own),
        "running": len(running),
        "wanted": wanted,
        "exit_code": next((one["exit_code"] for one in own if one["state"] in ("exited", "dead")), None),
        "since": min((one["since"] for one in running), default=""),
        "restarts": sum(one["restarts"] for one in own),
        "image": references.get(pin, pin.partition("@")[0]),
        "digest": pin.rpartition("@")[2] if "sha256:" in pin else (own[0]["image_id"] if own else ""),
        **_resources(running, usage),
        "exposure": exposure,
        "reach": widest.get("reach", INTERNAL),
        "via": widest.get("via", ""),
        "published": _published(rows) + ["the host's network" for one in running[:1] if one["network_mode"] == "host"],
        "routes": list(dict.fromkeys(route for row in rows for route in row["routes"])),
        "tunnel_to": [] if exposure == PUBLIC or not running else tunnel_ends(running[0], rows, ports),
    }


def tunnel_ends(one: Found, rows: t.Iterable[t.Mapping[str, t.Any]], ports: t.Iterable[int]) -> t.List[Found]:
    """Where the host itself reaches a service that others do not: on loopback, else at the container's address of the moment."""
    ends, bound = [], set()
    for row in rows:
        address = next((one for one in row["addresses"] if is_loopback(one)), "")
        if address and row["protocol"] == "tcp":
            ends.append({"address": address, "port": int(row["published"])})
            bound.add(row["target"])
    addresses = [network[family] for family in ("ipv4", "ipv6") for _name, network in sorted(one["networks"].items())]
    address = next(filter(None, addresses), "")
    routed = {row["target"] for row in rows if row["target"] and row["protocol"] == "tcp"}
    inside = {*one["listens"], *routed, *ports} - bound
    return ends + [{"address": address, "port": port} for port in sorted(inside) if address]


def _first(order: t.Sequence[str], containers: t.Iterable[Found], key: str) -> str:
    found = {one[key] for one in containers}
    return next((one for one in order if one in found), "")


def _resources(running: t.Sequence[Found], usage: t.Mapping[int, Usage]) -> Found:
    used = [usage[one["pid"]] for one in running if one["pid"] in usage]
    return {
        "cpu_percent": round(sum(one.cpu_percent for one in used), 1) if used else None,
        "cpu_limit": _sum(one["cpu_limit"] for one in running),
        "memory": _sum(one.memory for one in used),
        "memory_limit": _sum(one["memory_limit"] for one in running),
    }


def _sum(values: t.Iterable[t.Any]) -> t.Any:
    """None where there are none, or one has none: that one may have all."""
    found = list(values)
    return sum(found) if found and None not in found else None


def _published(rows: t.Iterable[t.Mapping[str, t.Any]]) -> t.List[str]:
    return [
        "{0} -> {1}/{2}".format(shown(address, int(row["published"])), row["target"], row["protocol"])
        for row in rows
        for address in row["addresses"]
    ]
