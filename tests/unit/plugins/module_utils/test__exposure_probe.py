# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried from outside, of what listens and what is declared."""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_probe import probe_of
from exposure_facts import container, declared, host, port, release, socket
from hypothesis import given
from hypothesis import strategies as st

EDGE = {"ports": [{"target": 80, "published": "80", "protocol": "tcp"}, {"target": 443, "published": "443", "protocol": "tcp"}]}


def numbers(ports):
    return [(one["protocol"], one["port"]) for one in ports]


def test_what_is_declared_for_everybody_has_to_answer_and_all_else_must_not():
    world = host(
        [container("shop-web-1", port(80), port(443), stack="shop", service="web"), container("db", port(5432))],
        [socket(22, "sshd"), socket(9100, "node_exporter"), socket(631, "cupsd", "127.0.0.1")],
    )
    found = probe_of(world, declared(release("shop", web=EDGE)))
    assert numbers(found["open"]) == [("tcp", 80), ("tcp", 443)]
    assert found["open"][0]["owner"] == "stack shop: service web"
    assert numbers(found["closed"]) == [("tcp", 5432), ("tcp", 9100)]
    assert "container db" in found["closed"][0]["owner"] and "node_exporter" in found["closed"][1]["owner"]
    assert found["control"] == [22]


def test_a_loopback_port_of_a_stack_must_not_answer_at_another_address():
    loopback = {"ports": [{"target": 80, "published": "8000", "protocol": "tcp", "host_ip": "127.0.0.1"}]}
    told = declared(release("shop", api=loopback))
    assert numbers(probe_of(host([container("shop-api-1", port(8000, "127.0.0.1"), stack="shop", service="api")]), told)["closed"]) == []
    assert numbers(probe_of(host([container("shop-api-1", port(8000), stack="shop", service="api")]), told)["closed"]) == [("tcp", 8000)]


def test_what_is_for_some_sources_is_in_neither():
    world = host(endpoints=[socket(9100, "node_exporter"), socket(9200, "other")])
    some = {"port": 9100, "protocol": "tcp", "sources": ["10.0.0.0/8"], "reason": "metrics"}
    everybody = {"port": 9200, "protocol": "tcp", "sources": [], "reason": "meant"}
    found = probe_of(world, Declared(open=(some, everybody)))
    assert (numbers(found["open"]), numbers(found["closed"])) == ([("tcp", 9200)], [])


def test_a_range_and_a_port_that_the_engine_picks_need_not_answer():
    picked = {"ports": [{"target": 80, "published": "9000-9002", "protocol": "tcp"}, {"target": 81, "published": "", "protocol": "tcp"}]}
    assert probe_of(host(), declared(release("shop", web=picked)))["open"] == []


def test_a_udp_client_is_not_tried():
    found = probe_of(host(endpoints=[socket(40000, "chronyd", protocol="udp"), socket(53, "dnsmasq", protocol="udp")]), Declared())
    assert numbers(found["closed"]) == [("udp", 53)]


def test_private_addresses_are_left_out():
    world = host(addresses={"ipv4": ["10.0.0.5", "203.0.114.7"], "ipv6": ["fd00::1", "2a00:1450::1"]})
    assert probe_of(world, Declared())["addresses"] == ["203.0.114.7", "2a00:1450::1"]


@given(st.lists(st.tuples(st.sampled_from(["0.0.0.0", "::", "192.0.2.2", "127.0.0.1"]), st.integers(1, 30000))))
def test_everything_that_others_may_reach_is_tried_once(bound):
    world = host(endpoints=[socket(number, "any", address) for address, number in bound])
    found = probe_of(world, Declared())
    assert numbers(found["closed"]) == sorted({("tcp", number) for address, number in bound if address != "127.0.0.1"} - {("tcp", 22)})
