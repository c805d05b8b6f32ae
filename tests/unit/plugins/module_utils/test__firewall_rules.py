# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import concurrent.futures
import contextlib
import re

import network_hosts
import pytest
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Opening, Wanted, lets_in, ruleset
from hypothesis import given, settings
from hypothesis import strategies as st

EDGE = Opening("tcp", 80, 80, "edge of shop")
PORTS = st.integers(1, 65535)
NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,9}", fullmatch=True)
ADDRESSES = st.ip_addresses().map(str)
NETWORKS = st.one_of(st.ip_addresses(), st.tuples(st.ip_addresses(), st.integers(0, 32)).map(lambda one: "%s/%d" % one)).map(str)
OPENINGS = st.builds(
    lambda protocol, ends, why, address, sources: Opening(protocol, min(ends), max(ends), why, address, tuple(sources)),
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.tuples(PORTS, PORTS),
    st.text(max_size=200),
    st.one_of(st.just(""), ADDRESSES),
    st.one_of(st.just([]), st.lists(NETWORKS, max_size=3)),
)
WANTED = st.builds(
    Wanted,
    st.lists(PORTS, min_size=1, max_size=3),
    st.lists(NAMES, max_size=3),
    st.lists(NAMES, max_size=2),
    st.lists(OPENINGS, max_size=6),
)


@pytest.fixture(scope="module")
def network():
    with contextlib.ExitStack() as stack:
        yield network_hosts.Network(stack)


@pytest.fixture(scope="module")
def nft(network):
    """Rules as nft shows them once they are loaded."""
    network.host("rules")

    def load(text):
        network.on("rules", "nft", "-f", "-", text=text)
        return network.on("rules", "nft", "-s", "list", "table", "inet", "portside")

    return load


@network_hosts.needed
@settings(max_examples=30)
@given(wanted=WANTED)
def test_nft_takes_whatever_is_wanted_and_shows_the_same_for_the_same(nft, wanted):
    assert nft(ruleset(wanted)) == nft(ruleset(wanted))


@given(wanted=WANTED, data=st.data())
def test_the_order_and_repetition_of_what_is_wanted_say_nothing(wanted, data):
    shuffled = [data.draw(st.permutations(list(part) + list(part[:1]))) for part in wanted]
    assert ruleset(Wanted(*shuffled)) == ruleset(wanted)


@given(wanted=WANTED)
def test_nothing_but_the_own_table_is_named_and_no_text_of_users_gets_out_of_its_quotes(wanted):
    text = ruleset(wanted)
    assert "flush" not in re.sub(r'"[^"]*"', "", text)
    assert re.findall(r"^(?:add|delete)? ?table .*", text, re.MULTILINE) == [
        "add table inet portside",
        "delete table inet portside",
        "table inet portside {",
    ]
    outside = re.sub(r'"[^"\n]*"', "", text)
    assert '"' not in outside
    assert outside.count("{") == outside.count("}")


@given(wanted=WANTED, port=PORTS)
def test_a_set_holds_exactly_what_is_for_everybody(wanted, port):
    text = ruleset(wanted)
    for protocol in ("tcp", "udp"):
        block = re.search(r"set public_%s \{(.*?)\n    \}" % protocol, text, re.DOTALL).group(1)
        ranges = [
            (int(first), int(last or first))
            for first, last in re.findall(r"^ {12}(\d+)(?:-(\d+))? comment", block, re.MULTILINE)
        ]
        plain = [one for one in wanted.openings if one.protocol == protocol and not one.address and not one.sources]
        for probe in [port, *[one.first for one in plain], *[one.last for one in plain]]:
            expected = any(one.first <= probe <= one.last for one in plain)
            assert sum(first <= probe <= last for first, last in ranges) == expected
            assert not expected or lets_in(wanted, protocol, probe)


def test_a_condition_on_the_kind_of_an_interface_is_never_a_negation():
    # Of a physical interface the kernel answers neither that it is a bridge nor that it is none.
    assert not re.search(r"[io]ifkind\s*!", ruleset(Wanted([22])))


def test_it_says_whose_port_it_is():
    text = ruleset(Wanted([22], (), (), [EDGE, Opening("tcp", 9100, 9100, 'for "ops"', "", ("10.1.2.3/8", "10.0.0.0/9", "fd00::1"))]))
    assert '80 comment "edge of shop"' in text
    assert 'ip saddr { 10.0.0.0/8 } meta l4proto tcp ct original proto-dst 9100 accept comment "for ?ops?"' in text
    assert 'ip6 saddr { fd00::1/128 } meta l4proto tcp' in text


def test_sources_of_the_other_family_than_the_address_open_nothing():
    text = ruleset(Wanted([22], (), (), [Opening("tcp", 5000, 5000, "x", "192.0.2.1", ("fd00::/8",))]))
    assert "5000" not in text


class Reach:
    """A host with containers, seen from outside."""

    def __init__(self, network):
        self.network = network
        for name in ("host", "out", "vpn", "box", "other"):
            network.host(name)
        network.cable("host", "eth0", "out", "eth0")
        network.address("host", "eth0", "198.51.100.1/24", "2001:db8:1::1/64")
        network.address("out", "eth0", "198.51.100.2/24", "2001:db8:1::2/64")
        network.cable("host", "wg0", "vpn", "eth0")
        network.address("host", "wg0", "10.9.0.1/24")
        network.address("vpn", "eth0", "10.9.0.2/24")
        # A bridge with a name that Docker would not give, as a network may have.
        for bridge, box, v4, v6 in (("shopnet", "box", "172.31.0", "2001:db8:2"), ("docker0", "other", "172.17.0", "2001:db8:3")):
            network.on("host", "ip", "link", "add", bridge, "type", "bridge")
            network.on("host", "ip", "link", "set", bridge, "up")
            network.address("host", bridge, v4 + ".1/24", v6 + "::1/64")
            network.cable("host", "v" + box, box, "eth0")
            network.on("host", "ip", "link", "set", "v" + box, "master", bridge)
            network.address(box, "eth0", v4 + ".2/24", v6 + "::2/64")
            network.on(box, "ip", "route", "add", "default", "via", v4 + ".1")
            network.on(box, "ip", "-6", "route", "add", "default", "via", v6 + "::1")
        network.on("host", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        network.on("vpn", "ip", "route", "add", "default", "via", "10.9.0.1")
        # A neighbour who routes what he has no business with to the host.
        network.on("out", "ip", "route", "add", "172.16.0.0/12", "via", "198.51.100.1")
        network.on("out", "ip", "route", "add", "10.9.0.0/24", "via", "198.51.100.1")
        network.on("out", "ip", "-6", "route", "add", "default", "via", "2001:db8:1::1")
        network.on("out", "ip", "address", "del", "127.0.0.1/8", "dev", "lo")
        network.on("out", "ip", "route", "add", "127.0.0.1/32", "via", "198.51.100.1")
        network.on("out", "sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1")
        network.on("host", "nft", "-f", "-", text=DOCKER)
        network.serve("box", *["%s,%d,tcp" % (any_, port) for any_ in ("0.0.0.0", "::") for port in (80, 5432, 6000)], "0.0.0.0,53,udp")
        # The second address of each is the engine's proxy.
        network.serve("host", "0.0.0.0,22,tcp", "::,22,tcp", "::,8080,tcp", "::,15432,tcp", "0.0.0.0,9100,tcp", "::,9100,tcp", "0.0.0.0,111,udp")
        network.serve("vpn", "0.0.0.0,7000,tcp")

    def load(self, *openings, uplinks=()):
        wanted = Wanted([22], ["wg0"], uplinks, openings)
        self.network.on("host", "nft", "-f", "-", text=ruleset(wanted))

    def clear(self):
        self.network.on("host", "nft", "add table inet portside; delete table inet portside")

    def seen(self, who="out"):
        """What is reached, of all there is."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda target: self.network.reaches(who, *target), TARGETS.values())
        return {name for name, reached in zip(TARGETS, found) if reached}


# As the engine makes them: published 8080 and 15432 of one container, 53/udp, and 6000 on loopback; before 28 nothing guards that one.
DOCKER = """
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		ip daddr 127.0.0.1 tcp dport 6000 dnat to 172.31.0.2:6000
		fib daddr type local tcp dport 8080 iifname != "shopnet" dnat to 172.31.0.2:80
		fib daddr type local tcp dport 15432 iifname != "shopnet" dnat to 172.31.0.2:5432
		fib daddr type local udp dport 53 iifname != "shopnet" dnat to 172.31.0.2:53
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "eth0" ip saddr { 172.31.0.0/24, 172.17.0.0/24 } masquerade
	}
}
"""
# As engines do from 27 on, on networks with IPv6.
DOCKER += """
table ip6 nat {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		fib daddr type local tcp dport 8443 iifname != "shopnet" dnat to [2001:db8:2::2]:80
	}
}
"""
TARGETS = {
    "ssh": ("198.51.100.1", 22),
    "ssh v6": ("2001:db8:1::1", 22),
    "edge": ("198.51.100.1", 8080),
    "edge v6": ("2001:db8:1::1", 8080),
    "nat v6": ("2001:db8:1::1", 8443),
    "database": ("198.51.100.1", 15432),
    "database v6": ("2001:db8:1::1", 15432),
    "names": ("198.51.100.1", 53, "udp"),
    "exporter": ("198.51.100.1", 9100),
    "exporter v6": ("2001:db8:1::1", 9100),
    "rpcbind": ("198.51.100.1", 111, "udp"),
    "loopback": ("127.0.0.1", 6000),
    "container": ("172.31.0.2", 80),
    "container v6": ("2001:db8:2::2", 5432),
    "bridge": ("172.31.0.1", 9100),
    "vpn": ("10.9.0.2", 7000),
}
SSH = {"ssh", "ssh v6"}
# Forwarded as ever: not to a container, so not ours.
FORWARDED = {"vpn"}


@pytest.fixture(scope="module")
def reach(network):
    return Reach(network)


@network_hosts.needed
def test_without_the_firewall_all_of_it_is_reached(reach):
    reach.clear()
    assert reach.seen() == set(TARGETS)


@network_hosts.needed
def test_with_nothing_declared_it_is_ssh_alone(reach):
    reach.load()
    assert reach.seen() == SSH | FORWARDED


@network_hosts.needed
def test_what_is_declared_is_reached_over_both_families_and_nothing_beside_it(reach):
    reach.load(Opening("tcp", 8080, 8080, "edge of shop"), Opening("udp", 53, 53, "names of shop"))
    assert reach.seen() == SSH | FORWARDED | {"edge", "edge v6", "names"}
    reach.load(Opening("tcp", 8443, 8443, "edge of shop"))
    assert reach.seen() == SSH | FORWARDED | {"nat v6"}
    # The port inside of the container is not what was declared.
    reach.load(Opening("tcp", 80, 80, "edge of shop"), Opening("tcp", 5432, 5432, "database"))
    assert reach.seen() == SSH | FORWARDED


@network_hosts.needed
def test_sources_and_addresses_are_looked_at_by_the_host_and_by_what_docker_forwards(reach):
    reach.load(Opening("tcp", 9100, 9100, "x", "", ("198.51.100.2",)), Opening("tcp", 8080, 8080, "x", "", ("2001:db8:1::/64",)))
    assert reach.seen() == SSH | FORWARDED | {"exporter", "edge v6", "bridge"}
    reach.load(Opening("tcp", 8080, 8080, "x", "198.51.100.1"), Opening("tcp", 15432, 15432, "x", "198.51.100.9"))
    assert reach.seen() == SSH | FORWARDED | {"edge"}


@network_hosts.needed
def test_trusted_interfaces_see_everything(reach):
    reach.load()
    assert {"ssh", "edge", "database", "names", "exporter", "container"} <= reach.seen("vpn")


@network_hosts.needed
def test_containers_reach_their_host_each_other_and_the_world(reach):
    reach.load()
    assert reach.network.reaches("other", "172.17.0.1", 9100)
    assert reach.network.reaches("other", "198.51.100.1", 15432)
    assert reach.network.reaches("other", "172.31.0.2", 80)
    reach.network.serve("out", "0.0.0.0,443,tcp")
    assert reach.network.reaches("box", "198.51.100.2", 443)
    assert reach.network.pings("out", "198.51.100.1")
    assert reach.network.pings("out", "2001:db8:1::1")


@network_hosts.needed
def test_behind_an_uplink_bridge_is_the_outside(reach):
    reach.load(uplinks=["docker0"])
    assert not reach.network.reaches("other", "172.17.0.1", 9100)
    assert not reach.network.reaches("other", "172.31.0.2", 80)


@network_hosts.needed
def test_a_connection_outlives_a_change_of_the_rules(reach):
    reach.load(Opening("tcp", 8080, 8080, "edge of shop"))
    client = reach.network.talk("out", "198.51.100.1", 8080)
    reach.load(Opening("tcp", 8081, 8081, "another"))
    assert not reach.network.reaches("out", "198.51.100.1", 8080)
    client.stdin.write("still there\n")
    assert client.stdout.readline() == "still there\n"
