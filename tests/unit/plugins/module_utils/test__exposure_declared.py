# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import declared_rows, read_declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import judge
from ansible_collections.portside.stack.plugins.module_utils._exposure_rows import observed_rows, with_routes
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import Settings, parse_settings
from ansible_collections.portside.stack.plugins.module_utils._exposure_text import text_of
from ansible_collections.portside.stack.plugins.module_utils._rendered_ports import DeclaredPort
from exposure_facts import container, guarded, host, network, port, socket
from exposure_facts import declared as declaring

PATH = "/etc/portside/exposure.json"
NOTHING = parse_settings(PATH, None)
OLD, NEW = "0" * 16, "1" * 16
ROUTES = [
    {"via": "edge", "text": "example.com prefix /", "service": "web", "stack": "shop", "port": 3000},
    {"via": "edge", "text": "prefix /old", "url": "10.0.0.9"},
]


def publishing(number, address="127.0.0.1", **keys):
    ports = [{"target": 80, "published": str(number), "protocol": "tcp", **({"host_ip": address} if address else {})}]
    body = {"image": "x", "ports": ports, "networks": {"front": None}}
    networks = {"front": {"name": "shop_front", "external": True}, "default": {"name": "shop_default", "external": True}}
    told = {"edge": {"service": "edge", "kind": "nginx"}, "routes": ROUTES}
    definition = {"name": "shop", "services": {"edge": body, "web": {"image": "y"}}, "networks": networks, "x-portside": told}
    definition["x-portside"].update(keys)
    return definition


def store(root, **releases):
    directory = root / "shop"
    for release, definition in ((OLD, releases["old"]), (NEW, releases["new"])):
        (directory / "releases" / release).mkdir(parents=True)
        (directory / "releases" / release / "release.json").write_text(json.dumps({"definition": definition}))
    (directory / "current").symlink_to("releases/" + OLD)
    (root / "never").mkdir()
    return str(root)


def test_what_the_current_release_publishes_is_declared_and_another_in_its_place(tmp_path):
    root = store(tmp_path, old=publishing(8080), new=publishing(9090, ""))
    current = read_declared(root, {}, NOTHING)
    edge = current.services[("shop", "edge")]
    assert edge.ports == (DeclaredPort("127.0.0.1", 8080, 8080, "tcp", 80),) and not edge.ports[0].public
    assert (edge.networks, current.services[("shop", "web")].networks) == ({"shop_front"}, {"shop_default"})
    verified = read_declared(root, {"shop": NEW}, NOTHING).services[("shop", "edge")]
    assert verified.ports[0].public and verified.ports[0].first == 9090
    with pytest.raises(StackError, match="there is no release"):
        read_declared(root, {"shop": "2" * 16}, NOTHING)
    assert read_declared(str(tmp_path / "nowhere"), {}, NOTHING).services == {}


def test_waivers_of_releases_are_of_their_stack_and_of_these_rules_alone(tmp_path):
    waivers = [{"rule": "docker_socket", "service": "web", "reason": "logs"}, {"rule": "debug", "reason": "not of here"}]
    root = store(tmp_path, old=publishing(8080, waivers=waivers), new=publishing(1))
    own = parse_settings(PATH, b'{"waivers": [{"rule": "orphan", "container": "x", "reason": "r"}]}')
    assert read_declared(root, {}, own).waivers == (
        {"rule": "orphan", "container": "x", "reason": "r", "stack": ""},
        {"rule": "docker_control", "service": "web", "reason": "logs", "stack": "shop"},
    )


@pytest.mark.parametrize(
    ("one", "address", "allowed"),
    [
        ("", "0.0.0.0", True),
        ("", "::", True),
        ("0.0.0.0", "192.0.2.2", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", False),
        ("192.0.2.2", "192.0.2.2", True),
        ("192.0.2.2", "0.0.0.0", False),
        ("192.0.2.2", "127.0.0.1", True),
    ],
)
def test_where_a_declared_port_may_be_bound(one, address, allowed):
    assert DeclaredPort(one, 80, 80, "tcp", 80).allows(address) is allowed


@pytest.mark.parametrize(
    ("one", "number", "target", "covered"),
    [((8080, 8082), 8081, 80, True), ((8080, 8082), 8083, 80, False), ((0, 0), 49153, 80, True), ((0, 0), 49153, 81, False)],
)
def test_which_ports_a_declared_one_covers(one, number, target, covered):
    assert DeclaredPort("", *one, "tcp", 80).covers("tcp", number, target) is covered
    assert not DeclaredPort("", *one, "tcp", 80).covers("udp", number, target)


def test_a_host_without_settings_shows_ssh():
    assert Settings([22], [], [], False, [], "/opt/stacks") == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"ssh_ports": ["22"]}',
        '{"ssh_ports": [true]}',
        '{"open": [{"protocol": "tcp"}]}',
        '{"open": [{"port": 70000}]}',
        '{"waivers": [{"rule": "no_such_rule", "reason": "r"}]}',
        '{"waivers": [{"rule": "orphan"}]}',
    ],
)
def test_settings_that_are_none_are_refused(text):
    with pytest.raises(StackError, match="/etc/portside/exposure.json is not what the role firewall writes: .+ Remedy: "):
        parse_settings(PATH, text.encode())


def test_rows_of_what_is_declared(tmp_path):
    own = parse_settings(PATH, b'{"open": [{"port": 9100, "sources": ["10.0.0.0/8"], "reason": "monitoring"}]}')
    rows = declared_rows(read_declared(store(tmp_path, old=publishing(8080), new=publishing(1)), {}, own))
    assert [(one["stack"], one["service"], one["exposure"], one["published"], one["reason"]) for one in rows] == [
        ("shop", "edge", "loopback", "8080", ""),
        ("", "", "public", "9100", "monitoring"),
        ("", "", "public", "22", "ssh"),
    ]


def shop(tmp_path):
    declared = read_declared(store(tmp_path, old=publishing(8080), new=publishing(1)), {}, NOTHING)
    edge = container("shop-edge-1", port(8080, "127.0.0.1"), stack="shop", service="edge", networks=("shop_front",))
    facts = host([edge], [socket(22, "sshd")], [network("shop_front", attached=["shop-edge-1"])])
    return with_routes(facts, declared), declared


def test_a_port_of_the_edge_is_told_with_the_services_behind_it(tmp_path):
    facts, declared = shop(tmp_path)
    behind = ["example.com prefix / -> web:3000", "prefix /old -> 10.0.0.9"]
    edge, web = observed_rows(facts, declared)
    assert edge == {
        "stack": "shop",
        "service": "edge",
        "exposure": "loopback",
        "addresses": ["127.0.0.1"],
        "published": "8080",
        "target": 80,
        "protocol": "tcp",
        "routes": [],
        "reach": "loopback",
        "via": "",
        "behind": behind,
    }
    assert (web["exposure"], web["published"], web["target"], web["protocol"]) == ("internal", "", 3000, "tcp")
    assert (web["routes"], web["reach"], web["via"], web["behind"]) == (["example.com prefix /"], "loopback", "edge", [])
    assert facts["published"][0]["owner"]["routes"] == behind
    lines = text_of(facts, declared, judge(facts, declared)).splitlines()
    assert lines[0].split() == ["PORT", "ADDRESS", "OWNER", "EXPOSURE", "ROUTES"]
    assert lines[1].split() == ["22/tcp", "0.0.0.0:22", "sshd", "(pid", "7)", "public"]
    assert "127.0.0.1:8080 -> 80  shop/edge (shop-edge-1)  loopback  example.com prefix / -> web:3000" in lines[2]
    assert lines[-1] == "What is reachable is what was declared."


def test_with_a_tunnel_in_front_all_the_world_gets_in(tmp_path):
    facts, declared = shop(tmp_path)
    tunnel = declared.services[("shop", "web")]._replace(name="tunnel", tunnel=True)
    rows = observed_rows(facts, declared._replace(services={**declared.services, ("shop", "tunnel"): tunnel}))
    assert [(one["service"], one["reach"], one["via"]) for one in rows] == [("edge", "loopback", ""), ("web", "public", "tunnel"), ("tunnel", "internal", "")]


def test_behind_a_proxy_of_the_host_a_loopback_port_is_public(tmp_path):
    edge = {"kind": "external", "name": "caddy"}
    routes = [{"via": "caddy", "text": "prefix /", "service": "edge", "stack": "shop", "port": 80}]
    old = publishing(8080, edge=edge, routes=routes)
    declared = read_declared(store(tmp_path, old=old, new=publishing(1)), {}, NOTHING)
    api = container("shop-edge-1", port(8080, "127.0.0.1"), stack="shop", service="edge", networks=("shop_front",))
    row, web = observed_rows(host([api], [], [network("shop_front", attached=["shop-edge-1"])]), declared)
    assert (row["service"], row["exposure"], row["reach"], row["via"], row["routes"]) == ("edge", "loopback", "public", "caddy", ["prefix /"])
    assert (web["reach"], web["via"]) == ("internal", "")


def test_what_was_not_seen_is_no_clean_bill(tmp_path):
    facts, declared = shop(tmp_path)
    text = text_of(dict(facts, unseen=["This did not run as root."]), declared, judge(facts, declared))
    assert "not everything was seen." in text and "What is reachable is what was declared" not in text
    assert text.endswith("Not seen:\n  This did not run as root.\n")


def test_what_findings_have_in_common_is_told_once():
    facts = host([container("a", port(5432)), container("b", port(6379))])
    text = text_of(facts, declaring(), judge(facts, declaring()))
    assert text.count("Why: ") == 1 and text.count("undeclared_port: container") == 2 and text.count("Remedy: ") == 2
    assert "(since 2026-11-20 08:11:02 UTC)" in text
    assert "undeclared_port" not in text_of(facts, declaring(), None) and "container a" in text_of(facts, declaring(), None)


def test_what_the_firewall_drops_is_not_called_public():
    facts = host([container("a", port(5432), port(80), port(9100), port(1, "127.0.0.1"))], firewall=guarded(80))
    opened = declaring(open=[{"port": 9100, "protocol": "tcp", "sources": ["10.0.0.0/8"], "reason": "monitoring"}])
    lines = [line.split() for line in text_of(facts, opened, None).splitlines()]
    assert [(line[0], line[-1]) for line in lines[1:]] == [("1/tcp", "loopback"), ("80/tcp", "public"), ("5432/tcp", "dropped"), ("9100/tcp", "10.0.0.0/8")]
