# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._declared_ports import open_ports
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import REACHES
from edge_stacks import edge_stack
from hypothesis import given
from hypothesis import strategies as st

IMAGE = {"image": "x"}
EVERYTHING = {"prefix": "/", "service": "web", "port": 3000}


def row(service, exposure, published="", target=None, protocol="tcp", **others):
    reach = {"public": "public", "loopback": "loopback"}.get(exposure if published else "", "internal")
    first = {"service": service, "exposure": exposure, "published": published, "target": target, "protocol": protocol}
    return {**first, "routes": [], "reach": reach, "via": "", "note": "", **others}


def reached(stack, stacks=None):
    return {(one["service"], one["target"]): (one["reach"], one["via"]) for one in exposure_table(stack, stacks)}


def test_every_running_service_has_its_rows():
    declared = {
        "name": "shop",
        "services": {
            "edge": {"image": "x", "ports": ["80:8080", "443:8443/udp"]},
            "api": {"image": "x", "ports": [{"target": 8000, "published": 8001}]},
            "db": {"image": "x", "ports": ["5432:5432"]},
            "cache": {"image": "x", "expose": [6379, "6380-6381/udp", "mistaken"]},
            "job": {"image": "x", "restart": "no"},
            "unset": {"image": "x", "ports": None},
            "off": {"image": "x", "profiles": ["p"], "ports": ["1:1"]},
        },
        "exposure": {"edge": "public", "api": "loopback", "off": "public"},
    }
    assert exposure_table(declared) == [
        row("edge", "public", "80", 8080),
        row("edge", "public", "443", 8443, "udp"),
        row("api", "loopback", "127.0.0.1:8001", 8000),
        row("db", "internal", "", 5432),
        row("cache", "internal", "", 6379),
        row("cache", "internal", "", 6380, "udp"),
        row("cache", "internal", "", 6381, "udp"),
        row("job", "internal", "", None, "", note="runs once"),
        row("unset", "internal", "", None, ""),
    ]


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"ports": [1342]}, r"stack 'shop', service 'a', key 'ports\[0\]': value 1342"),
        ({"ports": "80"}, "stack 'shop', service 'a', key 'ports': value '80' is not a list"),
        ({"networks": ["nowhere"]}, "stack 'shop', service 'a', key 'networks': 'nowhere' is not one of"),
        ({"ports": ["80:80"], "network_mode": "service:b"}, "stack 'shop', service 'a', key 'ports': with network_mode service:b"),
    ],
)
def test_what_is_wrong_is_named(service, words):
    with pytest.raises(StackError, match=words):
        exposure_table({"name": "shop", "services": {"a": {**IMAGE, **service}}, "exposure": {"a": "public"}})


def test_a_form_that_is_not_known_is_refused():
    with pytest.raises(StackError, match="format: 'html' is none of list, markdown, text"):
        exposure_table({"name": "shop", "services": {}}, format="html")


# -- networks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "networks", "exposure", "published", "reach", "note"),
    [
        ({}, {}, "public", "8080", "public", ""),
        ({}, {"default": {"internal": True}}, "public", "", "internal", ""),
        ({}, {"default": {"internal": True}}, "loopback", "", "internal", ""),
        ({"network_mode": "none"}, {}, "public", "", "internal", ""),
        ({"network_mode": "host"}, {}, "public", "80", "public", "network of the host"),
        ({"network_mode": "host"}, {}, "loopback", "80", "public", "network of the host"),
        ({"network_mode": "host"}, {}, "internal", "", "public", "network of the host"),
        ({}, {"default": {"driver": "macvlan"}}, "internal", "", "public", "address of its own on default (macvlan)"),
        ({}, {"default": {"driver": "ipvlan"}}, "loopback", "", "public", "address of its own on default (ipvlan)"),
        (
            {},
            {"default": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"}}},
            "internal",
            "",
            "public",
            "unprotected on default (nat-unprotected)",
        ),
        ({}, {"default": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}}}, "loopback", "", "public", "routed on default"),
        ({}, {"default": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}}}, "internal", "", "internal", ""),
        (
            {},
            {"default": {"driver_opts": {"com.docker.network.bridge.trusted_host_interfaces": "eth1"}}},
            "loopback",
            "127.0.0.1:8080",
            "public",
            "reached from eth1 on default (trusted_host_interfaces)",
        ),
        ({}, {"default": {"driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}}, "public", "127.0.0.1:8080", "loopback", ""),
    ],
)
def test_networks_count(service, networks, exposure, published, reach, note):
    stack = {"name": "shop", "services": {"a": {**IMAGE, **service, "ports": ["8080:80"]}}, "networks": networks, "exposure": {"a": exposure}}
    assert exposure_table(stack) == [row("a", exposure, published, 80, reach=reach, note=note)]


def test_a_service_of_the_hosts_network_is_public_without_any_port():
    stack = {"name": "shop", "services": {"a": {**IMAGE, "network_mode": "host"}}}
    assert exposure_table(stack) == [row("a", "internal", "", None, "", reach="public", note="network of the host")]


def test_a_port_that_the_engine_picks_is_0():
    stack = {"name": "shop", "services": {"a": {**IMAGE, "ports": ["80"]}}, "exposure": {"a": "public"}}
    assert exposure_table(stack) == [row("a", "public", "0", 80)]


# -- routes --------------------------------------------------------------------------------------------------------


def routed(exposure, **edge):
    return {
        "name": "shop",
        "services": {"web": {**IMAGE, "ports": ["3000:3000", "3000:3000/udp", "9000:9000"]}, "db": IMAGE},
        "edge": {"kind": "nginx", **edge},
        "exposure": {"edge": exposure, "web": "loopback"},
        "routes": [
            {"host": "a.example.com", "regex": "/(x|y)", "service": "web", "port": 3000},
            EVERYTHING,
            {"prefix": "/new", "service": "web", "port": 3001},
        ],
    }


def test_what_a_public_edge_leads_to_is_public():
    assert exposure_table(routed("public")) == [
        row("web", "loopback", "127.0.0.1:3000", 3000, routes=["a.example.com regex /(?:x|y)", "prefix /"], reach="public", via="edge"),
        row("web", "loopback", "127.0.0.1:3000", 3000, "udp"),
        row("web", "loopback", "127.0.0.1:9000", 9000),
        row("web", "loopback", "", 3001, routes=["prefix /new"], reach="public", via="edge"),
        row("db", "internal", "", None, ""),
        row("edge", "public", "80", 80),
    ]


def test_what_an_edge_of_this_host_leads_to_is_this_hosts():
    found = reached(routed("loopback"))
    assert found["web", 3000] == ("loopback", "")
    assert found["web", 3001] == ("loopback", "edge")
    assert found["edge", 80] == ("loopback", "")


def test_an_edge_that_nobody_reaches_exposes_nothing():
    assert reached(routed("internal"))["web", 3001] == ("internal", "")


def test_what_is_public_itself_needs_no_edge():
    stack = routed("public")
    stack["exposure"]["web"] = "public"
    assert reached(stack)["web", 3000] == ("public", "")


def test_what_a_tunnel_leads_to_is_public_via_the_tunnel():
    stack = routed("internal", kind="cloudflared", tunnel="6ff42ae2-765d-4adf-8112-31c55c1551ef", credentials="tunnel")
    found = reached(stack)
    assert found["web", 3001] == ("public", "edge")
    assert found["web", 9000] == ("loopback", "")
    assert found["edge", None] == ("internal", "")


@pytest.mark.parametrize("exposure", ["internal", "loopback"])
def test_a_tunnel_in_front_of_nginx_is_the_entrance(exposure):
    stack = {**edge_stack("none", tunnel=True), "exposure": {"edge": exposure}}
    found = reached(stack)
    assert found["api", 8000] == ("public", "tunnel")
    assert found["edge", 80] == ("public", "tunnel")
    assert found["tunnel", None] == ("internal", "")


def test_an_edge_that_is_public_itself_is_the_entrance_though_it_has_a_tunnel():
    stack = {**edge_stack("none", tunnel=True), "exposure": {"edge": "public"}}
    stack["services"] = {**stack["services"], "edge": {"ports": ["80:80"]}}
    found = reached(stack)
    assert found["api", 8000] == ("public", "edge")
    assert found["edge", 80] == ("public", "")


def test_an_edge_that_is_off_leads_nowhere():
    stack = routed("public")
    stack["services"]["edge"] = {"profiles": ["web"]}
    assert reached(stack)["web", 3001] == ("internal", "")


# -- several stacks ------------------------------------------------------------------------------------------------


FRONT = {
    "name": "front",
    "services": {},
    "networks": {"meeting": {"name": "meeting"}},
    "edge": {"kind": "nginx"},
    "exposure": {"edge": "public"},
    "routes": [{"host": "site.example.com", "service": "web", "stack": "site", "port": 3000}],
}
SITE = {
    "name": "site",
    "services": {"web": {**IMAGE, "networks": ["default", "meeting"]}},
    "networks": {"meeting": {"name": "meeting", "external": True}},
}


def test_routes_of_other_stacks_count_where_they_are_given():
    found = [row("web", "internal", "", 3000, routes=["site.example.com prefix / (stack front)"], reach="public", via="front/edge")]
    assert exposure_table(SITE, [FRONT, SITE]) == exposure_table(SITE, [SITE, FRONT]) == found
    assert exposure_table(SITE) == exposure_table(SITE, [SITE]) == [row("web", "internal", "", None, "")]
    assert [one["service"] for one in exposure_table(FRONT, [FRONT, SITE])] == ["edge"]


def test_a_service_of_the_same_name_elsewhere_is_another_one():
    front = {**FRONT, "services": {"web": IMAGE}}
    assert exposure_table(front, [front, SITE])[0] == row("web", "internal", "", None, "")


def test_the_stack_itself_counts_as_it_is_given_and_not_as_in_the_list():
    stack = routed("public")
    assert exposure_table(stack, [{**stack, "routes": []}]) == exposure_table(stack)


def test_an_edge_behind_an_edge_is_followed():
    front = {**FRONT, "routes": [{"service": "gate", "stack": "site", "port": 80}]}
    site = {
        **SITE,
        "edge": {"kind": "nginx", "service": "gate"},
        "routes": [EVERYTHING, {"prefix": "/loop", "service": "edge", "stack": "front", "port": 80}],
    }
    found = reached(site, [front, site])
    assert found["web", 3000] == ("public", "front/edge")
    assert found["gate", 80] == ("public", "front/edge")
    assert reached(site)["web", 3000] == ("internal", "")


# -- what a firewall lets in ---------------------------------------------------------------------------------------


def let_in(service, networks=None, exposure="public"):
    stack = {"name": "shop", "services": {"a": {**IMAGE, **service}}, "networks": networks or {}, "exposure": {"a": exposure}}
    rows = open_ports([stack])
    assert all(one["stack"] == "shop" and one["service"] == "a" and one["exposure"] == "public" for one in rows)
    return [(one["port"], one["protocol"]) for one in rows]


def test_ports_to_let_in():
    assert let_in({"ports": ["8080:80", "8080:80", "53:53/udp", "9000-9002:90"]}) == [(8080, "tcp"), (53, "udp"), (9000, "tcp"), (9001, "tcp"), (9002, "tcp")]
    assert let_in({"ports": ["80", "0:81", "0-2:82"]}) == [(1, "tcp"), (2, "tcp")]
    assert let_in({"ports": ["8080:80"]}, exposure="loopback") == let_in({"ports": ["8080:80"]}, exposure="internal") == []
    assert let_in({"ports": ["8080:80"], "profiles": ["off"]}) == []
    assert let_in({"ports": ["8080:80"], "network_mode": "host"}) == [(80, "tcp")]
    assert let_in({"ports": ["8080:80"], "network_mode": "none"}) == []
    assert let_in({"ports": ["8080:80"]}, {"default": {"driver": "macvlan"}}) == []
    assert let_in({"ports": ["8080:80"]}, {"default": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}}}) == [(80, "tcp")]
    assert let_in({"ports": ["8080:80"]}, {"default": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv6": "routed"}}}) == [
        (80, "tcp"),
        (8080, "tcp"),
    ]
    assert let_in({"ports": ["8080:80"]}, {"default": {"driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}}) == []


def test_interfaces_that_are_trusted_need_no_further_port():
    networks = {"default": {"driver_opts": {"com.docker.network.bridge.trusted_host_interfaces": "eth1"}}}
    assert let_in({"ports": ["8080:80"]}, networks) == [(8080, "tcp")]


def test_the_ports_of_edges_are_let_in_and_not_those_behind_them():
    assert [(one["stack"], one["service"], one["port"]) for one in open_ports([FRONT, SITE])] == [("front", "edge", 80)]
    assert open_ports([edge_stack("none", tunnel=True)]) == []
    with pytest.raises(StackError, match="is not a list"):
        open_ports(FRONT)


def test_the_largest_range_takes_no_time():
    assert len(let_in({"ports": ["1-65535:80", "1-65535:81"]})) == 65535


# -- properties ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["web", "db", "edge"])
NETWORKS = st.dictionaries(st.sampled_from(["default", "one"]), st.sampled_from([{}, {"internal": True}, {"driver": "macvlan"}, {"external": True}]))
SERVICE = st.fixed_dictionaries(
    {"image": st.just("x")}, optional={"ports": st.lists(st.sampled_from(["80:80", "8080:3000", "53:53/udp", "3000"])), "restart": st.just("no")}
)


@st.composite
def stacks_with_routes(draw, name="shop"):
    stack = {
        "name": name,
        "services": draw(st.dictionaries(NAMES, SERVICE)),
        "networks": draw(NETWORKS),
        "exposure": draw(st.dictionaries(NAMES, st.sampled_from(["public", "loopback", "internal"]))),
        "routes": draw(
            st.lists(
                st.fixed_dictionaries(
                    {"service": NAMES, "port": st.sampled_from([80, 3000])},
                    optional={"prefix": st.sampled_from(["/", "/api"]), "stack": st.sampled_from(["shop", "other"]), "host": st.just("a.example.com")},
                ),
                max_size=4,
            )
        ),
    }
    kinds = [{"kind": "nginx"}, {"kind": "cloudflared", "tunnel": "x", "credentials": "c"}, {"kind": "external"}]
    return {**stack, **draw(st.sampled_from([{}, *({"edge": edge} for edge in kinds)]))}


@given(stacks_with_routes(), stacks_with_routes("other"))
def test_every_active_service_is_there_and_routes_only_add(stack, other):
    alone = {(one["service"], one["target"], one["protocol"], one["published"]): one for one in exposure_table({**stack, "routes": []})}
    rows = exposure_table(stack, [other, stack])
    assert {one["service"] for one in rows} >= set(stack["services"])
    for one in rows:
        before = alone.get((one["service"], one["target"], one["protocol"], one["published"]))
        # The networks that an edge joins are made of its routes.
        assert before is None or one["service"] == "edge" or REACHES.index(one["reach"]) >= REACHES.index(before["reach"])
        assert not one["via"] or (one["routes"] and one["reach"] != "internal")
    assert rows == exposure_table(stack, [stack, other])


@given(stacks_with_routes())
def test_what_is_let_in_is_in_the_table_as_public(stack):
    public = {(one["service"], one["published"], one["protocol"]) for one in exposure_table(stack) if one["reach"] == "public" and not one["via"]}
    assert {(one["service"], str(one["port"]), one["protocol"]) for one in open_ports([stack])} <= public


KEYS = ["name", "services", "networks", "exposure", "routes", "edge", "web", "ports", "expose", "network_mode", "external", "driver_opts", "kind", "tunnel"]
VALUES = [None, True, 7, "web", "nginx", "public", "host", "80:80", "127.0.0.1", "x"]
ANYTHING = st.recursive(
    st.sampled_from(VALUES), lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)), max_leaves=25
)


@given(ANYTHING, ANYTHING)
def test_anything_is_shown_or_refused(stack, stacks):
    for function in (lambda: exposure_table(stack, stacks, "text"), lambda: open_ports([stack])):
        try:
            function()
        except StackError as error:
            assert "key '" in str(error)
