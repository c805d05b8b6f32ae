# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be reachable on a host: what its current releases publish, and what the host's own settings allow.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import RULES
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import Settings
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore, released_stacks
from ansible_collections.portside.stack.plugins.module_utils._rendered_ports import DeclaredPort, rendered_ports

# What production forbids in a declaration is the same thing on the host: it is waived once.
_OF_PRODUCTION = {"docker_socket": "docker_control", "privileged": "docker_control"}
# How the configuration of a declared tunnel is called among a release's files.
_TUNNEL_CONFIG = "_cloudflared.yml_"


class DeclaredService(t.NamedTuple):
    """What a release says of a service, as far as others can reach it."""

    stack: str
    name: str
    ports: t.Tuple[DeclaredPort, ...] = ()
    networks: t.FrozenSet[str] = frozenset()
    network_mode: str = ""
    tunnel: bool = False
    routes: t.Tuple[t.Mapping[str, t.Any], ...] = ()


class Proxy(t.NamedTuple):
    """A proxy of the host that a stack relies on: it is in no stack, and all that it leads to is public."""

    stack: str
    name: str
    routes: t.Tuple[t.Mapping[str, t.Any], ...]


class Declared(t.NamedTuple):
    """All that is declared on a host. ``firewall`` tells whether it is to have the collection's."""

    services: t.Mapping[t.Tuple[str, str], DeclaredService] = {}
    proxies: t.Tuple[Proxy, ...] = ()
    ssh_ports: t.Tuple[int, ...] = (22,)
    open: t.Tuple[t.Mapping[str, t.Any], ...] = ()
    trusted_interfaces: t.Tuple[str, ...] = ()
    firewall: bool = False
    waivers: t.Tuple[t.Mapping[str, t.Any], ...] = ()

    @property
    def stacks(self) -> t.Set[str]:
        return {stack for stack, _service in self.services}

    def service(self, who: t.Mapping[str, t.Any]) -> t.Optional[DeclaredService]:
        return self.services.get((who.get("stack", ""), who.get("service", "")))

    def is_open(self, protocol: str, port: int) -> bool:
        """Whether the host itself may show that port."""
        return any((one["protocol"], one["port"]) == (protocol, port) for one in self.open)


def services_of_release(stack: str, definition: t.Mapping[str, t.Any]) -> t.Dict[t.Tuple[str, str], DeclaredService]:
    """The services of a rendered document."""
    routes = _routes(definition)
    networks = {key: (value or {}).get("name", key) for key, value in (definition.get("networks") or {}).items()}
    found = {}
    for name, body in (definition.get("services") or {}).items():
        mode = str(body.get("network_mode") or "")
        joined = () if mode else body.get("networks") or ("default",)
        found[(stack, name)] = DeclaredService(
            stack=stack,
            name=name,
            ports=rendered_ports(body),
            networks=frozenset(networks.get(key, key) for key in joined),
            network_mode=mode,
            tunnel=any(str(one.get("source", "")).startswith(_TUNNEL_CONFIG) for one in body.get("configs") or ()),
            routes=tuple(route for route in routes if route["via"] == name),
        )
    return found


def proxies_of_release(stack: str, definition: t.Mapping[str, t.Any]) -> t.List[Proxy]:
    """The proxy that somebody else runs on the host for it, if there is one."""
    edge = (definition.get("x-portside") or {}).get("edge") or {}
    return [Proxy(stack, edge["name"], tuple(_routes(definition)))] if edge.get("kind") == "external" else []


def _routes(definition: t.Mapping[str, t.Any]) -> t.Sequence[t.Mapping[str, t.Any]]:
    return (definition.get("x-portside") or {}).get("routes") or ()


def waivers_of_release(stack: str, definition: t.Mapping[str, t.Any]) -> t.List[t.Dict[str, t.Any]]:
    """What a stack waives: only of its own services, and only what this module judges."""
    waivers = (definition.get("x-portside") or {}).get("waivers") or ()
    named = [dict(one, stack=stack, rule=_OF_PRODUCTION.get(one["rule"], one["rule"])) for one in waivers]
    return [one for one in named if one["rule"] in RULES]


def read_declared(stack_root: str, releases: t.Mapping[str, str], settings: Settings) -> Declared:
    """What is declared; ``releases`` are judged in the place of the current ones of their stacks."""
    services: t.Dict[t.Tuple[str, str], DeclaredService] = {}
    proxies: t.List[Proxy] = []
    waivers = [dict(one, stack="") for one in settings.waivers]
    for stack in sorted({*released_stacks(stack_root), *releases}):
        store = ReleaseStore(os.path.join(stack_root, stack))
        release = releases.get(stack) or store.current()
        if not release:
            continue  # it was never deployed
        definition = store.read(release).get("definition") or {}
        services.update(services_of_release(stack, definition))
        proxies += proxies_of_release(stack, definition)
        waivers += waivers_of_release(stack, definition)
    return Declared(
        services=services,
        proxies=tuple(proxies),
        ssh_ports=tuple(settings.ssh_ports),
        open=tuple(settings.open),
        trusted_interfaces=tuple(settings.trusted_interfaces),
        firewall=settings.firewall,
        waivers=tuple(waivers),
    )


def declared_rows(declared: Declared) -> t.List[t.Dict[str, t.Any]]:
    """The same as rows: ports of services, then what the host itself may show."""
    rows = [
        {
            "stack": one.stack,
            "service": one.name,
            "exposure": "public" if port.public else "loopback",
            "address": port.address,
            "published": "{0}-{1}".format(port.first, port.last) if port.first != port.last else str(port.first or ""),
            "target": port.target,
            "protocol": port.protocol,
            "sources": [],
            "reason": "",
        }
        for one in declared.services.values()
        for port in one.ports
    ]
    own = [dict(one) for one in declared.open]
    own += [{"port": port, "protocol": "tcp", "sources": [], "reason": "ssh"} for port in declared.ssh_ports]
    for one in own:
        port = one.pop("port")
        rows.append(dict(one, stack="", service="", exposure="public", address="", published=str(port), target=port))
    return rows
