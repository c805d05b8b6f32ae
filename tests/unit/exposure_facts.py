# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for the rules of exposure: facts as the module reads them, without the host."""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared, services_of_release
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import (
    engine_facts,
    owner_of,
    published_of,
    with_own_addresses,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_host import filter_facts
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import endpoint, family_of, owner

SINCE = "2026-11-20T08:11:02.31Z"
# The rules that every engine makes.
DOCKER = {
    "filter": {
        "INPUT": {"policy": "ACCEPT", "rules": []},
        "FORWARD": {"policy": "DROP", "rules": ["-j DOCKER-USER", "-o docker0 -j DOCKER"]},
        "DOCKER-USER": {"policy": "", "rules": ["-j RETURN"]},
    },
    "nat": {"PREROUTING": {"policy": "ACCEPT", "rules": ["-m addrtype --dst-type LOCAL -j DOCKER"]}},
}


def port(published, address="0.0.0.0", target=80, protocol="tcp"):
    return {"address": address, "family": family_of(address), "published": published, "target": target, "protocol": protocol}


def container(name, *ports, networks=("bridge",), ipv6="", stack="", service="", **keys):
    number = sum(name.encode())
    return dict(
        {
            "id": format(number, "064x"),
            "name": name,
            "stack": stack,
            "service": service,
            "oneoff": False,
            "image": "example/app:1",
            "since": SINCE,
            "network_mode": "bridge",
            "networks": {one: {"ipv4": "172.17.0.{0}".format(number % 250 + 2), "ipv6": ipv6} for one in networks},
            "ports": list(ports),
            "asked": sorted("{0}/{1}".format(one["target"], one["protocol"]) for one in ports),
            "privileged": False,
            "host_pids": False,
            "capabilities": [],
            "mounts": [],
            "proxied": [],
            "tunnel_variables": [],
        },
        **keys,
    )


def network(name, driver="bridge", attached=(), **keys):
    found = {"name": name, "driver": driver, "scope": "local", "internal": False, "ipv6": False, "interface": "", "options": {}, "attached": list(attached)}
    return dict(found, **keys)


def socket(number, process, address="0.0.0.0", protocol="tcp", of=None):
    """A listening socket, of a container in the host's network or of a process."""
    who = dict(owner_of(of), process=process, pid=7, user="root") if of else owner("process", process=process, pid=7, user="root")
    return dict(endpoint(protocol, address, number), owner=who, published=False)


def host(containers=(), endpoints=(), networks=None, version="28.3.0", info=None, settings=None, raw_off=False, rules=DOCKER, rules6=DOCKER, **keys):
    networks = [network("bridge", attached=[one["name"] for one in containers], interface="docker0")] if networks is None else networks
    bound = [dict(endpoint(one["protocol"], one["address"], one["published"]), owner=one["owner"], published=True) for one in published_of(containers)]
    about = {"Version": version, "ApiVersion": "1.48"} if version else {}
    firewall = {
        "seen": True,
        "portside": {"present": False, "in_place": False, "reason": "", "public": {"tcp": [], "udp": []}},
        "docker_tables": None,
        "ufw": False,
        "firewalld": False,
        "forwarding": {"ipv4": True, "ipv6": True},
        "ipv4": filter_facts(rules),
        "ipv6": filter_facts(rules6),
    }
    firewall.update(keys.pop("firewall", {}))
    facts = {
        "endpoints": [*endpoints, *bound],
        "published": published_of(containers),
        "containers": with_own_addresses(containers, networks, version),
        "networks": networks,
        "mesh": [],
        "engine": engine_facts(about, info or {}, settings or {}, raw_off),
        "firewall": firewall,
        "addresses": {"ipv4": ["192.0.2.2"], "ipv6": []},
        "interfaces": [
            {"name": "eth0", "addresses": [{"family": "ipv4", "address": "192.0.2.2", "scope": "global"}]},
            {"name": "docker0", "addresses": [{"family": "ipv4", "address": "172.17.0.1", "scope": "global"}]},
            {"name": "wg0", "addresses": [{"family": "ipv4", "address": "10.9.0.1", "scope": "global"}]},
        ],
        "tunnels": [],
        "ephemeral": [32768, 60999],
        "unseen": [],
    }
    return dict(facts, **keys)


def guarded(*public):
    """The collection's firewall in place, with some ports open."""
    return {"portside": {"present": True, "in_place": True, "reason": "", "public": {"tcp": list(public), "udp": []}}}


def rules(table, chain, *lines, policy=""):
    """The engine's rules, with one chain as it is given."""
    return {**DOCKER, table: {**DOCKER.get(table, {}), chain: {"policy": policy, "rules": list(lines)}}}


def release(stack, networks=("default",), edge=None, **services):
    """What a release declares: services as Compose's documents have them."""
    definition = {
        "name": stack,
        "services": services,
        "networks": {one: {"name": "{0}_{1}".format(stack, one), "external": True} for one in networks},
    }
    if edge:
        definition["x-portside"] = {"edge": edge}
    return services_of_release(stack, definition)


def declared(services=None, waivers=(), **keys):
    return Declared(services=services or {}, waivers=tuple(dict({"stack": ""}, **one) for one in waivers), **keys)
