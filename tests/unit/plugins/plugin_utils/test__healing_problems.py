# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from hypothesis import given
from hypothesis import strategies as st

CHECK = {"test": ["CMD", "true"]}
SERVICES = {
    "api": {"image": "example/api:1", "healthcheck": CHECK},
    "tuned": {"image": "example/tuned:1", "healthcheck": {"interval": "30s"}},
    "plain": {"image": "example/plain:1"},
    "migrate": {"image": "example/api:1", "restart": "no", "healthcheck": CHECK},
    "sidecar": {"image": "example/sidecar:1", "network_mode": "service:api", "healthcheck": CHECK},
}


def problems(healing):
    return stack_problems([{"name": "shop", "services": SERVICES, "self_healing": healing}])


@pytest.mark.parametrize(
    "healing", [{}, {"enabled": False}, {"except": ["api", "tuned"], "attempts": 3}, {"except": ["api", "sidecar"]}, {"except": None, "attempts": None}]
)
def test_what_is_right_has_no_problem(healing):
    assert problems(healing) == []


@pytest.mark.parametrize(
    "healing, key, words",
    [
        ({"excepts": []}, "self_healing", "did you mean 'except'?"),
        ({"enabled": "no"}, "self_healing.enabled", "value 'no' is not true or false."),
        ({"attempts": 0}, "self_healing.attempts", "value 0 is not a number from 1 to 100; leave it out for 5."),
        ({"attempts": True}, "self_healing.attempts", "value true is not a number from 1 to 100"),
        ({"except": "api"}, "self_healing.except", "value 'api' is not a list; write [NAME, ...]."),
        ({"except": ["apy"]}, "self_healing.except", "'apy' is not a service of the stack; did you mean 'api'?"),
        ({"except": [7]}, "self_healing.except", "7 is not a service of the stack; remove it."),
        ({"except": ["plain"]}, "self_healing.except", "service 'plain' declares no healthcheck, so there is nothing to except it from; remove it"),
        ({"except": ["migrate"]}, "self_healing.except", "service 'migrate' runs once and ends, so it is never restarted; remove it."),
        ({"except": ["sidecar"]}, "self_healing.except", "service 'sidecar' has the network of 'api', and would be cut off when that is restarted"),
    ],
)
def test_each_problem_names_key_value_and_remedy(healing, key, words):
    (problem,) = problems(healing)
    assert problem.startswith("stack 'shop', key '{0}': ".format(key)) and words in problem


def test_what_is_said_is_in_the_release_and_makes_no_new_container():
    declared = {"name": "shop", "services": SERVICES}
    healing = {"except": ["api"], "attempts": 3}
    before, after = compose_document(declared), compose_document({**declared, "self_healing": healing})
    assert after["x-portside"]["self_healing"] == healing
    assert "self_healing" not in before["x-portside"]
    assert before["services"] == after["services"]


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["api", "sidecar"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["enabled", "except", "attempts", "x"]), inner)),
    max_leaves=6,
)


@given(ANYTHING)
def test_anything_is_borne(healing):
    assert all(problem.startswith("stack 'shop'") for problem in problems(healing))
