# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._edge import (
    certificate_hosts,
    certificate_keys,
    certificates,
    edge_service,
    front_upstream,
    nginx_service,
    routes_of,
    tunnel_service,
    upstream,
    with_aliases,
    with_edge,
)
from hypothesis import given
from hypothesis import strategies as st


def stack(edge=None, routes=None, **keys):
    services = {name: {"image": "app:1"} for name in ("api", "web", "db")}
    routes = [{"prefix": "/api", "service": "api", "port": 8000}, {"service": "web", "port": 3000}] if routes is None else routes
    return {"name": "shop", "services": services, "edge": {"kind": "nginx"} if edge is None else edge, "routes": routes, **keys}


def made(declared, name="edge"):
    return with_edge(declared)["services"][name]


# -- services ------------------------------------------------------------------------------------------------------


def test_an_nginx_edge_publishes_80_and_waits_for_what_it_leads_to():
    service = made(stack())
    assert service["ports"] == [{"target": 80, "published": 80}]
    assert service["depends_on"] == ["api", "web"]
    assert service["command"][:3] == ["nginx", "-c", "/etc/portside/nginx.conf"]
    assert "networks" not in service and "secrets" not in service


def test_with_certificates_it_publishes_443_as_well():
    assert [port["target"] for port in made(stack({"kind": "nginx", "tls": {"kind": "acme"}}))["ports"]] == [80, 443]


def test_what_is_declared_of_it_wins():
    declared = stack()
    declared["services"]["edge"] = {"image": "nginx:1.26", "depends_on": ["api"], "deploy": {"replicas": 1}}
    service = made(declared)
    assert (service["image"], service["depends_on"], service["deploy"]) == ("nginx:1.26", ["api"], {"replicas": 1})
    assert service["healthcheck"]["test"][-1].startswith("http://127.0.0.1/")


@pytest.mark.parametrize("edge", [{"kind": "nginx"}, {"kind": "cloudflared"}, {"kind": "nginx", "tunnel": "id"}])
def test_open_streams_do_not_keep_the_next_one_from_serving(edge):
    services = with_edge(stack(edge, services={}))["services"]
    assert [service["stop_grace_period"] for service in services.values()] == ["2s"] * len(services)
    assert made(stack(edge, services={"edge": {"stop_grace_period": "1m"}}))["stop_grace_period"] == "1m"


def test_it_may_have_another_name():
    declared = stack({"kind": "nginx", "service": "proxy"})
    assert "proxy" in with_edge(declared)["services"] and "edge" not in with_edge(declared)["services"]
    assert edge_service(declared) == nginx_service(declared) == "proxy"


def test_a_cloudflared_edge_publishes_nothing_and_reads_its_credentials_as_its_own_user():
    service = made(stack({"kind": "cloudflared", "tunnel": "t", "credentials": "key"}, secrets={"key": {}}))
    assert "ports" not in service and service["command"][-1] == "run"
    assert service["secrets"] == [{"source": "key", "target": "tunnel.json", "uid": "65532", "gid": "65532"}]


def test_credentials_that_are_mounted_already_are_mounted_once():
    declared = stack({"kind": "cloudflared", "tunnel": "t", "credentials": "key"}, secrets={"key": {}})
    mounted = [{"source": "key", "target": "tunnel.json", "uid": "0"}]
    declared["services"]["edge"] = {"secrets": mounted}
    assert made(declared)["secrets"] == mounted


def test_a_tunnel_in_front_of_nginx_is_a_service_of_its_own():
    declared = stack({"kind": "nginx", "tunnel": "t", "credentials": "key"})
    assert "ports" not in made(declared)
    assert made(declared, "tunnel")["depends_on"] == ["edge"]
    assert tunnel_service(declared) == "tunnel"


def test_services_whose_profile_is_off_are_not_waited_for():
    declared = stack()
    declared["services"]["web"]["profiles"] = ["more"]
    assert made(declared)["depends_on"] == ["api"]


def test_without_an_edge_nothing_is_made():
    declared = {"name": "shop", "services": {"edge": {"image": "mine:1"}}}
    assert with_edge(declared) is declared and edge_service(declared) == ""


@pytest.mark.parametrize("edge", [{"kind": "nginx"}, {"kind": "cloudflared", "credentials": "key"}, {"kind": "nginx", "tunnel": "t", "credentials": "key"}])
def test_what_is_explicit_already_stays(edge):
    once = with_edge(stack(edge))
    assert with_edge(once) == once


KEYS = st.sampled_from(["kind", "service", "edge", "routes", "services", "tls", "name", "networks"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["nginx", "cloudflared"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    )
)
def test_it_bears_any_declaration(declared):
    with_edge(declared)
    if isinstance(declared, dict):
        with_edge({**stack(), **declared})


# -- networks ------------------------------------------------------------------------------------------------------


def test_it_joins_one_network_of_each_service_and_no_other():
    declared = stack(networks={"front": {}, "back": {}})
    declared["services"]["api"]["networks"] = ["front", "back"]
    declared["services"]["web"]["networks"] = ["front"]
    declared["services"]["db"]["networks"] = ["back"]
    assert made(declared)["networks"] == ["front"]


def test_where_all_of_them_are_internal_it_joins_one_that_is_not():
    declared = stack(networks={"back": {"internal": True}})
    for name in ("api", "web"):
        declared["services"][name]["networks"] = ["back"]
    assert made(declared)["networks"] == ["back", "default"]


OTHER = [{"host": "b.test", "service": "web", "stack": "blog", "port": 3000}, {"service": "api", "port": 8000}]


def test_it_meets_services_of_other_stacks_on_networks_with_a_name():
    declared = stack(routes=OTHER, networks={"meeting": {"external": True}, "own": {}})
    assert made(declared)["networks"] == ["default", "meeting"]
    assert made(declared)["depends_on"] == ["api"]


def test_within_its_stack_a_service_is_asked_by_its_name():
    declared = stack()
    assert [upstream(declared, route) for route in routes_of(declared)] == ["http://api:8000", "http://web:3000"]


def test_where_stacks_meet_every_service_is_asked_by_a_name_of_its_own():
    declared = with_edge(stack(routes=OTHER, networks={"meeting": {"external": True}}))
    assert [upstream(declared, route) for route in routes_of(declared)] == ["http://web.blog:3000", "http://api.shop:8000"]
    services = with_aliases(declared)["services"]
    assert services["api"]["networks"] == {"default": {"aliases": ["api.shop"]}}
    assert services["edge"]["networks"]["meeting"] == {"aliases": ["edge.shop"]}
    assert "networks" not in services["db"]


def test_where_stacks_meet_a_tunnel_asks_for_the_nginx_of_its_own_stack():
    edge = {"kind": "nginx", "tunnel": "t", "credentials": "key"}
    assert front_upstream(with_edge(stack(edge))) == "http://edge:80"
    declared = with_edge(stack(edge, routes=OTHER, networks={"meeting": {"external": True}}))
    assert front_upstream(declared) == "http://edge.shop:80"
    networks = with_aliases(declared)["services"]["edge"]["networks"]
    assert networks == {name: {"aliases": ["edge.shop"]} for name in ("default", "meeting")}


def test_on_a_network_with_a_name_services_have_the_alias_that_other_stacks_ask_for():
    declared = {"name": "blog", "services": {"web": {"image": "a", "networks": {"meeting": {"ipv4_address": "10.0.0.9"}, "default": None}}}}
    declared["networks"] = {"meeting": {"name": "everybody"}}
    found = with_aliases(declared)["services"]["web"]["networks"]
    assert found == {"meeting": {"ipv4_address": "10.0.0.9", "aliases": ["web.blog"]}, "default": {}}


def test_without_such_a_network_nothing_is_changed():
    declared = with_edge(stack())
    assert with_aliases(declared) is declared


def test_a_url_is_asked_as_it_is_written():
    declared = stack(routes=[{"prefix": "/", "url": "https://old.example.com"}])
    assert upstream(declared, routes_of(declared)[0]) == "https://old.example.com"


# -- certificates --------------------------------------------------------------------------------------------------


def test_certificates_are_for_the_hosts_of_the_edge_and_of_the_routes():
    edge = {"kind": "nginx", "hosts": ["Shop.Example.com"], "tls": {"kind": "acme"}}
    declared = stack(edge, routes=[{"host": "www.example.com", "service": "web", "port": 80}, {"service": "api", "port": 80}])
    assert set(certificate_hosts(declared)) == {"shop.example.com", "www.example.com"}
    ((file, hosts),) = certificates(declared)
    assert file == "acme.pem" and set(hosts) == {"shop.example.com", "www.example.com"}


def test_keys_that_are_brought_are_secrets():
    edge = {"kind": "nginx", "tls": {"kind": "files", "certificates": [{"certificate": "no PEM", "key": "one"}, {"key": 3}]}}
    assert certificate_keys(stack(edge)) == ["one"]
    assert [one.file for one in certificates(stack(edge))] == ["0.pem", "1.pem"]
