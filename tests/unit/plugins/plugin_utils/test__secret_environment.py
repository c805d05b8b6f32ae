# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import (
    Variable,
    secret_environment,
    secret_environment_problems,
)
from ansible_collections.portside.stack.plugins.plugin_utils._stack_model import mapping, services_of
from declarations import ANYTHING
from hypothesis import given
from hypothesis import strategies as st


def stack(variables, **service):
    return {
        "name": "shop",
        "services": {"api": dict({"image": "x"}, **service), "web": {"image": "y"}},
        "secrets": {"url": {}, "key": None},
        "secret_environment": {"api": variables},
    }


def problems(declared):
    found = []
    declared = mapping(declared)
    secret_environment_problems(Report(declared.get("name"), found), declared, services_of(declared))
    return found


def test_the_variables_of_a_service():
    declared = stack({"A": "url", "B": {"secret": "key", "uid": "70", "gid": 0}, "C": {"secret": "key", "visible": True}})
    assert secret_environment(declared, "api") == [
        Variable("A", "url"),
        Variable("B", "key", 70, 0),
        Variable("C", "key", visible=True),
    ]
    assert secret_environment(declared, "web") == []


@pytest.mark.parametrize(
    "declared",
    [
        stack({"A": "url", "B": "url", "C": {"secret": "key", "visible": True}}),
        stack({"A": {"secret": "url", "uid": 70}, "B": "url"}),
        stack({"A": "url"}, secrets=["url"], environment={"A_FILES": "x"}),
        stack({"A": "url"}, secrets=[{"source": "key", "target": "/run/other"}]),
        stack({"A": {"secret": "url", "visible": True}}, environment={"a.b": "x"}, command="a (b)"),
        stack(None),
    ],
)
def test_what_is_well(declared):
    assert problems(declared) == []


# What is wrong -> the declaration, and the words its one problem must have.
BAD = {
    "unknown service": (dict(stack(None), secret_environment={"apo": {}}), ["'apo'", "did you mean 'api'"]),
    "a list": (stack(["A"]), ["not a mapping", "VARIABLE: SECRET"]),
    "unknown secret": (stack({"A": "urls"}), ["'secret_environment.A'", "'urls'", "did you mean 'url'"]),
    "no secret": (stack({"A": {"uid": 1}}), ["names no secret"]),
    "a number": (stack({"A": 5}), ["names no secret"]),
    "unknown key": (stack({"A": {"secret": "url", "visble": True}}), ["'visble'", "did you mean 'visible'"]),
    "name with a dash": (stack({"A-B": "url"}), ["'A-B' is not the name of a variable"]),
    "name of the shell's": (stack({"IFS": "url"}), ["a shell uses IFS itself"]),
    "uid a name": (stack({"A": {"secret": "url", "uid": "app"}}), ["uid 'app' is not a number"]),
    "visible a text": (stack({"A": {"secret": "url", "visible": "yes"}}), ["visible 'yes' is not true or false"]),
    "visible with an owner": (stack({"A": {"secret": "url", "visible": True, "uid": 0}}), ["a visible variable is no file"]),
    "set twice": (stack({"A": "url"}, environment=["A=b"]), ["'secret_environment.A'", "`environment` sets A as well"]),
    "with _FILE": (stack({"A": "url"}, environment={"A_FILE": "/x"}), ["A_FILE is set as well", "refuse both"]),
    "both with _FILE": (stack({"A": "url", "A_FILE": "key"}), ["A_FILE is set as well"]),
    "two owners": (stack({"A": {"secret": "url", "uid": 1}, "B": {"secret": "url", "uid": 2}}), ["several owners"]),
    "owner of a mount": (stack({"A": {"secret": "url", "uid": 1}}, secrets=["url"]), ["`secrets` mounts 'url' already"]),
    "another mount there": (stack({"A": "url"}, secrets=[{"source": "key", "target": "url"}]), ["mounts another one at /run/secrets/url"]),
    "a name no shell passes on": (stack({"A": "url"}, environment={"a.b": "x"}), ["'environment.a.b'", "visible: true"]),
    "a text Compose refuses": (stack({"A": "url"}, command="a (b)"), ["key 'command'", "cannot split", "list"]),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_once(name):
    declared, words = BAD[name]
    found = problems(declared)
    assert len(found) == 1, found
    assert found[0].startswith("stack 'shop'")
    for word in words:
        assert word in found[0]


ENTRIES = st.fixed_dictionaries({"secret": st.sampled_from(["url", 1])}, optional={"uid": ANYTHING, "gid": ANYTHING, "visible": ANYTHING})

VARIABLES = st.one_of(ANYTHING, st.dictionaries(st.text(max_size=3), st.one_of(ENTRIES, ANYTHING)))


@given(
    st.one_of(ANYTHING, st.dictionaries(st.sampled_from(["api", "web"]), VARIABLES)),
    st.one_of(ANYTHING, st.dictionaries(st.sampled_from(["environment", "secrets", "command"]), ANYTHING)),
)
def test_it_bears_anything(given_variables, service):
    declared = dict(stack(None), secret_environment=given_variables, services={"api": service})
    problems(declared)
    assert all(isinstance(one, Variable) for one in secret_environment(mapping(declared), "api"))
