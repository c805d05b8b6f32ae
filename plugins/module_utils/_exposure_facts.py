# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All facts of who is reachable on a host, and what could not be seen.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _exposure_host as host
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import (
    engine_facts,
    published_of,
    read_containers,
    read_mesh,
    read_networks,
    with_own_addresses,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import is_loopback
from ansible_collections.portside.stack.plugins.module_utils._exposure_owners import Processes, endpoints, socket_units
from ansible_collections.portside.stack.plugins.module_utils._exposure_tunnels import TUNNEL_PROCESSES
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import in_place
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

Found = t.Dict[str, t.Any]


class World(t.NamedTuple):
    """What facts are read through."""

    engine: EngineClient
    run: Run
    fs: t.Any
    listeners: t.Callable[[], t.List[Listener]]
    user: t.Callable[[int], str]
    root: bool


def read_facts(world: World) -> Found:
    """Everything, as it is now; ``unseen`` are sentences on what is not among it."""
    unseen: t.List[str] = []
    if not world.root:
        unseen.append(
            "This did not run as root: processes of others, their containers and the packet filter were not seen. "
            "Remedy: run the task with become: true."
        )
    processes = Processes(world.fs)
    daemon = next((pid for pid, _name in processes.called(["dockerd"])), 0)
    settings = host.daemon_settings(world.fs, processes.read(daemon, "cmdline") if daemon else "", unseen)
    raw_off = bool(daemon) and host.raw_rules_off(processes.read(daemon, "environ"))
    about, info, containers, networks, mesh = _engine(world, bool(daemon), unseen)
    engine = engine_facts(about, info, settings, raw_off)
    interfaces = host.interfaces(world.run, unseen)
    bridges = [one["interface"] for one in networks if one["interface"]]
    found = endpoints(world.listeners(), containers, processes, socket_units(world.run), world.user)
    hidden = len([one for one in found if one["owner"]["kind"] == "unknown" and not is_loopback(one["address"])])
    if hidden and world.root:
        unseen.append("Of {0} listening sockets no process could be seen: it is the kernel's, as of NFS, or in another PID namespace.".format(hidden))
    own = {one["id"] for one in containers}
    tunnels = [
        {"process": name, "pid": pid}
        for pid, name in processes.called(TUNNEL_PROCESSES)
        if not own.intersection(processes.container_ids(pid))
    ]
    return {
        "endpoints": found,
        "published": published_of(containers),
        "containers": with_own_addresses(containers, networks, engine["version"]),
        "networks": networks,
        "mesh": mesh,
        "engine": engine,
        "firewall": _firewall(world, engine, unseen),
        "addresses": host.outside_addresses(interfaces, bridges),
        "interfaces": interfaces,
        "tunnels": tunnels,
        "ephemeral": list(host.ephemeral_range(world.fs)),
        "unseen": unseen,
    }


def _engine(world: World, expected: bool, unseen: t.List[str]) -> t.Tuple[Found, Found, t.List[Found], t.List[Found], t.List[Found]]:
    """The engine's own words; without an engine, none of them."""
    try:
        about, info = world.engine.about(), world.engine.get("/info")
        containers = read_containers(world.engine)
        networks = read_networks(world.engine, containers)
    except EngineUnavailable as error:
        # A host without Docker has nothing to hide; one whose engine may not be asked does.
        if expected or isinstance(error.__cause__, PermissionError):
            unseen.append("Containers, their published ports and networks were not seen: {0}".format(error))
        return {}, {}, [], [], []
    mesh: t.List[Found] = []
    swarm = info.get("Swarm") or {}
    if swarm.get("LocalNodeState") == "active":
        try:
            mesh = read_mesh(world.engine)
        except EngineError as error:
            unseen.append("What Swarm's routing mesh publishes was not seen: only managers tell it ({0}).".format(error))
    return about, info, containers, networks, mesh


def _firewall(world: World, engine: Found, unseen: t.List[str]) -> Found:
    families = {}
    for family, program in (("ipv4", "iptables-save"), ("ipv6", "ip6tables-save")):
        # Without an engine a host need not have them.
        tables = host.saved(world.run, program, unseen if engine["running"] else [])
        families[family] = host.filter_facts(tables)
    return {
        # What only root may ask for is not gone where another one asks.
        "seen": world.root,
        "portside": host.portside_table(world.run, lambda: in_place(world.run, world.fs)),
        "docker_tables": host.has_docker_tables(world.run) if engine["firewall_backend"] == "nftables" else None,
        "ufw": any(one and one["ufw"] for one in families.values()),
        "firewalld": host.firewalld_runs(world.run),
        "forwarding": host.forwarding(world.fs),
        **families,
    }
