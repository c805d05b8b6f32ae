# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import exposure_facts as exposure
import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._audit_reachable import audit_probe, host_findings, reach_findings, rows
from audit_facts import result
from exposure_facts import container, port, socket


def host(*containers, endpoints=(), **keys):
    return exposure.host(containers, endpoints, **keys)


def ranks(facts, *results):
    return {(one["port"], one["protocol"]): (one["rank"], one["service"], one["note"]) for one in rows(facts, {"results": list(results)})}


def test_a_host_that_declares_nothing():
    cache = container("cache", network_mode="host", image="redis:8")
    facts = host(
        container("db", port(5432, target=5432), port(5432, "::", target=5432), image="registry.test:5000/postgres:16"),
        container("hidden", port(8443, target=5432), image="postgres"),
        container("web", port(80), port(443, target=443)),
        container("app", port(3000, target=3000)),
        container("own", port(8081, "127.0.0.1")),
        container("panel", port(3001, target=3000), image="grafana/grafana:11.1"),
        cache,
        endpoints=[
            socket(22, "sshd"),
            socket(2222, "sshd"),
            socket(6379, "redis-server", of=cache),
            socket(9100, "node_exporter"),
            socket(68, "dhclient", protocol="udp"),
        ],
    )
    assert ranks(facts) == {
        (5432, "tcp"): ("high", "PostgreSQL", ""),
        (8443, "tcp"): ("high", "PostgreSQL", ""),
        (6379, "tcp"): ("high", "Redis", ""),
        (3001, "tcp"): ("high", "Grafana", ""),
        (9100, "tcp"): ("medium", "node_exporter", ""),
        (3000, "tcp"): ("medium", "", ""),
        (80, "tcp"): ("listed", "web", "meant for others"),
        (443, "tcp"): ("listed", "web", "meant for others"),
        (22, "tcp"): ("listed", "ssh", "meant for others"),
        (2222, "tcp"): ("listed", "ssh", "meant for others"),
        (68, "udp"): ("listed", "DHCP", "meant for others"),
    }
    found = list(reach_findings(rows(facts)))
    assert [(one["severity"], one["subject"]) for one in found[:4]] == [
        ("high", "container panel"),
        ("high", "container db"),
        ("high", "container cache"),
        ("high", "container hidden"),
    ]
    assert "0.0.0.0:5432 and [::]:5432" in found[1]["what"] and "127.0.0.1:5432:5432" in found[1]["remedy"]
    assert "network_mode: host" in found[2]["remedy"] and "NAT" not in found[2]["why"]


def test_the_engines_api():
    facts = host(endpoints=[socket(2375, "dockerd"), socket(4243, "dockerd")])
    assert {one[0] for one in ranks(facts).values()} == {"high"}


def test_what_is_seen_from_outside():
    facts = host(container("db", port(5432, target=5432)), container("app", port(3000, target=3000)))
    assert ranks(facts, result(5432, "open"))[5432, "tcp"][0] == "high"
    assert "It answers from the controller, at 192.0.2.2." in rows(facts, {"results": [result(5432, "open")]})[0]["why"]
    # A firewall in front of the host is one mistake away from none.
    silent = ranks(facts, result(5432, "filtered"), result(3000, "closed"))
    assert silent[5432, "tcp"] == ("low", "PostgreSQL", "does not answer from outside")
    assert silent[3000, "tcp"] == ("listed", "", "does not answer from outside")
    assert ranks(facts, result(5432, "not_checked"))[5432, "tcp"][0] == "high"


def test_silence_over_one_family_says_nothing_of_the_other():
    both = host(container("db", port(5432, target=5432), port(5432, "::", target=5432)), addresses={"ipv4": ["192.0.2.2"], "ipv6": ["2001:db8::2"]})
    assert ranks(both, result(5432, "filtered"))[5432, "tcp"][0] == "high"
    assert ranks(both, result(5432, "filtered"), result(5432, "filtered", "2001:db8::2"))[5432, "tcp"][0] == "low"
    # Where the host has no address of a family nobody comes by it.
    alone = host(container("db", port(5432, target=5432), port(5432, "::", target=5432)))
    assert ranks(alone, result(5432, "filtered"))[5432, "tcp"][0] == "low"


def test_firewalls_of_others_are_given_the_benefit_of_the_doubt_for_processes_alone():
    facts = host(container("db", port(5432, target=5432)), endpoints=[socket(3306, "mysqld")], firewall={"ufw": True})
    assert (ranks(facts)[5432, "tcp"][0], ranks(facts)[3306, "tcp"][0]) == ("high", "medium")
    assert ranks(facts, result(3306, "open"))[3306, "tcp"][0] == "high"
    assert ranks(dict(facts, firewall={**facts["firewall"], **exposure.guarded(80)}))[5432, "tcp"] == ("listed", "PostgreSQL", "dropped by the firewall")


def test_what_is_declared_counts():
    row = {"stack": "shop", "service": "db", "exposure": "public", "address": "", "published": "5432", "target": 5432, "protocol": "tcp"}
    db = container("shop-db-1", port(5432, target=5432), stack="shop", service="db")
    assert ranks(host(db, declared=[row]))[5432, "tcp"] == ("listed", "PostgreSQL", "declared")
    assert ranks(host(db, declared=[dict(row, exposure="loopback")]))[5432, "tcp"][0] == "high"
    assert ranks(host(db, declared=[dict(row, service="other")]))[5432, "tcp"][0] == "high"
    assert ranks(host(db, declared=[dict(row, published="5000-5500")]))[5432, "tcp"][2] == "declared"
    assert ranks(host(db, declared=[dict(row, published="")]))[5432, "tcp"][2] == "declared"
    node = {**row, "stack": "", "service": "", "published": "9100", "target": 9100}
    assert ranks(host(endpoints=[socket(9100, "node_exporter")], declared=[node]))[9100, "tcp"][2] == "declared"


def test_clients_and_bridges():
    networks = [exposure.network("bridge", interface="docker0")]
    facts = host(endpoints=[socket(40000, "chronyd", protocol="udp"), socket(53, "dnsmasq", "172.17.0.1"), socket(54, "x", "fe80::1%eth0")], networks=networks)
    assert ranks(facts) == {
        (53, "tcp"): ("listed", "", "containers and neighbours only"),
        (54, "tcp"): ("listed", "", "containers and neighbours only"),
    }


def test_a_range_is_one_row():
    facts = host(container("turn", *[port(one, target=one, protocol="udp") for one in range(49152, 49200)], port(49300, target=49300, protocol="udp")))
    assert [(one["port"], one["last"]) for one in rows(facts)] == [(49152, 49199), (49300, 49300)]
    assert [one["port"] for one in audit_probe(facts)["closed"]] == [49152, 49300]


def test_what_holds_on_any_host_is_taken_from_the_judgement():
    finding = {"rule": "forward_accept", "why": "The policy is ACCEPT.", "remedy": "Set it.", "severity": "medium", "blocked": False, "endpoint": None}
    some = [dict(finding, what="c{0}.".format(number), container="c{0}".format(number)) for number in range(7)]
    other = [dict(some[0], rule="undeclared_port"), dict(some[0], rule="docker_control"), dict(some[0], rule="engine_setting", endpoint={"port": 2375})]
    # Ansible's own warnings come along with every result.
    (found,) = host_findings(host(violations=[*other, *some], warnings=["Host is using the discovered Python interpreter"]))
    assert found["subject"] == "7 containers" and found["what"] == "C0. C1. C2. C3. C4. And 2 more."
    assert host_findings(host()) == []


def test_what_is_tried():
    facts = host(container("db", port(5432, target=5432), port(9, protocol="sctp")), endpoints=[socket(2222, "sshd"), socket(53, "named", protocol="udp")])
    plan = audit_probe(facts, "host.example.com", 22)
    assert plan == {
        "addresses": ["host.example.com"],
        "closed": [
            {"port": 5432, "protocol": "tcp", "owner": "container db"},
            {"port": 53, "protocol": "udp", "owner": "process named"},
        ],
        "control": [22, 2222],
        "via": "",
    }


@pytest.mark.parametrize(
    ("address", "own", "expected"),
    [
        # Private addresses are others' machines where the controller is, unless it is in the same network.
        ("host", ["10.0.0.5", "93.184.215.14"], ["host", "93.184.215.14"]),
        ("10.0.0.5", ["10.0.0.5", "fd00::5"], ["10.0.0.5", "fd00::5"]),
        ("10.0.0.9", ["10.0.0.5"], ["10.0.0.9"]),
        ("93.184.215.14", ["93.184.215.14", "2606:2800::1"], ["93.184.215.14", "2606:2800::1"]),
    ],
)
def test_where_it_is_tried(address, own, expected):
    places = [{"family": "ipv6" if ":" in one else "ipv4", "address": one, "scope": "global"} for one in own]
    addresses = {family: [one["address"] for one in places if one["family"] == family] for family in ("ipv4", "ipv6")}
    facts = host(addresses=addresses, interfaces=[{"name": "eth0", "addresses": places}])
    assert audit_probe(facts, address)["addresses"] == expected
    assert audit_probe(facts, address, addresses=["198.51.100.1"])["addresses"] == ["198.51.100.1"]
    assert audit_probe(facts, address, addresses="198.51.100.1, a.example.com")["addresses"] == ["198.51.100.1", "a.example.com"]


@pytest.mark.parametrize(
    ("keys", "via"),
    [
        ({"connection": "local"}, "as the machine"),
        ({"connection": "community.docker.docker"}, "through the connection plugin"),
        ({"ssh_arguments": "-o ProxyJump=bastion"}, "through a jump host"),
        ({"connection": "smart"}, ""),
    ],
)
def test_where_nothing_can_be_said(keys, via):
    told = audit_probe(host(), "host", **keys)["via"]
    assert told.startswith(via) and bool(told) == bool(via)
