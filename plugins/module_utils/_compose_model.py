# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack's document wants of each service, and what the engine says of each container.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import calendar
import time
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._graph import topological_order

LABEL_STACK = "portside.stack"
# The services that mounted a volume when it was made.
LABEL_MOUNTED_BY = "portside.service"
LABEL_DIGEST = "portside.digest"
LABEL_PROJECT = "com.docker.compose.project"
LABEL_SERVICE = "com.docker.compose.service"
LABEL_NUMBER = "com.docker.compose.container-number"
LABEL_ONEOFF = "com.docker.compose.oneoff"
LABEL_HASH = "com.docker.compose.config-hash"


class Port(t.NamedTuple):
    """A published host port; an empty address means all addresses."""

    address: str
    first: int
    last: int
    protocol: str


class Service(t.NamedTuple):
    """What the document says of one service."""

    name: str
    digest: str
    image: str
    platform: str
    scale: int
    oneshot: bool
    depends_on: t.Dict[str, str]
    follows: t.FrozenSet[str]
    ports: t.Tuple[Port, ...]
    mounts: t.FrozenSet[str]
    networks: t.FrozenSet[str] = frozenset()


class Container(t.NamedTuple):
    """What the engine says of one container. Compose does not see a ``foreign`` one, whatever else its labels say."""

    id: str
    name: str = ""
    service: str = ""
    number: int = 1
    digest: str = ""
    image: str = ""
    image_id: str = ""
    state: str = "running"
    health: t.Optional[str] = None
    failed_probes: int = 0
    probe: str = ""
    exit_code: int = 0
    restarts: int = 0
    uptime: float = 0.0
    finished: str = ""
    error: str = ""
    networks: t.Tuple[t.Tuple[str, str], ...] = ()
    ports: t.Tuple[Port, ...] = ()
    mounts: t.FrozenSet[str] = frozenset()
    foreign: bool = False


def services_of(definition: t.Dict[str, t.Any]) -> t.Dict[str, Service]:
    """The services of a rendered document, dependencies before dependants."""
    stack = definition.get("name")
    if not isinstance(stack, str) or not isinstance(definition.get("services"), dict):
        raise StackError("definition: has no name or no services. Pass what the filter compose_document returns.")
    volumes = {key: (value or {}).get("name", key) for key, value in (definition.get("volumes") or {}).items()}
    networks = {key: (value or {}).get("name", key) for key, value in (definition.get("networks") or {}).items()}
    found = {name: _service(stack, name, body, volumes, networks) for name, body in definition["services"].items()}
    return _ordered(stack, found)


def _service(
    stack: str, name: str, body: t.Dict[str, t.Any], volumes: t.Dict[str, str], networks: t.Dict[str, str]
) -> Service:
    digest = (body.get("labels") or {}).get(LABEL_DIGEST)
    if not digest:
        raise StackError(
            "stack {0}: service {1} carries no label {2}. "
            "Pass what the filter compose_document returns as definition.".format(stack, name, LABEL_DIGEST)
        )
    if not body.get("image"):
        raise StackError("stack {0}: service {1} names no image. Remedy: set its key image.".format(stack, name))
    depends_on = {key: value["condition"] for key, value in (body.get("depends_on") or {}).items()}
    restarted = [key for key, value in (body.get("depends_on") or {}).items() if value.get("restart")]
    shared = [str(body.get(key, "")) for key in ("network_mode", "ipc", "pid")]
    leaders = restarted + [mode[8:] for mode in shared if mode.startswith("service:")]
    for leader in leaders:
        depends_on.setdefault(leader, "service_started")
    return Service(
        name=name,
        digest=str(digest),
        image=body["image"],
        platform=body.get("platform") or "",
        scale=scale_of(body),
        oneshot=body.get("restart") == "no",
        depends_on=depends_on,
        follows=frozenset(leaders),
        ports=tuple(_port(port) for port in body.get("ports") or () if _is_fixed(port)),
        mounts=frozenset(_mount_source(mount, volumes) for mount in body.get("volumes") or ()) - {""},
        networks=_networks(body, networks),
    )


def _networks(body: t.Dict[str, t.Any], networks: t.Dict[str, str]) -> t.FrozenSet[str]:
    if body.get("network_mode"):
        return frozenset()
    return frozenset(networks[key] for key in body.get("networks") or ("default",) if key in networks)


def _is_fixed(port: t.Dict[str, t.Any]) -> bool:
    return str(port.get("published") or "0") != "0"


def _port(port: t.Dict[str, t.Any]) -> Port:
    first, _dash, last = str(port["published"]).partition("-")
    return Port(port.get("host_ip") or "", int(first), int(last or first), port.get("protocol") or "tcp")


def _mount_source(mount: t.Any, volumes: t.Dict[str, str]) -> str:
    source = mount.get("source") or "" if isinstance(mount, dict) else mount.partition(":")[0]
    return volumes.get(source, source)


def _ordered(stack: str, services: t.Dict[str, Service]) -> t.Dict[str, Service]:
    try:
        order = topological_order({name: service.depends_on for name, service in services.items()})
    except StackError as error:
        raise StackError(
            "stack {0}: services are {1}. Remedy: take one of these depends_on entries away.".format(stack, error)
        ) from error
    return {name: services[name] for name in order}


def is_of_stack(data: t.Mapping[str, t.Any]) -> bool:
    """Whether an inspected container is one of the stack's, and none that a person or a step runs once."""
    return not is_oneoff(data["Config"].get("Labels"))


def is_oneoff(labels: t.Optional[t.Mapping[str, str]]) -> bool:
    """Whether a container with these labels is one that a person or a step runs once."""
    return (labels or {}).get(LABEL_ONEOFF, "False") == "True"


def scale_of(body: t.Mapping[str, t.Any]) -> int:
    """How many containers a service has."""
    replicas = (body.get("deploy") or {}).get("replicas")
    return int(body.get("scale", 1) if replicas is None else replicas)


def container_of(data: t.Dict[str, t.Any], now: float) -> Container:
    """A container from its inspection."""
    labels = data["Config"].get("Labels") or {}
    state = data["State"]
    health = state.get("Health") or {}
    probes = health.get("Log") or []
    running = state["Status"] == "running"
    return Container(
        id=data["Id"],
        name=data["Name"].lstrip("/"),
        service=labels.get(LABEL_SERVICE, ""),
        number=int(labels.get(LABEL_NUMBER) or 1),
        digest=labels.get(LABEL_DIGEST, ""),
        image=data["Config"].get("Image", ""),
        image_id=data.get("Image", ""),
        state=state["Status"],
        health=health["Status"] if health.get("Status", "none") != "none" else None,
        failed_probes=health.get("FailingStreak", 0),
        probe="exit {0}: {1}".format(probes[-1]["ExitCode"], probes[-1]["Output"].strip()) if probes else "",
        exit_code=state.get("ExitCode", 0),
        restarts=data.get("RestartCount", 0),
        uptime=max(0.0, now - _epoch(state["StartedAt"])) if running else 0.0,
        finished=state.get("FinishedAt", ""),
        error=state.get("Error", ""),
        networks=tuple(
            sorted((name, net.get("NetworkID") or "") for name, net in data["NetworkSettings"]["Networks"].items())
        ),
        ports=_bound_ports(data["HostConfig"].get("PortBindings") or {}),
        mounts=frozenset(mount.get("Name") or mount.get("Source") or "" for mount in data.get("Mounts") or ()),
        foreign=not (labels.get(LABEL_ONEOFF) and labels.get(LABEL_HASH)),
    )


def _bound_ports(bindings: t.Dict[str, t.Any]) -> t.Tuple[Port, ...]:
    ports = []
    for target, binds in bindings.items():
        for bind in binds or ():
            if bind.get("HostPort"):
                first, _dash, last = bind["HostPort"].partition("-")
                protocol = target.partition("/")[2] or "tcp"
                ports.append(Port(bind.get("HostIp") or "", int(first), int(last or first), protocol))
    return tuple(ports)


def _epoch(stamp: str) -> float:
    """Seconds of the engine's time stamps, which are UTC with up to nanoseconds."""
    whole, _dot, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))
