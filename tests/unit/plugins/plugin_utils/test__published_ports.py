# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports, against what the real Compose answered."""

from __future__ import annotations

import ipaddress
import json
import pathlib

import pytest
import yaml
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import network_reach, published_ports
from hypothesis import given
from hypothesis import strategies as st

MEASURED = json.loads((pathlib.Path(__file__).parents[2] / "data" / "compose_ports_measured.json").read_text(encoding="utf-8"))
GATEWAY = "com.docker.network.bridge.gateway_mode_"
BINDING = "com.docker.network.bridge.host_binding_ipv4"
# What Compose lets through and is refused here all the same.
STRICTER = {
    "YAML may have made it of something else": [[80], [1342]],
    "Compose's versions disagree": [["+80:80"], ["8080:+80"]],
    "the engine refuses it at create": [
        *([{"target": 80, "published": value}] for value in ("8082-8080", "abc", 70000, "70000", -1, " 8080")),
        *([{"target": value}] for value in (0, 70000, 4294967296)),
        *([{"target": 80, "protocol": value}] for value in ("icmp", "")),
    ],
    "nobody means it": [[{"target": 80.0}], [{"target": 80, "mode": "global"}], [{"target": 80, "mode": ""}]],
}
# As text: to Python 80.0 is 80.
REFUSED_HERE = [json.dumps(ports) for some in STRICTER.values() for ports in some]
# Compose compares numbers with texts there, and keeps both of two that are the same.
SAME_TWICE = [
    ["8080:80", {"target": 80, "published": 8080}],
    ["[::1]:8080:80", {"target": 80, "published": 8080, "host_ip": "::1"}],
    [{"target": 80, "published": "1", "protocol": "UDP"}, "1:80/udp"],
]


def bridge(**options):
    return {"one": {"driver_opts": options}}


def public(service, networks=None, swarm=False):
    return [port["public"] for port in published_ports(service, networks, swarm)]


def case_id(case):
    return json.dumps(case["ports"])[:60]


def test_there_are_enough_cases():
    assert len(MEASURED["cases"]) >= 85
    accepted = [case["ports"] for case in MEASURED["cases"] if not isinstance(case["answer"], str) or "after" in case]
    assert not set(REFUSED_HERE) - {json.dumps(ports) for ports in accepted}


@pytest.mark.parametrize("case", MEASURED["cases"], ids=case_id)
def test_answers_are_those_of_the_real_program(case):
    expected = case.get("after", case["answer"])
    if isinstance(expected, str) or json.dumps(case["ports"]) in REFUSED_HERE:
        with pytest.raises(StackError, match=r"^key 'ports"):
            published_ports({"ports": case["ports"]})
        return
    found = [[port[key] for key in MEASURED["entry"]] for port in published_ports({"ports": case["ports"]})]
    expected = [[*entry[:3], entry[3].lower()] for entry in expected]
    assert found == (expected[:1] if case["ports"] in SAME_TWICE else expected)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("127.0.0.1:8080:80", False),
        ("127.255.0.9:8080:80", False),
        ("[::1]:8080:80", False),
        ("::1:8080:80", False),
        ("[::ffff:127.0.0.1]:8080:80", False),
        ("127.0.0.1::80", False),
        ("8080:80", True),
        ("80", True),
        ("0:80", True),
        ("0.0.0.0:8080:80", True),
        ("[::]:8080:80", True),
        ("172.17.0.1:8080:80", True),
        ("10.0.0.5:8080:80", True),
        ("[::ffff:10.0.0.5]:8080:80", True),
        ("[::127.0.0.1]:8080:80", True),
    ],
)
def test_only_loopback_addresses_are_not_public(entry, expected):
    assert public({"ports": [entry]}) == [expected]
    assert public({"ports": [entry], "network_mode": "bridge"}) == [expected]
    assert public({"ports": [entry], "networks": ["one"]}, {"one": None}) == [expected]


LOOPBACK, ANY, LAN = "127.0.0.1:8080:80", "8080:80", "10.0.0.5:8080:80"


@pytest.mark.parametrize(
    ("service", "networks", "expected"),
    [
        ({"network_mode": "host"}, {}, [True, True, True]),
        ({"network_mode": "none"}, {}, [False, False, False]),
        ({"network_mode": "some_network"}, {}, [False, True, True]),
        ({"networks": ["one"]}, {"one": {"internal": True}}, [False, False, False]),
        ({"networks": ["one", "two"]}, {"one": {"internal": True}, "two": {"internal": True}}, [False, False, False]),
        ({"networks": ["one", "two"]}, {"one": {"internal": True}, "two": {}}, [False, True, True]),
        ({"networks": {"one": None, "default": None}}, {"one": {"internal": True}}, [False, True, True]),
        ({}, {"default": {"internal": True}}, [False, False, False]),
        ({"networks": []}, {"default": {"internal": True}}, [False, False, False]),
        ({"networks": ["one"]}, {"one": {"driver": "macvlan"}}, [True, True, True]),
        ({"networks": ["one", "two"]}, {"one": {"driver": "ipvlan"}, "two": {}}, [True, True, True]),
        ({"networks": ["one"]}, {"one": {"driver": "macvlan", "internal": True}}, [False, False, False]),
        ({"networks": ["one"]}, {"one": {"external": True}}, [False, True, True]),
        ({"networks": ["one"]}, {"one": {"external": True, "internal": True}}, [False, True, True]),
        ({"networks": ["one"]}, {"one": {"external": True, "name": "host"}}, [True, True, True]),
        ({"networks": ["one"]}, {"one": {"external": {"name": "host"}}}, [True, True, True]),
        ({"networks": ["one"]}, bridge(**{GATEWAY + "ipv4": "routed"}), [True, True, True]),
        ({"networks": ["one"]}, bridge(**{GATEWAY + "ipv6": "routed"}), [True, True, True]),
        ({"networks": ["one"]}, bridge(**{GATEWAY + "ipv4": "nat-unprotected"}), [True, True, True]),
        ({"networks": ["one"]}, bridge(**{"com.docker.network.bridge.trusted_host_interfaces": "eth1"}), [True, True, True]),
        ({"networks": ["one"]}, bridge(**{GATEWAY + "ipv4": "nat"}), [False, True, True]),
        ({"networks": ["one"]}, bridge(**{BINDING: "127.0.0.1"}), [False, False, True]),
        ({"networks": ["one"]}, bridge(**{BINDING: "0.0.0.0"}), [False, True, True]),
        ({"networks": ["one"]}, bridge(**{BINDING: "localhost"}), [False, True, True]),
        ({"networks": ["one", "default"]}, bridge(**{BINDING: "127.0.0.1"}), [False, True, True]),
        ({"networks": ["one", "two"]}, {**bridge(**{BINDING: "127.0.0.1"}), "two": {"internal": True}}, [False, False, True]),
    ],
)
def test_networks_decide_as_much_as_addresses(service, networks, expected):
    assert public({**service, "ports": [LOOPBACK, ANY, LAN]}, networks) == expected


def test_without_the_networks_nothing_is_known_of_them():
    assert public({"ports": [ANY], "networks": ["nobody_knows"]}) == [True]
    assert public({"ports": [LOOPBACK], "networks": ["nobody_knows"]}) == [False]


def test_in_a_swarm_every_node_listens_everywhere():
    ports = ["127.0.0.1:8080:80", {"target": 81, "published": 8081, "mode": "host"}, {"target": 82, "mode": "ingress"}]
    found = published_ports({"ports": ports, "networks": ["one"], "network_mode": None}, {"one": {"internal": True}}, swarm=True)
    assert [(port["host_ip"], port["published"], port["public"]) for port in found] == [("", "8080", True), ("", "8081", True), ("", "", True)]
    # It takes no notice of network_mode.
    assert public({"ports": ["127.0.0.1:8080:80"], "network_mode": "service:web"}, swarm=True) == [True]
    with pytest.raises(StackError, match=r"key 'ports\[1\].host_ip': 127.0.0.1 is refused in a swarm.*leave it out"):
        published_ports({"ports": ["1:1", {"target": 80, "host_ip": "127.0.0.1"}]}, swarm=True)


@pytest.mark.parametrize(
    ("service", "networks", "words"),
    [
        ({"ports": ["80"], "network_mode": "service:web"}, None, "key 'ports': with network_mode service:web .* publish them on 'web'"),
        ({"ports": ["80"], "network_mode": "container:web"}, None, "publish them on 'web'"),
        ({"ports": ["80"], "networks": ["frnt"]}, {"front": {}}, "key 'networks': 'frnt' is not one of .* did you mean 'front'"),
        ({"networks": {"back": None}}, {}, "'back' is not one of .* declare it there"),
        ({"networks": ["a"], "network_mode": "host"}, None, "key 'network_mode': Compose refuses it together with `networks`"),
        ({"ports": ["80", {"target": 80, "host_ip": None}]}, None, r"key 'ports\[1\].host_ip': it has no value"),
        ({"ports": [{"target": 80, "host_ip": ""}]}, None, "host_ip '' is no address"),
        ({"ports": "80:80"}, None, "key 'ports': value '80:80' is not a list"),
        ({"ports": None}, None, "key 'ports': value None is not a list"),
        ({"ports": []}, ["front"], "is not a mapping; give the top-level `networks`"),
        (["80:80"], None, "is not a service"),
    ],
)
def test_what_is_refused(service, networks, words):
    with pytest.raises(StackError, match=words):
        published_ports(service, networks)


@pytest.mark.parametrize("mode", ["service:web", "container:web"])
def test_sharing_a_network_without_ports_is_fine(mode):
    assert published_ports({"network_mode": mode}) == []


@pytest.mark.parametrize("text", ["22:22", "8080:22"])
def test_what_yaml_makes_of_a_pair_is_refused(text):
    with pytest.raises(StackError) as error:
        published_ports(yaml.safe_load("ports: [{0}]".format(text)))
    assert "key 'ports[0]': value " in str(error.value)
    assert "bare YAML integer" in str(error.value)
    assert "may have been " + text in str(error.value)


# -- properties ----------------------------------------------------------------------------------------------------

NUMBERS = st.integers(1, 65535).map(str)
ADDRESSES = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.sampled_from(["127.0.0.1", "::1", "0.0.0.0", "::", "172.17.0.1"]))
PROTOCOLS = st.sampled_from(["tcp", "udp", "sctp"])


@st.composite
def entries(draw):
    address, published, target = draw(st.one_of(st.just(""), ADDRESSES)), draw(st.one_of(st.just(""), NUMBERS)), draw(NUMBERS)
    protocol = draw(PROTOCOLS)
    if draw(st.booleans()):
        given = {"target": int(target), "published": published, "host_ip": address, "protocol": protocol}
        return {key: value for key, value in given.items() if value}
    front = "[{0}]:{1}:".format(address, published) if address else published + ":" if published else ""
    return "{0}{1}/{2}".format(front, target, protocol.upper())


NETWORKS = st.dictionaries(
    st.sampled_from(["default", "one", "two", "three"]),
    st.fixed_dictionaries(
        {},
        optional={
            "internal": st.booleans(),
            "external": st.booleans(),
            "driver": st.sampled_from(["bridge", "macvlan", "ipvlan", "overlay"]),
            "driver_opts": st.dictionaries(
                st.sampled_from([GATEWAY + "ipv4", GATEWAY + "ipv6", BINDING]), st.sampled_from(["nat", "routed", "nat-unprotected", "127.0.0.1", "0.0.0.0"])
            ),
        },
    ),
)


def rendered(port):
    """As `docker compose config` writes it."""
    return {key: value for key, value in port.items() if value != "" and key != "public"}


@given(st.lists(entries()), NETWORKS)
def test_what_was_resolved_resolves_to_itself(ports, networks):
    service = {"networks": sorted(networks)}
    found = published_ports({**service, "ports": ports}, networks)
    assert published_ports({**service, "ports": [rendered(port) for port in found]}, networks) == found


@given(st.lists(entries()))
def test_on_a_bridge_nothing_but_loopback_is_private(ports):
    for port in published_ports({"ports": ports}, {}):
        address = ipaddress.ip_address(port["host_ip"] or "0.0.0.0")
        assert port["public"] == (not (getattr(address, "ipv4_mapped", None) or address).is_loopback)


@given(st.lists(entries()), NETWORKS, st.randoms())
def test_the_order_changes_nothing_but_the_order(ports, networks, random):
    def judged(some, joined):
        found = published_ports({"ports": some, "networks": joined}, networks)
        return {(port["host_ip"] or "0.0.0.0", port["published"], port["target"], port["protocol"], port["public"]) for port in found}

    mixed, joined = random.sample(ports, len(ports)), random.sample(sorted(networks), len(networks))
    assert judged(mixed, joined) == judged(ports, sorted(networks)) == judged(ports, dict.fromkeys(networks))


@given(st.lists(entries()), NETWORKS)
def test_a_network_more_never_hides_what_is_reachable(ports, networks):
    before = published_ports({"ports": ports, "networks": sorted(networks)}, networks)
    after = published_ports({"ports": ports, "networks": [*networks, "more"] if networks else []}, {**networks, "more": {}})
    assert all(now["public"] for was, now in zip(before, after) if was["public"])


@given(NETWORKS)
def test_the_reach_bears_any_networks(networks):
    reach = network_reach({"networks": sorted(networks)}, networks)
    assert reach.of("0.0.0.0") in ("internal", "public")
    assert reach.of("127.0.0.1") in ("internal", "loopback", "public")
