# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import yaml
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import Port, is_loopback, parse_port, parse_ports
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("80", [Port(80)]),
        ("8000:80", [Port(80, "8000")]),
        ("53:53/udp", [Port(53, "53", "", "udp")]),
        ("53:53/UDP", [Port(53, "53", "", "udp")]),
        ("80:80/", [Port(80, "80")]),
        ("127.0.0.1:8000:80", [Port(80, "8000", "127.0.0.1")]),
        ("127.0.0.1::80", [Port(80, "", "127.0.0.1")]),
        ("::1:8000:80", [Port(80, "8000", "::1")]),
        ("[::1]:8000:80", [Port(80, "8000", "::1")]),
        (":8000:80", [Port(80, "8000")]),
        ("::80", [Port(80)]),
        ("0:80", [Port(80, "0")]),
        ("80-81", [Port(80), Port(81)]),
        ("8000-8001:80-81", [Port(80, "8000"), Port(81, "8001")]),
        ("8000-8009:80", [Port(80, "8000-8009")]),
        ({"target": 80, "published": 8000}, [Port(80, "8000")]),
        ({"target": "80", "published": "08000", "protocol": "TCP"}, [Port(80, "08000")]),
        ({"target": 80, "published": "8000-8000"}, [Port(80, "8000-8000")]),
        ({"target": 80, "published": None, "host_ip": None}, [Port(80)]),
        ({"target": 80, "host_ip": "::1", "name": "web"}, [Port(80, "", "::1", "tcp", (("name", "web"),))]),
    ],
)
def test_what_compose_reads(value, expected):
    assert parse_port(value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("127.0.0.1:80", "address but no host port"),
        ("localhost:8000:80", "IP address only"),
        ("*:8000:80", "IP address only"),
        ("127.1:8000:80", "IP address only"),
        ("8000-8002:80-81", "3 host ports with 2 container ports"),
        ("70000", "1 to 65535"),
        ("0", "1 to 65535"),
        ("81-80", "range"),
        ("http", "not a port"),
        ("", "not a port"),
        ("80:", "not a port"),
        ("80/icmp", "protocol 'icmp'"),
        ({"published": 80}, "no target"),
        ({"target": "80-81"}, "one entry a port"),
        ({"target": 80, "published": 484822}, "65535"),
        ({"target": 80, "published": "abc"}, "not a port"),
        ({"target": 80, "publised": 80}, "did you mean 'published'"),
        ({"target": 80, "protocol": "http"}, "use one of tcp, udp, sctp"),
        ({"target": 80, "mode": "global"}, "mode"),
        ({"target": 80, "host_ip": "[::1]"}, "IP address only"),
        ({"target": 80, "host_ip": "fe80::1%eth0"}, "IP address only"),
        ("[fe80::1%eth0]:8000:80", "IP address only"),
        ("127.0.0.01:8000:80", "IP address only"),
        ("[::ffff:127.0.0.01]:8000:80", "IP address only"),
        ({"target": 80, "host_ip": ""}, "host_ip '' is no address"),
        ({"target": 80, "host_ip": 2130706433}, "is no address"),
        ({"target": 80, "name": 5}, "name 5 is not text"),
        ({"target": True}, "not a port"),
        (True, "neither text nor a mapping"),
        (None, "neither text nor a mapping"),
        (80.5, "neither text nor a mapping"),
    ],
)
def test_what_is_refused(value, words):
    with pytest.raises(StackError) as error:
        parse_port(value)
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["22:22", "8080:22", "8000"])
def test_an_integer_is_refused_with_what_yaml_may_have_read(text):
    with pytest.raises(StackError) as error:
        parse_port(yaml.safe_load(text))
    message = str(error.value)
    assert "22:22 as 1342" in message
    assert "8080:22 as 484822" in message
    assert "write {target: 8000, published: 8000}" in message
    assert ":" not in text or "may have been " + text in message


def test_ports_is_a_list():
    assert parse_ports(["1:2", {"target": 3}]) == [Port(2, "1"), Port(3)]
    with pytest.raises(StackError, match="not a list"):
        parse_ports("80:80")


@pytest.mark.parametrize(("published", "fixed"), [("80", True), ("0", False), ("00", False), ("", False), ("80-81", False)])
def test_only_one_given_number_is_fixed(published, fixed):
    assert Port(80, published).fixed is fixed


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "localhost", "128.0.0.1"])
def test_addresses_that_others_reach(address):
    assert not is_loopback(address)


@given(NUMBERS, NUMBERS, st.sampled_from(["", "127.0.0.1", "10.0.0.1", "::1", "fe80::2"]), st.sampled_from(["tcp", "udp"]))
def test_short_and_long_say_the_same(target, published, address, protocol):
    short = "{0}{1}:{2}/{3}".format("[{0}]:".format(address) if address else "", published, target, protocol)
    long = {"target": target, "published": published, "protocol": protocol, "host_ip": address or None}
    assert parse_port(short) == parse_port(long)
    entry = Port(target, str(published), address, protocol).entry(address)
    assert parse_port(entry) == parse_port(long)


@given(st.text(alphabet="0123456789:.-[]/udp", max_size=20))
def test_any_text_is_read_or_refused(text):
    try:
        ports = parse_port(text)
    except StackError:
        return
    assert all(1 <= port.target <= 65535 and port.protocol in ("tcp", "udp") for port in ports)
