# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import Settings, read_settings
from ansible_collections.portside.stack.plugins.module_utils._firewall_declared import (
    current_openings,
    own_openings,
    published,
)
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Opening
from firewall_host import Host, definition


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.mark.parametrize(
    "entry, expected",
    [
        ({"published": "8080"}, (8080, 8080, "")),
        ({"published": "8080", "host_ip": "0.0.0.0"}, (8080, 8080, "")),
        ({"published": "8080", "host_ip": "::"}, (8080, 8080, "")),
        ({"published": "9000-9010"}, (9000, 9010, "")),
        ({"published": "8080", "host_ip": "192.0.2.7"}, (8080, 8080, "192.0.2.7")),
        ({"published": "8080", "host_ip": "2001:db8:0::7"}, (8080, 8080, "2001:db8::7")),
        ({"published": "8080", "host_ip": "127.0.0.1"}, None),
        ({"published": "8080", "host_ip": "127.9.9.9"}, None),
        ({"published": "8080", "host_ip": "::1"}, None),
        ({"published": "8080", "host_ip": "::ffff:127.0.0.1"}, None),
        # The engine chooses.
        ({}, None),
        ({"published": "0"}, None),
    ],
)
def test_what_a_release_publishes(entry, expected):
    found = published("shop", definition({"target": 80, "protocol": "udp", **entry}))
    assert found == ([Opening("udp", expected[0], expected[1], "edge of shop", expected[2])] if expected else [])


def test_on_the_network_of_the_host_a_port_is_that_of_the_container():
    service = {"network_mode": "host", "ports": [{"target": 80, "published": "8080"}]}
    assert published("shop", {"services": {"edge": service}}) == [Opening("tcp", 80, 80, "edge of shop")]


def test_only_current_releases_count(host):
    host.release("shop", 80)
    host.release("shop", 81, number="2")
    host.release("blog", 82)
    host.write("opt/stacks/never/releases/x", "")
    host.write("opt/stacks/a file", "")
    assert [one.first for one in current_openings(str(host.root / "opt/stacks"))] == [82, 81]
    assert current_openings("/nowhere") == []


def test_a_record_that_is_gone_is_an_error_and_not_nothing(host):
    host.release("shop", 80)
    (host.root / "opt/stacks/shop/releases/1111111111111111/release.json").unlink()
    with pytest.raises(StackError, match="stack shop: there is no release 1111111111111111"):
        current_openings(str(host.root / "opt/stacks"))


def test_the_file_of_the_host(host):
    assert read_settings(host.fs, str(host.root)) == Settings([22], [], [], False, [], "/opt/stacks")
    opened = {"port": 9100, "protocol": "tcp", "sources": ["10.0.0.0/8"], "reason": "ops"}
    host.exposure(open=[opened, {"port": 53, "protocol": "udp", "reason": "names"}], note="of somebody else")
    found = read_settings(host.fs, str(host.root))
    assert own_openings(found) == [Opening("tcp", 9100, 9100, "ops", "", ("10.0.0.0/8",)), Opening("udp", 53, 53, "names")]
    host.write("etc/portside/exposure.json", found.text().decode())
    assert read_settings(host.fs, str(host.root)) == found
    host.write("etc/portside/exposure.json", "{")
    with pytest.raises(StackError, match="exposure.json is not what the role firewall writes.*Remedy"):
        read_settings(host.fs, str(host.root))
