# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import sys

import pytest
import yaml
from ansible_collections.portside.stack.plugins.plugin_utils._edge_files import edge_files, edge_record, tunnel_config
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import config_digest_of, nginx_config
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import release_files
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import secret_files_options
from declarations import SECRETS, STACKS
from edge_stacks import EVERY, TUNNEL, certificate, chain, edge_stack
from edge_stacks import VERSIONS as VERSIONS_OF_EDGE
from hypothesis import HealthCheck, assume, given, settings

STACK = {
    "name": "shop",
    "services": {
        "web": {"image": "nginx", "configs": ["a.conf", "b.conf"], "secrets": ["key"]},
        "off": {"image": "x", "profiles": ["later"], "configs": ["c.conf"], "secrets": ["other"]},
    },
    "configs": {"a.conf": {"content": "a\n"}, "b.conf": {"content": "ü"}, "c.conf": {"content": "c"}},
    "secrets": {"key": {"generate": 32}, "other": {}, "unused": {"generate": None}},
}
VERSIONS = {name: 3 for name in SECRETS}


PIN = "nginx@sha256:" + "1" * 64


def own_files(release):
    """The files of the release's own directory."""
    home = release["compose_file"].rpartition("/")[0]
    return {path for path in release["files"] if path.startswith(home + "/")}


def record(release):
    return json.loads(release["files"][release["compose_file"].replace("compose.yaml", "release.json")]["content"])


def test_a_release_is_its_compose_file_and_what_running_services_mount():
    release = release_files(STACK, None, {"key": 1})
    short = {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in (("a", "a\n"), ("b", "ü"))}
    assert release["compose_file"] == "/opt/stacks/shop/releases/{0}/compose.yaml".format(release["id"])
    assert {path: item["content"] for path, item in release["files"].items() if path not in own_files(release)} == {
        "/opt/stacks/shop/files/{0}/a.conf".format(short["a"]): "a\n",
        "/opt/stacks/shop/files/{0}/b.conf".format(short["b"]): "ü",
    }
    modes = {path.rpartition("/")[2]: item["mode"] for path, item in release["files"].items()}
    assert modes == {"compose.yaml": "0644", "release.json": "0600", "a.conf": "0644", "b.conf": "0644"}
    mounted = {item["file"] for item in release["definition"]["configs"].values()}
    assert mounted == set(release["files"]) - own_files(release)


def test_the_compose_file_says_whose_it_is():
    release = release_files(STACK, "/srv/shop", {"key": 1})
    lines = release["files"][release["compose_file"]]["content"].splitlines()
    assert lines[0].startswith("# Stack shop")
    assert "docker compose -f /srv/shop/current/compose.yaml ps" in lines[1]
    assert lines[2:4] == ["", "name: shop"]


@pytest.mark.parametrize(
    "changed",
    [
        (dict(STACK, configs=dict(STACK["configs"], **{"a.conf": {"content": "other"}})), None, {"key": 1}),
        (STACK, None, {"key": 2}),
        (STACK, "/srv/shop", {"key": 1}),
        (STACK, None, {"key": 1}, {"nginx": PIN}),
        (dict(STACK, checks=[{"name": "a", "url": "http://127.0.0.1/"}]), None, {"key": 1}),
        (dict(STACK, steps=[{"name": "a", "service": "web", "command": "true", "before": "activate"}]), None, {"key": 1}),
        (dict(STACK, services={"web": dict(STACK["services"]["web"], image="nginx:2")}), None, {"key": 1}),
    ],
)
def test_the_id_is_of_the_content(changed):
    assert release_files(*changed)["id"] != release_files(STACK, None, {"key": 1})["id"]


def test_what_does_not_run_is_no_part_of_the_id():
    configs = dict(STACK["configs"], **{"c.conf": {"content": "other"}})
    other = release_files(dict(STACK, configs=configs), None, {"key": 1, "other": 8})
    assert other == release_files(STACK, None, {"key": 1})


def test_the_record_holds_what_bringing_it_back_takes():
    step = {"name": "migrate", "service": "web", "command": "manage migrate", "before": "activate"}
    check = {"name": "a", "url": "http://127.0.0.1/"}
    release = release_files(dict(STACK, steps=[step], checks=[check]), None, {"key": 4, "other": 2}, {"nginx": PIN, "x": "sha256:0"})
    kept = record(release)
    assert kept["images"] == {"nginx": PIN}, "what does not run is no part of it"
    assert kept["secrets"] == {"key": 4}
    assert kept["checks"] == [check]
    assert kept["steps"] == release["steps"] and kept["steps"][0]["command"] == ["manage", "migrate"]
    assert kept["definition"]["services"]["web"]["image"] == PIN
    assert release["id"] not in json.dumps(kept), "the name is the digest of it"


def test_the_record_holds_what_images_are_known_for_and_what_is_visible():
    variables = {"web": {"KEY": "key", "B": {"secret": "key", "visible": True}, "A": {"secret": "key", "visible": True}}, "off": {"KEY": "other"}}
    facts = {"web": {"image": PIN, "user": "", "entrypoint": ["/entry"]}, "off": {"image": "x"}, "gone": {}}
    release = release_files(dict(STACK, secret_environment=variables), None, {"key": 1}, {"nginx": PIN}, facts)
    kept = record(release)
    assert kept["image_facts"] == {"web": facts["web"]}
    assert kept["visible"] == {"web": ["A", "B"]}
    assert kept["secrets"] == {"key": 1}
    assert kept["definition"]["services"]["web"]["entrypoint"][-2:] == ["--", "/entry"]
    (wrapper,) = [path for path in kept["files"] if path.endswith("/_environment")]
    assert release["files"][wrapper]["content"].endswith('exec "$@"\n')


def test_the_checks_of_the_record_have_the_types_that_they_are_made_with():
    check = {"name": "a", "url": "http://127.0.0.1/", "status": "302", "timeout": "5", "interval": 1, "body": None, "headers": {"X-Depth": 3, "X-No": None}}
    declared = dict(STACK, checks=[check, {"name": "b", "url": "http://127.0.0.1/b", "body": "ok"}])
    assert stack_problems([declared], {"shop": list(SECRETS) + ["key", "other"]}) == stack_problems([STACK], {"shop": list(SECRETS) + ["key", "other"]})
    assert record(release_files(declared, None, {"key": 1}))["checks"] == [
        {"name": "a", "url": "http://127.0.0.1/", "status": 302, "timeout": 5.0, "interval": 1.0, "headers": {"X-Depth": "3"}},
        {"name": "b", "url": "http://127.0.0.1/b", "body": "ok"},
    ]


def test_the_declarations_digest_is_the_same_on_every_machine():
    here = release_files(STACK, None, {"key": 1})
    there = release_files(STACK, "/srv/shop", {"key": 7}, {"nginx": PIN})
    assert here["id"] != there["id"]
    assert here["declaration_digest"] == there["declaration_digest"]
    configs = dict(STACK["configs"], **{"a.conf": {"content": "other"}})
    assert release_files(dict(STACK, configs=configs), None, {"key": 1})["declaration_digest"] != here["declaration_digest"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(STACKS)
def test_the_compose_file_is_the_definition_and_every_mount_is_written(declared):
    assume(not stack_problems([declared], {"shop": list(SECRETS)}))
    release = release_files(declared, None, VERSIONS)
    assert release_files(declared, None, VERSIONS) == release
    assert yaml.safe_load(release["files"][release["compose_file"]]["content"]) == release["definition"]
    mounted = {item["file"] for item in release["definition"].get("configs", {}).values()}
    assert mounted == set(release["files"]) - own_files(release) == set(record(release)["files"])
    assert record(release)["definition"] == release["definition"]
    secrets = secret_files_options(declared)
    for entry in release["definition"].get("secrets", {}).values():
        name, _slash, version = entry["file"].rpartition("secrets/")[2].partition("/")
        owners = ["3-{uid}-{gid}-{mode}".format(**owner) for owner in secrets[name]["files"]]
        assert version.replace("3", "3-0-0-0400", 1) in owners if version == "3" else version in owners


# -- edges ---------------------------------------------------------------------------------------------------------


def below_home(release):
    """The files of the release's own directory, without the path to it."""
    home = release["compose_file"].rpartition("/")[0]
    return {path[len(home) + 1 :]: item for path, item in release["files"].items() if path in own_files(release)}


@EVERY
def test_the_files_of_an_edge_are_a_record_beside_the_compose_file(kind, tunnel):
    declared = edge_stack(kind, tunnel)
    release = release_files(declared, "/srv/shop", VERSIONS_OF_EDGE)
    files = edge_files(declared)
    assert {path: item for path, item in below_home(release).items() if path.startswith("edge/")} == {
        path: {"content": content, "mode": "0644"} for path, content in files.items()
    }
    assert set(below_home(release)) == {"compose.yaml", "release.json", *files}
    assert record(release)["edge"] == {"files": sorted(files)}
    keys = {"one_key": 3, "two_key": 4} if kind == "files" else {}
    assert record(release)["secrets"] == {**keys, **({"tunnel": 5} if tunnel else {}), "other": 6}
    assert release["definition"]["x-portside"]["edge"] == edge_record(declared, VERSIONS_OF_EDGE)
    assert release["acme"] == kind.startswith("acme")


@EVERY
def test_the_programs_of_the_edge_are_given_what_they_would_be_started_with(kind, tunnel):
    declared = edge_stack(kind, tunnel)
    release = release_files(declared, None, VERSIONS_OF_EDGE, {"nginx:1.28": PIN})
    needed = {"none": [], "self_signed": ["self-signed.pem"], "files": ["0.pem", "1.pem"]}.get(kind, ["acme.pem"])
    configs = {"nginx.conf": nginx_config(declared)}
    if kind.startswith("acme"):
        configs["challenge.conf"] = nginx_config(declared, challenge=True)
    pairs = [("0.pem", "one.example.com", "one_key", 3), ("1.pem", "two.example.com", "two_key", 4)] if kind == "files" else []
    brought = [{"file": file, "certificate": chain(host).strip() + "\n", "secret": key, "version": version} for file, host, key, version in pairs]
    front = {"service": "edge", "kind": "nginx", "files": configs, "brought": brought, "image": PIN}
    expected = [{**front, "certificates": ["certificates/" + name for name in needed]}]
    if tunnel:
        image = release["definition"]["services"]["tunnel"]["image"]
        configs = {"config.yml": tunnel_config(declared)}
        expected.append({"service": "tunnel", "kind": "cloudflared", "files": configs, "certificates": [], "brought": [], "image": image})
    assert release["edges"] == expected


def test_a_tunnel_without_nginx_is_judged_as_well():
    declared = {**edge_stack("none", True), "edge": {"kind": "cloudflared", "tunnel": TUNNEL, "credentials": "tunnel"}}
    declared["routes"] = declared["routes"][:1]
    release = release_files(declared, None, VERSIONS_OF_EDGE)
    (found,) = release["edges"]
    assert (found["service"], found["kind"], found["files"]) == ("edge", "cloudflared", {"config.yml": tunnel_config(declared)})
    assert set(below_home(release)) == {"compose.yaml", "release.json"} and "edge" not in record(release)


def test_the_facts_of_the_image_are_those_that_the_edge_is_made_for():
    facts = {"edge": {"image": PIN, "user": "", "nginx": "1.22.1", "openssl": "3.0.2"}}
    release = release_files(edge_stack("self_signed"), None, VERSIONS_OF_EDGE, {"nginx:1.28": PIN}, facts)
    text = below_home(release)["edge/nginx.conf"]["content"]
    assert text == nginx_config(edge_stack("self_signed"), facts["edge"]) == release["edges"][0]["files"]["nginx.conf"]
    assert "listen 443 ssl http2;" in text
    assert record(release)["image_facts"] == facts
    assert release["definition"]["x-portside"]["edge"]["config"] == config_digest_of(text)


def test_a_certificate_that_was_renewed_makes_another_release():
    old, new = edge_stack("files"), edge_stack("files")
    new["edge"]["tls"]["certificates"][0] = {"certificate": certificate("one.example.com")[1], "key": "one_key"}
    old, new = (release_files(one, None, VERSIONS_OF_EDGE) for one in (old, new))
    # For the same names: nothing but the file tells them apart.
    assert old["definition"] == new["definition"]
    assert old["id"] != new["id"]


def test_the_version_of_a_key_makes_another_release():
    assert release_files(edge_stack("files"), None, dict(VERSIONS_OF_EDGE, one_key=9))["id"] != release_files(edge_stack("files"), None, VERSIONS_OF_EDGE)["id"]


def test_a_long_list_of_routes_is_read_a_few_times():
    declared = edge_stack("self_signed")
    declared["routes"] = [{"host": "one.example.com", "prefix": "/{0}".format(number), "service": "api", "port": 8000} for number in range(60)]
    read = []

    def seen(frame, event, _argument):
        if event == "call" and frame.f_code is parse_routes.__code__:
            read.append(frame)

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        release_files(declared, None, VERSIONS_OF_EDGE)
    finally:
        sys.setprofile(before)
    assert 1 <= len(read) <= 30, "not once for each route"
