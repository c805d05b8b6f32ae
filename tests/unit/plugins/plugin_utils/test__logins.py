# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.portside.stack.plugins.module_utils._login_roles import login_of
from ansible_collections.portside.stack.plugins.plugin_utils._logins import normalised_logins
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import declaration_digest, release_files


def secret(service="db", role="shop"):
    return {"generate": 32, "login": {"service": service, "role": role}}


def stack(**secrets):
    services = {"api": {"image": "example/api:1"}, "db": {"image": "postgres:17"}}
    return {"name": "shop", "services": services, "secrets": secrets}


def test_a_release_records_the_version_that_each_login_is_for():
    declared = stack(b=secret(role="worker"), a=secret(), other={"generate": 32}, later=secret(role="later"))
    found = normalised_logins(declared, {"a": 3, "b": 1, "other": 2})
    assert found == [
        {"secret": "a", "version": 3, "service": "db", "role": "shop"},
        {"secret": "b", "version": 1, "service": "db", "role": "worker"},
    ]
    assert [login_of(one).name for one in found] == ["a_v3", "b_v1"]
    release = release_files(declared, secret_versions={"a": 3, "b": 1})
    (record,) = [json.loads(file["content"]) for path, file in release["files"].items() if path.endswith("release.json")]
    assert release["logins"] == record["logins"] == found


def test_another_version_is_another_release_of_the_same_declaration():
    first, second = (release_files(stack(a=secret()), secret_versions={"a": version}) for version in (1, 2))
    assert first["id"] != second["id"]
    assert first["declaration_digest"] == second["declaration_digest"]
    assert declaration_digest(stack(a=secret())) != declaration_digest(stack(a=secret(role="other")))


@pytest.mark.parametrize("declared", [None, {}, {"secrets": 3}, {"secrets": {"a": None, "b": {"login": 3}}}])
def test_without_a_login_there_are_none(declared):
    assert normalised_logins(declared, {"a": 1, "b": 1}) == []
