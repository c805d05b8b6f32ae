# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `make test-exposure`, as far as it needs no host: it is whole, the declaration says what it can, made-up facts the rest."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re
import sys

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import judge
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import published_ports
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from exposure_facts import container, declared, host, network, port, rules

CHECKOUT = pathlib.Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("exposure_ways", CHECKOUT / "tests/exposure/ways.py")
ways = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ways)

_MODE = "com.docker.network.bridge.gateway_mode_ipv4"
_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"


def asked(**options):
    """A container that publishes on loopback, on a network with these options."""
    return {"containers": [container("db", asked=["5432/tcp"])], "networks": [network("bridge", options=options)]}


# What cannot be set up on the bed's hosts: its facts, the rule that is broken, and words of what is said.
MADE_UP = {
    "ipvlan": (
        host([container("db", networks=("lan",))], networks=[network("lan", "ipvlan", ["db"], options={"parent": "eth0"})]),
        "own_address",
        ("container db", "ipvlan network lan"),
    ),
    "gateway_mode routed": (host(**asked(**{_MODE: "routed"})), "routed_network", ("container db", "network bridge is routed")),
    "gateway_mode nat-unprotected": (host(**asked(**{_MODE: "nat-unprotected"})), "routed_network", ("container db", "nat-unprotected")),
    "trusted_host_interfaces": (host(**asked(**{_TRUSTED: "eth1"})), "routed_network", ("container db", "from eth1")),
    "allow-direct-routing": (host(**asked(), settings={"allow-direct-routing": True}), "routed_network", ("container db", "allows direct routing")),
    "ip6tables: false": (
        host([container("db")], networks=[network("six", ipv6=True)], settings={"ip6tables": False}),
        "engine_setting",
        ('"ip6tables": false', "six"),
    ),
    "the engine's nftables backend": (
        host(info={"FirewallBackend": {"Driver": "nftables"}}, rules=rules("filter", "DOCKER-USER", "-i eth0 -j DROP")),
        "firewall_ineffective",
        ("DOCKER-USER", "do nothing"),
    ),
    "a tunnel whose routes are at its provider": (
        host([container("t", tunnel_variables=["TUNNEL_TOKEN"], image="example/app:1")]),
        "tunnel",
        ("container t", "Cloudflare Tunnel"),
    ),
    "Swarm's mesh on the other nodes": (
        host(mesh=[{"service": "web", "published": 8080, "target": 80, "protocol": "tcp", "since": ""}]),
        "swarm_mesh",
        ("Swarm's service web", "of every node"),
    ),
}
DECLARED = [way for way in ways.WAYS if way.judge]


def test_every_way_is_in_the_table():
    assert {one.number for one in [*ways.WAYS, *ways.NOT_HERE]} == set(range(1, 26))
    assert all(way.host or way.outside for way in ways.WAYS)
    assert {one.name for one in ways.NOT_HERE} == set(MADE_UP)


def test_the_table_of_the_docs_has_them_all_and_names_the_same_rules():
    text = (CHECKOUT / "docs/exposure.md").read_text(encoding="utf-8").partition("## Which layer catches what")[2]
    rows: dict[int, str] = {}
    for number, row in re.findall(r"^\| *(\d+) *\|(.*)", text, re.M):
        rows[int(number)] = rows.get(int(number), "") + row
    assert sorted(rows) == list(range(1, 26))
    for way in ways.WAYS:
        assert not [rule for rule in way.host if f"`{rule}`" not in rows[way.number]], way
    for name, (_facts, rule, _words) in MADE_UP.items():
        (one,) = [one for one in ways.NOT_HERE if one.name == name]
        assert f"`{rule}`" in rows[one.number] and one.name in text, one


@pytest.mark.parametrize("way", DECLARED, ids=lambda way: f"{way.number} {way.name}")
def test_the_declaration_says_so_before_anything_runs(way):
    document = json.loads(json.dumps(way.compose).replace("{address}", "192.0.2.2"))
    service, networks = document["services"]["db"], document.get("networks", {})
    if way.judge == "stack_problems":
        told = " ".join(stack_problems([{"name": "other", "environment": "production", **document}]))
        assert "stack 'other', service 'db'" in told
    elif not way.refused:
        assert all(one["public"] for one in published_ports(service, networks))
        return
    else:
        with pytest.raises(StackError) as refused:
            published_ports(service, networks)
        told = str(refused.value)
    assert not [word for word in way.refused if word not in told], told


def test_in_a_swarm_an_address_says_nothing():
    assert published_ports({"ports": ["127.0.0.1:5432:8000"]}, swarm=True)[0]["public"] is True


@pytest.mark.parametrize("name", MADE_UP)
def test_what_cannot_be_set_up_here_is_found_in_made_up_facts(name):
    facts, rule, words = MADE_UP[name]
    told = [one for one in judge(facts, declared()).violations if one["rule"] == rule]
    assert len(told) == 1
    assert not [word for word in words if word not in told[0]["what"] + told[0]["why"]], told
    assert not judge(host([container("db", port(5432, "127.0.0.1"))]), declared()).violations
