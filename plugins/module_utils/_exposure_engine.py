# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine says of its containers, their published ports and its networks, as far as others can reach them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Nothing of a container's environment or command is kept but names: values may be secrets.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, LABEL_SERVICE, is_oneoff
from ansible_collections.portside.stack.plugins.module_utils._container_escape import bare_capability
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import family_of, owner

Found = t.Dict[str, t.Any]

# Where others may tell a proxy that runs here to lead to a container.
_PROXY_LABELS = ("traefik.http.routers.", "traefik.tcp.routers.", "traefik.udp.routers.", "caddy", "tsdproxy.")
_PROXY_VARIABLES = ("VIRTUAL_HOST",)
_TUNNEL_VARIABLES = ("TUNNEL_TOKEN", "NGROK_AUTHTOKEN", "TS_AUTHKEY")
_MODE = "com.docker.network.bridge.gateway_mode_"
_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"
# From which engine on each of these does something. Earlier ones ignore the options of networks, and a network keeps what the
# engine that made it took from them.
ROUTED, UNPROTECTED, TRUSTED, DIRECT = "routed", "nat-unprotected", "trusted_host_interfaces", "allow-direct-routing"
SINCE = {ROUTED: (27, 0), UNPROTECTED: (28, 0), TRUSTED: (28, 2), DIRECT: (28, 2)}
# Networks whose containers are machines of their own on the network outside.
_OUTSIDE = ("macvlan", "ipvlan")
_OPTIONS = (
    _MODE + "ipv4",
    _MODE + "ipv6",
    _TRUSTED,
    "com.docker.network.bridge.host_binding_ipv4",
    "com.docker.network.bridge.name",
    "com.docker.network.bridge.enable_icc",
    "parent",
    "macvlan_mode",
    "ipvlan_mode",
)


def read_containers(engine: EngineClient) -> t.List[Found]:
    """The running containers; one that ends meanwhile is left out."""
    found = []
    for entry in engine.containers(stopped=False):
        try:
            found.append(container(engine.get("/containers/{0}/json".format(entry["Id"]))))
        except EngineError as error:
            if error.status != 404:
                raise
    return sorted(found, key=lambda one: one["name"])


def container(data: t.Mapping[str, t.Any]) -> Found:
    """A container from its inspection."""
    host, config = data["HostConfig"], data["Config"]
    settings = data.get("NetworkSettings") or {}
    labels = config.get("Labels") or {}
    variables = {text.partition("=")[0] for text in config.get("Env") or ()}
    return {
        "id": data["Id"],
        "name": data["Name"].lstrip("/"),
        "stack": labels.get(LABEL_PROJECT, ""),
        "service": labels.get(LABEL_SERVICE, ""),
        "oneoff": is_oneoff(labels),
        "image": config.get("Image", ""),
        "since": (data.get("State") or {}).get("StartedAt", ""),
        "network_mode": host.get("NetworkMode") or "",
        "networks": {
            name: {
                "ipv4": (one or {}).get("IPAddress") or "",
                "ipv6": (one or {}).get("GlobalIPv6Address") or "",
            }
            for name, one in (settings.get("Networks") or {}).items()
        },
        "ports": _ports(settings.get("Ports") or {}),
        # What was asked for: a network without NAT shows no host port for it.
        "asked": sorted(host.get("PortBindings") or {}),
        "privileged": bool(host.get("Privileged")),
        "host_pids": host.get("PidMode") == "host",
        "capabilities": sorted(bare_capability(one) for one in host.get("CapAdd") or ()),
        "mounts": sorted(one["Source"] for one in data.get("Mounts") or () if one.get("Type") == "bind" and one.get("Source")),
        "proxied": sorted(
            [label for label in labels if label.startswith(_PROXY_LABELS)]
            + [name for name in _PROXY_VARIABLES if name in variables]
        ),
        "tunnel_variables": sorted(variables.intersection(_TUNNEL_VARIABLES)),
    }


def _ports(ports: t.Mapping[str, t.Any]) -> t.List[Found]:
    found = []
    for key, bound in ports.items():
        target, _slash, protocol = key.partition("/")
        for one in bound or ():
            if (one.get("HostPort") or "0") != "0":
                address = one.get("HostIp") or "0.0.0.0"
                found.append(
                    {
                        "address": address,
                        "family": family_of(address),
                        "published": int(one["HostPort"]),
                        "target": int(target),
                        "protocol": protocol or "tcp",
                    }
                )
    return sorted(found, key=lambda one: (one["published"], one["protocol"], one["family"], one["address"]))


def owner_of(one: t.Mapping[str, t.Any]) -> Found:
    """A container as the owner of something."""
    return owner(
        "service" if one["stack"] and one["service"] else "container",
        stack=one["stack"],
        service=one["service"],
        container=one["name"],
        container_id=one["id"],
        since=one["since"],
    )


def published_of(containers: t.Iterable[Found]) -> t.List[Found]:
    """Every published port of every container."""
    return [dict(port, owner=owner_of(one), since=one["since"]) for one in containers for port in one["ports"]]


def read_networks(engine: EngineClient, containers: t.Iterable[Found]) -> t.List[Found]:
    """The networks, with who is attached."""
    attached: t.Dict[str, t.List[str]] = {}
    for one in containers:
        for name in one["networks"]:
            attached.setdefault(name, []).append(one["name"])
    return [network(data, attached.get(data["Name"], [])) for data in sorted(engine.get("/networks"), key=lambda data: data["Name"])]


def network(data: t.Mapping[str, t.Any], attached: t.List[str]) -> Found:
    """A network from the engine's list."""
    options = data.get("Options") or {}
    bridge = options.get("com.docker.network.bridge.name") or "br-" + data["Id"][:12]
    return {
        "name": data["Name"],
        "driver": data.get("Driver") or "",
        "scope": data.get("Scope") or "",
        "internal": bool(data.get("Internal")),
        "ipv6": bool(data.get("EnableIPv6")),
        "interface": bridge if data.get("Driver") == "bridge" else "",
        "options": {key: options[key] for key in _OPTIONS if options.get(key)},
        "attached": attached,
    }


def gateway_modes(one: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    """The modes of a network's gateways by family, where they are not the usual one."""
    modes = {family: one["options"].get(_MODE + family, "nat") for family in ("ipv4", "ipv6")}
    return {family: mode for family, mode in modes.items() if mode in (ROUTED, UNPROTECTED)}


def trusted_interfaces(one: t.Mapping[str, t.Any]) -> str:
    """The host's interfaces from which a network's containers are reached directly."""
    return one["options"].get(_TRUSTED, "")


def is_outside(one: t.Mapping[str, t.Any]) -> bool:
    """Whether the containers of a network are machines of their own on the network outside."""
    # Without a parent the engine makes one that leads nowhere.
    parent = one["options"].get("parent", "")
    return one["driver"] in _OUTSIDE and not one["internal"] and bool(parent) and not parent.startswith("dm-")


def with_own_addresses(containers: t.Iterable[Found], networks: t.Iterable[Found], version: str) -> t.List[Found]:
    """The containers, with the addresses at which each is reached itself, and why: the driver, or a mode of the gateway that the engine knows."""
    by_name = {one["name"]: one for one in networks}
    found = []
    for one in containers:
        own = []
        for name, addresses in one["networks"].items():
            network = by_name.get(name)
            modes = {family: mode for family, mode in gateway_modes(network).items() if knows(version, mode)} if network else {}
            for family in ("ipv4", "ipv6"):
                why = network["driver"] if network and is_outside(network) else modes.get(family, "")
                if why and addresses[family]:
                    own.append({"address": addresses[family], "network": name, "why": why})
        found.append(dict(one, own_addresses=own))
    return found


def read_mesh(engine: EngineClient) -> t.List[Found]:
    """The ports that Swarm's routing mesh publishes on every node."""
    found = []
    for service in engine.get("/services"):
        for port in (service.get("Endpoint") or {}).get("Ports") or ():
            if port.get("PublishMode", "ingress") == "ingress" and port.get("PublishedPort"):
                found.append(
                    {
                        "service": service["Spec"]["Name"],
                        "published": port["PublishedPort"],
                        "target": port.get("TargetPort", 0),
                        "protocol": port.get("Protocol") or "tcp",
                        "since": service.get("UpdatedAt", ""),
                    }
                )
    return found


def engine_facts(
    about: t.Mapping[str, t.Any], info: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any], raw_off: bool
) -> Found:
    """What of an engine and its daemon's settings bears on who is reachable.

    ``settings`` are those of daemon.json and of its command line; ``raw_off`` says whether its environment has
    DOCKER_INSECURE_NO_IPTABLES_RAW.
    """
    version = about.get("Version") or ""
    major = major_of(version)
    backend = (info.get("FirewallBackend") or {}).get("Driver") or settings.get("firewall-backend") or ""
    return {
        "running": bool(version),
        "version": version,
        "api": about.get("ApiVersion") or "",
        "firewall_backend": "nftables" if backend.startswith("nftables") else "iptables",
        "swarm": (info.get("Swarm") or {}).get("LocalNodeState") or "inactive",
        "userland_proxy": bool(settings.get("userland-proxy", True)),
        "iptables": bool(settings.get("iptables", True)),
        "ip6tables": bool(settings.get("ip6tables", major >= 27)),
        "ip": str(settings.get("ip") or ""),
        "allow_direct_routing": bool(settings.get("allow-direct-routing", False)),
        "hosts": [str(one) for one in settings.get("hosts") or ()],
        "tlsverify": bool(settings.get("tlsverify", False)),
        "no_iptables_raw": raw_off,
    }


def knows(version: str, option: str) -> bool:
    """Whether an engine does anything with an option; one whose version says nothing is taken for the newest."""
    found = _numbers(version)
    return not found or (*found, 0)[:2] >= SINCE[option]


def major_of(version: str) -> int:
    """The first number of a version; 0 where there is none."""
    return (*_numbers(version), 0)[0]


def _numbers(version: str) -> t.Tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(one) for one in found.group().split(".")) if found else ()
