# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Service
from ansible_collections.portside.stack.plugins.module_utils._compose_resources import (
    absent_externals,
    missing_resources,
)


def wanted(kind, **body):
    return {kind + "s": {"x": body}}


def test_what_is_missing_is_created_with_everything_declared_and_the_stacks_label():
    body = {
        "driver_opts": {"com.docker.network.driver.mtu": 1400},
        "internal": True,
        "labels": {"a": 1},
        "ipam": {"config": [{"subnet": "10.9.0.0/24", "gateway": "10.9.0.1"}]},
    }
    (missing,), problems = missing_resources("demo", wanted("network", **body), {}, {})
    assert problems == []
    assert (missing.kind, missing.name) == ("network", "x")
    assert missing.body == {
        "Name": "x",
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": True,
        "Attachable": False,
        "EnableIPv6": False,
        "Options": {"com.docker.network.driver.mtu": "1400"},
        "Labels": {"a": "1", "portside.stack": "demo"},
        "IPAM": {"Driver": "default", "Options": {}, "Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}]},
    }
    (missing,), _problems = missing_resources("demo", wanted("volume", driver_opts={"type": "nfs"}), {}, {})
    assert missing.body == {
        "Name": "x",
        "Driver": "local",
        "DriverOpts": {"type": "nfs"},
        "Labels": {"portside.stack": "demo"},
    }
    users = [Service(name, "", "", "", 1, False, {}, frozenset(), (), frozenset({"x"})) for name in ("b", "a")]
    (missing,), _problems = missing_resources("demo", wanted("volume", uid=5, labels={"a": 1}), {}, {}, users)
    assert missing.body["Labels"] == {"a": "1", "portside.stack": "demo", "portside.service": "a,b"}


def test_an_empty_declaration_matches_the_engines_defaults():
    there = {"x": {"Driver": "bridge", "Internal": False, "EnableIPv6": False, "Options": {}}}
    assert missing_resources("demo", {"networks": {"x": None}}, there, {}) == ([], [])
    assert missing_resources("demo", {"volumes": {"x": None}}, {}, {"x": {"Driver": "local", "Options": None}}) == (
        [],
        [],
    )


@pytest.mark.parametrize(
    ("kind", "declared", "present", "said"),
    [
        ("network", {"driver": "macvlan"}, {"Driver": "bridge"}, "driver is 'bridge' on the host, 'macvlan'"),
        ("network", {"internal": True}, {"Driver": "bridge"}, "internal is False on the host, True"),
        ("network", {}, {"Driver": "bridge", "EnableIPv6": True}, "enable_ipv6 is True on the host, False"),
        ("volume", {"driver": "nfs"}, {"Driver": "local"}, "driver is 'local' on the host, 'nfs'"),
        (
            "volume",
            {"driver_opts": {"o": "a"}},
            {"Driver": "local", "Options": {"o": "b"}},
            "driver_opts is {'o': 'b'}",
        ),
    ],
)
def test_what_differs_is_told_with_advice_and_not_altered(kind, declared, present, said):
    there = {"x": present}
    missing, (problem,) = missing_resources("demo", wanted(kind, **declared), there, there)
    assert missing == []
    assert problem.startswith("stack demo: {0} x: {1}".format(kind, said))
    assert "never altered. Remedy: " in problem


def test_external_ones_have_to_be_there():
    external = {"external": True}
    definition = {
        "networks": {
            "own": dict(external, name="demo_own"),
            "proxy": dict(external, name="edge_proxy"),
            "there": external,
        },
        "volumes": {"media": dict(external, name="shared_media")},
        "x-portside": {"networks": {"demo_own": {}}, "volumes": {}},
    }
    found = absent_externals("demo", definition, {"there"}, {})
    assert list(found) == ["edge_proxy", "shared_media"]
    network, volume = found.values()
    assert network.startswith("stack demo: network edge_proxy is declared external and is not on the host. Remedy: ")
    assert "docker volume create shared_media" in volume
