# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._edge_files import edge_record, tunnel_config
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import SECRETS, STACKS
from edge_stacks import EVERY, EVERY_KIND, edge_stack
from edge_stacks import VERSIONS as VERSIONS_OF_EDGE
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

VERSIONS = {name: 3 for name in SECRETS}
# The daemon may bind to loopback what has no address; in a stack `exposure` decides.
BRIDGE = {"driver": "bridge", "driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "0.0.0.0"}}


def stack(*services, **rest):
    named = {"s{0}".format(number): dict({"image": "x"}, **service) for number, service in enumerate(services)}
    return dict({"name": "shop", "services": named}, **rest)


def service(*services, **rest):
    return compose_document(stack(*services, **rest), secret_versions=VERSIONS)["services"]["s0"]


def digest(document, name="s0"):
    return document["services"][name]["labels"]["portside.digest"]


def accepted(declared):
    return not stack_problems([declared], {"shop": list(SECRETS)})


def test_a_bare_service_gets_defaults_and_the_stacks_network():
    document = compose_document(stack({}))
    assert list(document) == ["name", "services", "networks", "x-portside"]
    rendered = document["services"]["s0"]
    assert list(rendered) == ["image", "restart", "logging", "labels"]
    assert rendered["restart"] == "unless-stopped"
    assert rendered["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
    assert rendered["labels"] == {"portside.stack": "shop", "portside.digest": digest(document)}
    assert document["networks"] == {"default": {"name": "shop_default", "external": True}}
    assert document["x-portside"] == {"networks": {"shop_default": BRIDGE}, "volumes": {}}


def test_the_users_keys_keep_their_place_and_their_values():
    given_keys = {"restart": "always", "labels": ["a=b=c", "d"], "image": "x", "x-mine": 1, "logging": {"driver": "none"}}
    rendered = service(given_keys)
    assert list(rendered) == ["image", "restart", "labels", "x-mine", "logging"]
    assert rendered["restart"] == "always"
    assert rendered["logging"] == {"driver": "none"}
    assert list(rendered["labels"].items())[:3] == [("a", "b=c"), ("d", ""), ("portside.stack", "shop")]


def test_options_without_a_value_are_absent():
    rendered = service({"healthcheck": {"test": None, "interval": "5s"}, "deploy": {"resources": {"limits": None}}, "user": None})
    assert rendered["healthcheck"] == {"interval": "5s"}
    assert rendered["deploy"] == {"resources": {}}
    assert "user" not in rendered


@pytest.mark.parametrize(
    ("exposure", "ports"),
    [
        ("public", [{"target": 80, "published": "8000", "protocol": "tcp"}]),
        ("loopback", [{"target": 80, "published": "8000", "protocol": "tcp", "host_ip": "127.0.0.1"}]),
        ("internal", None),
        (None, None),
    ],
)
def test_ports_are_bound_by_exposure(exposure, ports):
    assert service({"ports": ["8000:80"]}, exposure={"s0": exposure}).get("ports") == ports


def test_ports_of_a_service_that_exposure_does_not_name_are_not_published():
    assert "ports" not in service({"ports": ["8000:80"]})


@pytest.mark.parametrize(
    ("target", "condition"),
    [
        ({}, "service_started"),
        ({"healthcheck": {"test": "true"}}, "service_healthy"),
        ({"healthcheck": {"interval": "30s"}}, "service_healthy"),
        ({"healthcheck": {"test": "true", "disable": True}}, "service_started"),
        ({"healthcheck": {"test": ["NONE"]}}, "service_started"),
        ({"restart": "no"}, "service_completed_successfully"),
        ({"restart": "no", "healthcheck": {"test": "true"}}, "service_completed_successfully"),
    ],
)
@pytest.mark.parametrize("depends_on", [["s1"], {"s1": None}, {"s1": {}}])
def test_depends_on_waits_for_the_most_that_the_target_can_meet(target, condition, depends_on):
    assert service({"depends_on": depends_on}, target)["depends_on"] == {"s1": {"condition": condition}}


def test_what_somebody_else_awaits_the_end_of_is_a_one_shot_for_all():
    declared = stack({"depends_on": ["s1"]}, {}, {"depends_on": {"s1": {"condition": "service_completed_successfully"}}})
    services = compose_document(declared)["services"]
    assert services["s0"]["depends_on"]["s1"]["condition"] == "service_completed_successfully"
    assert services["s1"]["restart"] == "no"


def test_options_of_a_dependency_are_kept():
    rendered = service({"depends_on": {"s1": {"condition": "service_started", "restart": True}}}, {})
    assert rendered["depends_on"] == {"s1": {"condition": "service_started", "restart": True}}


@pytest.mark.parametrize("key", ["network_mode", "ipc", "pid"])
def test_whose_namespace_a_service_shares_it_waits_for(key):
    assert service({key: "service:s1"}, {})["depends_on"] == {"s1": {"condition": "service_started"}}


def test_only_services_of_enabled_profiles_are_there_with_what_they_need():
    declared = stack(
        {"depends_on": {"s1": {"required": False}}},
        {"profiles": ["storage"], "volumes": ["data:/data"], "networks": ["back"]},
        volumes={"data": {}},
        networks={"back": {}},
    )
    off = compose_document(declared)
    assert list(off["services"]) == ["s0"]
    assert "depends_on" not in off["services"]["s0"]
    assert "volumes" not in off
    assert list(off["networks"]) == ["default"]
    on = compose_document(dict(declared, profiles=["storage"]))
    assert "profiles" not in on["services"]["s1"]
    assert on["volumes"] == {"data": {"name": "shop_data", "external": True}}
    assert on["x-portside"]["volumes"] == {"shop_data": {}}


def test_networks_and_volumes_are_external_and_made_unless_the_user_says_they_exist():
    document = compose_document(
        stack(
            {"networks": ["back", "shared"], "volumes": ["mine:/a", "given:/b", "/srv:/c"]},
            networks={"back": {"internal": True}, "shared": {"external": True}, "unused": {}},
            volumes={"mine": {"name": "older-name", "driver": "local"}, "given": {"external": True, "name": "nfs"}},
        )
    )
    assert document["networks"] == {
        "back": {"name": "shop_back", "external": True},
        "shared": {"name": "shared", "external": True},
    }
    assert document["volumes"] == {
        "mine": {"name": "older-name", "external": True},
        "given": {"name": "nfs", "external": True},
    }
    assert document["x-portside"] == {
        "networks": {"shop_back": dict(BRIDGE, internal=True)},
        "volumes": {"older-name": {"driver": "local"}},
    }


def test_options_of_a_network_are_the_users():
    options = {"driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "10.0.0.1", "mtu": "1400"}}
    made = compose_document(stack({"networks": ["a", "b"]}, networks={"a": options, "b": {"driver": "macvlan"}}))["x-portside"]
    assert made["networks"] == {"shop_a": dict(options, driver="bridge"), "shop_b": {"driver": "macvlan"}}


def test_configs_are_mounted_by_their_content():
    document = compose_document(stack({"configs": ["conf", {"source": "conf", "target": "/b"}]}, configs={"conf": {"content": "a $x\n"}}))
    ((source, entry),) = document["configs"].items()
    assert source.startswith("conf_")
    assert entry == {"file": "/opt/stacks/shop/files/{0}/conf".format(source[5:])}
    assert document["services"]["s0"]["configs"] == [
        {"source": source, "target": "/conf"},
        {"source": source, "target": "/b"},
    ]


def test_secrets_are_mounted_by_version_owner_and_mode():
    document = compose_document(
        stack({"secrets": ["key", {"source": "db_password", "target": "pw", "uid": "70", "gid": 70, "mode": "0440"}]}),
        "/srv/shop/",
        {"key": 1, "db_password": 12},
    )
    assert document["secrets"] == {
        "db_password_v12-70-70-0440": {"file": "/srv/shop/secrets/db_password/12-70-70-0440"},
        "key_v1": {"file": "/srv/shop/secrets/key/1"},
    }
    assert document["services"]["s0"]["secrets"] == [
        {"source": "key_v1", "target": "key"},
        {"source": "db_password_v12-70-70-0440", "target": "pw"},
    ]


def test_a_secret_without_a_version_is_refused_not_guessed():
    with pytest.raises(StackError, match="stack 'shop', service 's0', key 'secrets': nothing is known of 'key'"):
        compose_document(stack({"secrets": ["key"]}), secret_versions={"other": 1})


@pytest.mark.parametrize(("cpus", "shares"), [("0.25", 256), (2, 2048), ("0.001", 2)])
def test_reserved_processors_become_shares(cpus, shares):
    reserved = {"deploy": {"resources": {"reservations": {"cpus": cpus}}}}
    assert service(reserved)["cpu_shares"] == shares
    assert service(dict(reserved, cpu_shares=5))["cpu_shares"] == 5


def test_what_compose_enforces_itself_stays_as_it_was_written_for_each_container():
    resources = {"limits": {"cpus": "1.5", "memory": "512M", "pids": 64}, "reservations": {"cpus": "0.5", "memory": "128M"}}
    rendered = service({"image": "x", "deploy": {"replicas": 3, "resources": resources}})
    assert rendered["deploy"] == {"replicas": 3, "resources": resources} and rendered["cpu_shares"] == 512


BASE = {
    "image": "nginx",
    "environment": {"A": "1", "B": "2"},
    "configs": ["conf"],
    "secrets": ["key"],
    "volumes": ["data:/data"],
    "networks": ["back"],
    "healthcheck": {"test": "true"},
    "ports": ["80:80"],
}
AROUND = {
    "configs": {"conf": {"content": "a"}},
    "volumes": {"data": {}},
    "networks": {"back": {}},
    "exposure": {"s0": "loopback"},
}


def base_digest(change=None, versions=None, directory=None, **around):
    declared = stack(dict(BASE, **(change or {})), {}, **dict(AROUND, **around))
    return digest(compose_document(declared, directory, versions or VERSIONS))


@pytest.mark.parametrize(
    "arguments",
    [
        {"change": {"image": "nginx:1"}},
        {"change": {"environment": {"A": "1", "B": "3"}}},
        {"change": {"labels": {"team": "a"}}},
        {"change": {"healthcheck": None}},
        {"change": {"ports": ["81:80"]}},
        {"change": {"secrets": [{"source": "key", "uid": "70"}]}},
        {"configs": {"conf": {"content": "b"}}},
        {"exposure": {"s0": "public"}},
        {"volumes": {"data": {"name": "other"}}},
        {"networks": {"back": {"name": "other"}}},
        {"versions": {"key": 4}},
        {"directory": "/srv/shop"},
    ],
    ids=str,
)
def test_what_needs_a_new_container_changes_the_digest(arguments):
    assert base_digest(**arguments) != base_digest()


@pytest.mark.parametrize(
    "arguments",
    [
        {"change": {"depends_on": ["s1"]}},
        {"change": {"deploy": {"replicas": 1}}},
        {"change": {"scale": 1}},
        {"change": {"pull_policy": "always"}},
        {"change": {"profiles": ["on"]}, "profiles": ["on"]},
        {"change": {"environment": {"B": "2", "A": "1"}}},
        {"change": {"restart": None}},
        {"configs": {"conf": {"content": "a"}, "unused": {"content": "c"}}},
        {"versions": {"key": 3, "other": 9}},
    ],
    ids=str,
)
def test_what_needs_no_new_container_does_not(arguments):
    assert base_digest(**arguments) == base_digest()


def test_the_keys_of_a_service_in_another_order_are_the_same_service():
    assert digest(compose_document(stack(dict(reversed(BASE.items())), **AROUND), None, VERSIONS)) == base_digest()


@settings(max_examples=300, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(STACKS)
def test_what_has_no_problems_renders_and_publishes_no_more_than_declared(declared):
    assume(accepted(declared))
    before = copy.deepcopy(declared)
    document = compose_document(declared, None, VERSIONS)
    assert declared == before
    assert compose_document(declared, None, VERSIONS) == document
    exposure = declared.get("exposure") or {}
    for name, rendered in document["services"].items():
        for port in rendered.get("ports", []):
            assert exposure[name] == "public" or exposure[name] == "loopback" and port["host_ip"] == "127.0.0.1"
        assert set(rendered.get("depends_on", {})) <= set(document["services"])
        assert {item["source"] for item in rendered.get("configs", [])} <= set(document.get("configs", {}))
        assert {item["source"] for item in rendered.get("secrets", [])} <= set(document.get("secrets", {}))
        wrote = [key for key, value in declared["services"][name].items() if value is not None and key in rendered]
        assert [key for key in rendered if key in wrote] == wrote
    networks = {network["name"] for network in document.get("networks", {}).values()}
    assert set(document["x-portside"]["networks"]) <= networks


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(STACKS, st.randoms(use_true_random=False))
def test_the_order_of_services_is_the_users_and_changes_nothing_else(declared, random):
    assume(accepted(declared))
    names = list(declared["services"])
    random.shuffle(names)
    moved = dict(declared, services={name: declared["services"][name] for name in names})
    document, other = compose_document(declared, None, VERSIONS), compose_document(moved, None, VERSIONS)
    assert other == document
    assert list(other["services"]) == [name for name in names if name in document["services"]]


@pytest.mark.parametrize(
    ("keys", "networks"),
    [
        ({"networks": ["shared"]}, {"shared": {"external": True}}),
        ({"networks": ["default", "shared"]}, {"shared": {"external": True}}),
        ({"network_mode": "bridge"}, {}),
    ],
)
def test_public_says_its_addresses_where_the_network_may_bind_to_loopback(keys, networks):
    stack = {
        "name": "shop",
        "services": {"edge": {"image": "nginx:1", "ports": ["80:80"], **keys}},
        "networks": networks,
        "exposure": {"edge": "public"},
    }
    ports = compose_document(stack)["services"]["edge"]["ports"]
    assert [port.get("host_ip") for port in ports] == ["0.0.0.0", "::"]
    stack["exposure"] = {"edge": "loopback"}
    ports = compose_document(stack)["services"]["edge"]["ports"]
    assert [port.get("host_ip") for port in ports] == ["127.0.0.1"]


# -- edges ---------------------------------------------------------------------------------------------------------


@EVERY
def test_an_edge_mounts_its_directory_and_can_write_nothing_there(kind, tunnel):
    document = compose_document(edge_stack(kind, tunnel), "/srv/shop", VERSIONS_OF_EDGE)
    assert document["services"]["edge"]["volumes"] == [{"type": "bind", "source": "/srv/shop/edge", "target": "/etc/portside", "read_only": True}]
    assert document["x-portside"]["directories"] == {"/srv/shop/edge": {"uid": 0, "gid": 0, "mode": "0755"}}
    assert document["x-portside"]["edge"] == edge_record(edge_stack(kind, tunnel), VERSIONS_OF_EDGE)
    assert [name for name, service in document["services"].items() if "volumes" in service] == ["edge"]
    # The key of a certificate is mounted nowhere.
    assert set(document.get("secrets", {})) == {"other_v6", *(["tunnel_v5-65532-65532-0400"] if tunnel else [])}


@EVERY_KIND
def test_what_an_edge_mounts_of_its_own_stays(kind):
    declared = edge_stack(kind)
    declared["services"]["edge"] = {"volumes": ["logs:/var/log/nginx"]}
    assert [one if isinstance(one, str) else one["target"] for one in compose_document(declared, None, VERSIONS_OF_EDGE)["services"]["edge"]["volumes"]] == [
        "logs:/var/log/nginx",
        "/etc/portside",
    ]


@EVERY_KIND
def test_other_routes_or_certificates_make_no_new_container_of_nginx(kind):
    one, other = edge_stack(kind), edge_stack(kind)
    other["routes"] = [{"host": "one.example.com", "prefix": "/x", "respond": 204}, *other["routes"]]
    one, other = (compose_document(declared, None, VERSIONS_OF_EDGE) for declared in (one, other))
    assert digest(one, "edge") == digest(other, "edge")
    assert one["x-portside"]["edge"]["config"] != other["x-portside"]["edge"]["config"]
    newer = compose_document(edge_stack(kind), None, {**VERSIONS_OF_EDGE, "one_key": 9})
    assert digest(newer, "edge") == digest(one, "edge")
    assert (newer == one) == (kind != "files")


def test_other_rules_make_a_new_container_of_cloudflared():
    declared = {**edge_stack("none", True), "edge": {"kind": "cloudflared", "tunnel": "t", "credentials": "tunnel"}, "routes": [{"service": "api", "port": 1}]}
    other = {**declared, "routes": [{"service": "api", "port": 2}]}
    first, second = (compose_document(one, None, VERSIONS_OF_EDGE) for one in (declared, other))
    assert digest(first, "edge") != digest(second, "edge")
    assert "edge" not in first["x-portside"] and "directories" not in first["x-portside"]
    (mounted,) = first["services"]["edge"]["configs"]
    assert mounted["target"] == "/etc/cloudflared/config.yml"
    assert first["configs"][mounted["source"]]["file"].endswith("/_cloudflared.yml")
    assert tunnel_config(declared) != tunnel_config(other)
