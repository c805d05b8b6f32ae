# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import ANYTHING
from hypothesis import given
from hypothesis import strategies as st


def stack(required, environment=None, secret_environment=None, secrets=None, **service):
    api = {"image": "nginx", "environment": environment or {}, **service}
    return {
        "name": "shop",
        "services": {"api": api, "your-marketer": {"image": "nginx"}},
        "required_environment": {"api": required},
        "secret_environment": secret_environment,
        "secrets": {"key": {"generate": 32}, **(secrets or {})},
    }


def problems(*args, **kwargs):
    return stack_problems([stack(*args, **kwargs)])


def test_groups_are_named_and_everything_is_told_at_once():
    found = problems({"core": ["DEBUG", "SECRET|SIGNING_KEY"], "redis": ["REDIS_URL"]}, {"DEBUG": " "})
    assert len(found) == 3
    assert "key 'environment.DEBUG': DEBUG is empty" in found[0]
    assert "group 'core'" in found[0]
    assert "SECRET or SIGNING_KEY is missing" in found[1]
    assert "SECRET_FILE" in found[1]
    assert "secret_environment" in found[1]
    assert "REDIS_URL is missing" in found[2]
    assert "group 'redis'" in found[2]


@pytest.mark.parametrize(
    "variables",
    [
        {"environment": {"KEY": "q7Zr9Kx2"}},
        {"environment": {"KEY": 1}},
        {"environment": ["KEY=a=b"]},
        {"environment": {"KEY_FILE": "/run/secrets/key"}, "secrets_of": ["key"]},
        {"environment": {"KEY__FILE": "/run/secrets/key"}},
        {"secret_environment": {"api": {"KEY": "key"}}},
        {"secret_environment": {"api": {"KEY": {"secret": "key", "visible": True}}}},
        {"environment": {"OTHER": "changeme", "KEY2": "q7Zr9Kx2"}},
        {"environment": {"KEY": "changeme", "KEY2": "q7Zr9Kx2"}},
        {"environment": {"KEY": "your-marketer"}},
    ],
)
def test_what_counts_as_given(variables):
    variables = dict(variables)
    if "secrets_of" in variables:
        variables["secrets"] = {}
        variables.pop("secrets_of")
    assert problems(["KEY|KEY2"], **variables) == []


@pytest.mark.parametrize(
    "variables, words",
    [
        ({"environment": {"KEY": "CHANGE_ME"}}, ["key 'environment.KEY'", "template"]),
        ({"environment": {"KEY_FILE": ""}}, ["key 'environment.KEY_FILE'", "KEY is empty"]),
        ({"environment": {"KEY": "postgres://postgres:postgres@db/x"}}, ["key 'environment.KEY'", "nobody chose"]),
        (
            {"secret_environment": {"api": {"KEY": "url"}}, "secrets": {"url": {"template": "amqp://guest:changeme@{key}"}}},
            ["key 'secret_environment.KEY'", "nobody chose"],
        ),
    ],
)
def test_a_value_that_nobody_chose_is_refused_and_not_shown(variables, words):
    (problem,) = problems({"core": ["KEY"]}, **variables)
    for word in [*words, "service 'api'", "group 'core'", "KEY "]:
        assert word in problem
    for value in ("CHANGE_ME", "postgres:", "changeme"):
        assert value not in problem


@pytest.mark.parametrize("name, refused", [("DB_PASSWORD", True), ("DB_USER", False), ("DB_NAME", False), ("API_TOKEN", True)])
def test_a_common_word_is_too_little_for_a_credential_only(name, refused):
    assert bool(problems([name], {name: "admin"})) is refused


@pytest.mark.parametrize("required, words", [("A", ["required_environment", "not a list"]), ({"core": "A"}, ["required_environment.core", "'A'"])])
def test_wrong_shapes(required, words):
    (problem,) = problems(required)
    for word in words:
        assert word in problem


@given(ANYTHING, ANYTHING, ANYTHING, st.sampled_from(["production", None]))
def test_anything_is_borne(required, environment, secret_environment, kind):
    declared = stack(required, environment, {"api": secret_environment})
    declared["environment"] = kind
    assert all(isinstance(problem, str) for problem in stack_problems([declared]))
