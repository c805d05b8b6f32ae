# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who judges a release and who opens the firewall for it read the same ports in it."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared, declared_rows, services_of_release
from ansible_collections.portside.stack.plugins.module_utils._exposure_probe import probe_of
from ansible_collections.portside.stack.plugins.module_utils._firewall_declared import published
from ansible_collections.portside.stack.plugins.module_utils._rendered_ports import DeclaredPort, rendered_ports
from exposure_facts import host
from hypothesis import given
from hypothesis import strategies as st

numbers = st.integers(1, 65535)
entries = st.fixed_dictionaries(
    {"target": numbers, "protocol": st.sampled_from(["tcp", "udp"])},
    optional={
        "published": st.one_of(numbers.map(str), st.just("0"), st.tuples(numbers, numbers).map(lambda two: "{0}-{1}".format(*sorted(two)))),
        "host_ip": st.one_of(st.ip_addresses().map(str), st.sampled_from(["0.0.0.0", "::", "127.0.0.1", "::ffff:127.0.0.1"])),
    },
)
services = st.fixed_dictionaries({"ports": st.lists(entries, max_size=4)}, optional={"network_mode": st.sampled_from(["host", "none"])})


@pytest.mark.parametrize(
    ("entry", "mode", "expected"),
    [
        ({"published": "8080"}, None, DeclaredPort("", 8080, 8080, "tcp", 80)),
        ({"published": "8080-8090", "protocol": "udp"}, None, DeclaredPort("", 8080, 8090, "udp", 80)),
        ({"published": "8080", "host_ip": "2001:db8:0::7"}, None, DeclaredPort("2001:db8::7", 8080, 8080, "tcp", 80)),
        ({"published": "8080", "host_ip": "::ffff:127.0.0.1"}, None, DeclaredPort("127.0.0.1", 8080, 8080, "tcp", 80)),
        ({}, None, DeclaredPort("", 0, 0, "tcp", 80)),
        # Docker publishes nothing there: the port is the container's.
        ({"published": "8080"}, "host", DeclaredPort("", 80, 80, "tcp", 80)),
        ({"published": "8080", "host_ip": "127.0.0.1"}, "host", DeclaredPort("127.0.0.1", 80, 80, "tcp", 80)),
        ({}, "host", DeclaredPort("", 80, 80, "tcp", 80)),
    ],
)
def test_where_a_service_is_on_the_host(entry, mode, expected):
    assert rendered_ports({"network_mode": mode, "ports": [{"target": 80, **entry}]}) == (expected,)


def test_in_the_short_form_too():
    assert rendered_ports({"ports": ["127.0.0.1:8000-8001:80-81/udp"]}) == (
        DeclaredPort("127.0.0.1", 8000, 8000, "udp", 80),
        DeclaredPort("127.0.0.1", 8001, 8001, "udp", 81),
    )
    assert rendered_ports({}) == rendered_ports({"ports": None}) == ()
    with pytest.raises(StackError, match="is not a port"):
        rendered_ports({"ports": ["abc:80"]})


def test_what_is_told_and_tried_of_a_service_in_the_hosts_network_is_the_port_of_its_container():
    definition = {"services": {"web": {"network_mode": "host", "ports": [{"target": 8000, "published": "80"}]}}}
    declared = Declared(services=services_of_release("shop", definition), ssh_ports=())
    assert [(one["published"], one["target"]) for one in declared_rows(declared)] == [("8000", 8000)]
    assert [one["port"] for one in probe_of(host(), declared)["open"]] == [8000]
    assert [one.first for one in published("shop", definition)] == [8000]


@given(services)
def test_the_firewall_lets_in_just_what_is_declared_public(service):
    definition = {"services": {"web": service}}
    declared = services_of_release("shop", definition)[("shop", "web")].ports
    let_in = published("shop", definition)
    assert [(one.protocol, one.first, one.last) for one in let_in] == [
        (one.protocol, one.first, one.last) for one in declared if one.public and one.last
    ]
    for one in let_in:
        assert one.address == "" or not ipaddress.ip_address(one.address).is_unspecified
        assert all(port in range(1, 65536) for port in (one.first, one.last))
    if service.get("network_mode") == "host":
        assert {one.first for one in declared} == {one["target"] for one in service["ports"]}
