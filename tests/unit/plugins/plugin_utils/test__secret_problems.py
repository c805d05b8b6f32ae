# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems

SERVICES = {
    "db": {"image": "postgres:17"},
    "api": {"image": "x", "secrets": ["url"]},
    "off": {"image": "x", "profiles": ["later"]},
}
LOGIN = {"service": "db", "role": "shop"}


def problems(names=None, services=None, external=None, **secrets):
    stack = {"name": "shop", "services": services or SERVICES, "secrets": {"url": {"generate": 32}, **secrets}}
    if external:
        stack["external"] = external
    return stack_problems([stack], names)


@pytest.mark.parametrize(
    "secrets",
    [
        {"url": {"template": "x://{app:login}:{app}@db"}, "app": {"generate": 32, "login": LOGIN}},
        {"url": {"template": "{pw:json}"}, "pw": None},
        {"url": None, "unused": {}, "also": {"template": "x{unused}"}},
    ],
)
def test_good_ones(secrets):
    assert problems(**secrets) == []


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ({"template": "{pw}", "generate": 32}, ["template", "generate says nothing"]),
        ({"template": "{pw}", "login": LOGIN}, ["template", "login says nothing"]),
        ({"template": "{urls}"}, ["'urls' is no declared secret", "did you mean 'url'?"]),
        ({"template": "x://{ pw }"}, ["names no secret", "{NAME}"]),
        ({"template": ["{pw}"]}, ["template must be a text"]),
        ({"templates": "{pw}"}, ["'templates' is not a key", "did you mean 'template'?"]),
        ({"value": "hunter2"}, ["'value' is not a key", "stack_secrets"]),
        ({"generate": 15}, ["generate 15", "16 to 4096"]),
        ({"generate": 32, "login": "shop"}, ["login 'shop'", "{service: SERVICE, role: ROLE}"]),
        ({"generate": 32, "login": {"service": "dbs", "role": "shop"}}, ["'dbs'", "did you mean 'db'?"]),
        ({"generate": 32, "login": {"service": "off", "role": "shop"}}, ["'off' does not run", "profile"]),
        ({"generate": 32, "login": {"role": "shop"}}, ["not a service of this stack", "PostgreSQL server"]),
        ({"generate": 32, "login": {"service": ["db"], "role": "shop"}}, ["['db']", "not a service of this stack"]),
        ({"generate": 32, "login": {"service": "db", "role": "Shop"}}, ["role 'Shop'", "a-z"]),
        ({"generate": 32, "login": {"service": "db", "role": "x" * 42}}, ["at most 41"]),
        ({"generate": 32, "login": {**LOGIN, "rolle": "x"}}, ["'rolle'", "did you mean 'role'?"]),
    ],
)
def test_each_problem_names_its_place_and_the_remedy(secret, expected):
    found = problems(pw={"generate": 32}, bad=secret)
    assert len(found) == 1, found
    assert found[0].startswith("stack 'shop', key 'secrets.bad")
    assert all(part in found[0] for part in expected), found[0]
    assert "hunter2" not in found[0]


def test_a_value_is_asked_for_where_it_is_needed():
    services = {**SERVICES, "more": {"image": "x", "secrets": ["direct"]}}
    secrets = {
        "url": {"template": "x://{part}@y"},
        "part": {},
        "direct": {},
        "unused": {},
        "app": {"login": LOGIN},
        "outside": {"template": "x://{outer}@y"},
        "outer": {},
    }
    external = {"database": {"kind": "postgresql", "secret": "outside"}}
    found = [one for one in problems({"shop": []}, services, external, **secrets) if "it has no value" in one]
    names = ["app", "direct", "outer", "part"]
    assert sorted(found) == [one for one in sorted(found) for name in names if "'secrets.%s'" % name in one]
    assert len(found) == len(names)
    assert not [one for one in problems({"shop": names}, services, external, **secrets) if "no value" in one]


def test_values_that_belong_to_nothing_are_refused():
    found = problems({"shop": ["pw", "url", "ulr", "else"]}, url={"template": "{pw}"}, pw={})
    assert len(found) == 3
    assert "key 'secrets.url': it is composed from other secrets, and stack_secrets has a value for it" in found[0]
    assert "'ulr', which is not declared; did you mean 'url'?" in found[1] and "'else', which is not declared" in found[2]
