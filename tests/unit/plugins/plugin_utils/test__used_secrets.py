# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import (
    idle_secrets,
    secret_files_options,
    used_secrets,
)
from declarations import STACKS
from edge_stacks import EVERY, edge_stack
from hypothesis import given

ROOT = {"uid": 0, "gid": 0, "mode": "0400"}
STACK = {
    "name": "shop",
    "services": {
        "web": {"image": "nginx", "secrets": ["key"]},
        "off": {"image": "x", "profiles": ["later"], "secrets": ["other"]},
    },
    "secrets": {
        "key": {"generate": 32},
        "other": {"generate": 64},
        "unused": {"generate": None},
        "part": {},
        "url": {"template": "x://{part}:{app:login}@y"},
        "app": {"generate": 32, "login": {"service": "web", "role": "shop"}},
    },
}


def test_all_who_read_a_secret_have_their_file():
    reader = {"source": "key", "uid": "70", "mode": "440"}
    services = {
        "a": {"image": "x", "secrets": ["key", "other"]},
        "b": {"image": "x", "secrets": [reader, {"source": "key", "uid": None}]},
        "c": {"image": "x", "secrets": [reader]},
    }
    secrets = {"key": {"generate": 32}, "other": {}}
    assert secret_files_options({"name": "shop", "services": services, "secrets": secrets}) == {
        "key": {"generate": 32, "files": [ROOT, {"uid": 70, "gid": 0, "mode": "0440"}]},
        "other": {"files": [ROOT]},
    }


def test_those_of_running_services_the_logins_and_the_parts_are_needed():
    assert secret_files_options(STACK) == {
        "key": {"generate": 32, "files": [ROOT]},
        "app": {"generate": 32, "login": {"service": "web", "role": "shop"}, "files": []},
    }
    used = dict(STACK, secret_environment={"web": {"URL": "url"}, "off": {"X": "unused"}})
    assert used_secrets(used) == {"key", "app", "url", "part"}
    assert secret_files_options(used)["part"] == {"files": []}
    assert secret_files_options(used)["url"]["template"] == "x://{part}:{app:login}@y"


def test_variables_have_the_files_of_their_containers_user_and_visible_ones_a_line():
    variables = {"URL": "url", "APP": {"secret": "app", "uid": 7, "gid": 8}, "KEY": {"secret": "key", "visible": True}}
    found = secret_files_options(dict(STACK, secret_environment={"web": variables}), {"web": {"uid": 10, "gid": 11}})
    assert found["url"]["files"] == [{"uid": 10, "gid": 11, "mode": "0400"}]
    assert found["app"]["files"] == [{"uid": 7, "gid": 8, "mode": "0400"}]
    assert found["key"]["files"] == [ROOT, {**ROOT, "variable": "KEY"}]


def test_what_only_the_host_knows_is_idle_while_nothing_uses_it():
    assert idle_secrets(STACK) == ["other"]
    assert idle_secrets(dict(STACK, profiles=["later"])) == []


@EVERY
def test_the_keys_of_certificates_are_used_and_are_roots(kind, tunnel):
    declared = edge_stack(kind, tunnel)
    assert used_secrets(declared) == set(declared["secrets"])
    # cloudflared's user has no shell, and a number of its own.
    readers = {"other": [ROOT], "tunnel": [{"uid": 65532, "gid": 65532, "mode": "0400"}], "one_key": [ROOT], "two_key": [ROOT]}
    assert secret_files_options(declared) == {name: {"files": readers[name]} for name in declared["secrets"]}


def test_a_key_is_roots_whoever_reads_it_beside():
    declared = edge_stack("files")
    declared["services"]["api"]["secrets"] = [{"source": "one_key", "uid": 70}, "other"]
    assert secret_files_options(declared)["one_key"]["files"] == [ROOT, {**ROOT, "uid": 70}]


def test_a_key_of_no_certificate_is_idle():
    declared = edge_stack("files")
    declared["secrets"]["three_key"] = {"generate": 32}
    assert idle_secrets(declared) == ["three_key"]
    declared["secrets"]["one_key"] = {"generate": 32}
    assert idle_secrets(declared) == ["three_key"]


@given(STACKS)
def test_each_secret_of_a_stack_is_used_idle_or_has_its_value_elsewhere(stack):
    used, idle = used_secrets(stack), set(idle_secrets(stack))
    assert not used & idle
    assert set(secret_files_options(stack)) == used
    for name, secret in stack.get("secrets", {}).items():
        assert name in used | idle or not (secret or {}).get("generate")


def test_the_password_of_a_check_is_on_the_host_in_the_version_of_the_release():
    stack = {**STACK, "checks": [{"name": "redis", "redis": "web", "password_secret": "unused"}]}
    assert used_secrets(stack) - used_secrets(STACK) == {"unused"} and "unused" not in idle_secrets(stack)
    assert secret_files_options(stack)["unused"]["files"] == []
