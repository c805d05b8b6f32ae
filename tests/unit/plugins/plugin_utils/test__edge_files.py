# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib

import pytest
import yaml
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import cloudflared_ingress
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._edge_files import edge_files, edge_record, tunnel_config, with_tunnel_config
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import config_digest_of, nginx_config
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from edge_stacks import DIRECTORY, EVERY, EVERY_KIND, TUNNEL, VERSIONS, chain, edge_stack

NAMES = ["one.example.com", "two.example.com"]
ACME = {"kind": "acme", "file": "acme.pem", "names": NAMES, "email": ""}
TLS = {
    "none": None,
    "self_signed": {"kind": "self_signed", "file": "self-signed.pem", "names": NAMES},
    "files": {
        "kind": "files",
        "certificates": [{"file": "0.pem", "key": {"secret": "one_key", "version": 3}}, {"file": "1.pem", "key": {"secret": "two_key", "version": 4}}],
    },
    # https://letsencrypt.org/docs/acme-protocol-updates/ and https://letsencrypt.org/docs/staging-environment/
    "acme": {**ACME, "email": "ops@one.example.com", "directory_url": "https://acme-v02.api.letsencrypt.org/directory", "certificate": "portside-shop"},
    "acme staging": {**ACME, "directory_url": "https://acme-staging-v02.api.letsencrypt.org/directory", "certificate": "portside-shop-staging"},
    "acme directory_url": {**ACME, "directory_url": DIRECTORY, "certificate": "portside-shop-" + hashlib.sha256(DIRECTORY.encode()).hexdigest()[:8]},
}
OLD = {"nginx": "1.22.1", "openssl": "3.0.2"}


@EVERY
def test_each_of_these_stacks_may_be_declared_but_for_a_tunnel_that_has_tls_behind_it(kind, tunnel):
    declared = edge_stack(kind, tunnel)
    problems = stack_problems([declared], {"shop": list(declared["secrets"])})
    assert ["TLS ends at Cloudflare" in problem for problem in problems] == ([True] if tunnel and kind != "none" else []), problems


@EVERY
def test_the_host_is_told_what_to_activate(kind, tunnel):
    record = edge_record(edge_stack(kind, tunnel), VERSIONS)
    assert {**record, "config": "x"} == {"service": "edge", "kind": "nginx", "config": "x", "port": 80, **({"tls": TLS[kind]} if TLS[kind] else {})}


@EVERY
def test_a_release_has_the_files_that_its_certificates_need(kind, tunnel):
    declared = edge_stack(kind, tunnel)
    expected = {"edge/nginx.conf": nginx_config(declared)}
    if kind.startswith("acme"):
        expected["edge/challenge.conf"] = nginx_config(declared, challenge=True)
    if kind == "files":
        expected.update({"edge/certificates/0.pem": chain("one.example.com"), "edge/certificates/1.pem": chain("two.example.com")})
    assert edge_files(declared) == expected
    assert edge_record(declared, VERSIONS)["config"] == config_digest_of(expected["edge/nginx.conf"])


@EVERY_KIND
def test_the_digest_is_that_of_the_file_whatever_the_image_is(kind):
    declared = edge_stack(kind)
    files, record = edge_files(declared, OLD), edge_record(declared, VERSIONS, OLD)
    assert "location = /.well-known/portside/{0} {{".format(record["config"]) in files["edge/nginx.conf"]
    assert (files != edge_files(declared)) == (kind != "none"), "it is the versions of TLS that differ"
    if kind.startswith("acme"):
        assert files["edge/challenge.conf"] == nginx_config(declared, OLD, challenge=True)


def test_chains_have_one_end_of_line_however_they_are_given():
    declared = edge_stack("files")
    for one in declared["edge"]["tls"]["certificates"]:
        one["certificate"] = "\n" + one["certificate"] + "\n\n"
    assert edge_files(declared)["edge/certificates/1.pem"] == chain("two.example.com")


def test_certificates_of_several_places_that_issue_have_names_of_their_own():
    stacks = [*map(edge_stack, TLS), edge_stack("acme directory_url", directory_url=DIRECTORY + "/2")]
    names = [edge_record(one).get("tls", {}).get("certificate") for one in stacks]
    assert len(set(filter(None, names))) == 4


def test_a_place_of_ones_own_comes_before_the_staging_switch():
    tls = edge_record(edge_stack("acme directory_url", staging=True))["tls"]
    assert (tls["directory_url"], tls["certificate"]) == (DIRECTORY, TLS["acme directory_url"]["certificate"])


def test_to_be_judged_keys_have_their_first_version():
    found = edge_record(edge_stack("files"))["tls"]["certificates"]
    assert [one["key"]["version"] for one in found] == [1, 1]


def test_without_an_nginx_edge_there_is_nothing():
    for edge in ({}, {"kind": "cloudflared", "tunnel": TUNNEL, "credentials": "tunnel"}):
        declared = {**edge_stack("none"), "edge": edge}
        assert (edge_files(declared), edge_record(declared)) == ({}, {})


@EVERY_KIND
@pytest.mark.parametrize("edge", [{}, {"kind": "cloudflared", "tunnel": TUNNEL, "credentials": "tunnel"}])
def test_the_tunnel_mounts_its_configuration(kind, edge):
    declared = edge_stack(kind, True)
    declared["edge"] = edge or declared["edge"]
    declared["configs"] = {"own.conf": {"content": "x"}}
    name = "edge" if edge else "tunnel"
    declared["services"][name] = {"configs": ["own.conf"]}
    declared = with_edge(declared)
    found = with_tunnel_config(declared)
    assert found["services"][name]["configs"] == ["own.conf", {"source": "_cloudflared.yml", "target": "/etc/cloudflared/config.yml"}]
    assert found["configs"] == {"own.conf": {"content": "x"}, "_cloudflared.yml": {"content": tunnel_config(declared)}}
    assert yaml.safe_load(tunnel_config(declared)) == cloudflared_ingress(declared)
    assert found["services"][name]["command"][2:4] == ["--config", "/etc/cloudflared/config.yml"]
    assert declared["configs"] == {"own.conf": {"content": "x"}}
    unchanged = {one: service for one, service in found["services"].items() if one != name}
    assert unchanged == {one: service for one, service in declared["services"].items() if one != name}


@EVERY_KIND
def test_without_a_tunnel_none_is_mounted(kind):
    declared = with_edge(edge_stack(kind))
    assert with_tunnel_config(declared) == declared
    # Nor where there is one, and nobody made its service.
    assert with_tunnel_config(edge_stack(kind, True)) == edge_stack(kind, True)
