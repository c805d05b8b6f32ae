# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._stack_merge import stack_merge

STACKS = [
    {"name": "a", "services": {"web": {"image": "x", "ports": [1, 2], "environment": {"A": "1", "B": "2"}}}},
    {"name": "b", "services": {}},
]


def test_mappings_are_merged_and_all_else_is_replaced():
    override = {"services": {"web": {"ports": [3], "environment": {"B": "3"}}, "job": {"image": "y"}}, "profiles": ["p"]}
    assert stack_merge(STACKS, {"a": override}) == [
        {
            "name": "a",
            "services": {
                "web": {"image": "x", "ports": [3], "environment": {"A": "1", "B": "3"}},
                "job": {"image": "y"},
            },
            "profiles": ["p"],
        },
        STACKS[1],
    ]
    assert STACKS[0]["services"]["web"]["ports"] == [1, 2]


@pytest.mark.parametrize("overrides", [None, {}])
def test_nothing_to_merge(overrides):
    assert stack_merge(STACKS, overrides) == STACKS


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"shop": {}}, "key 'shop': no stack of that name is declared; declared are: a, b"),
        ({"a": ["x"]}, "key 'a': must be a mapping"),
        ({"a": {"name": "c"}}, "key 'a': a stack cannot be renamed"),
        ([{"name": "a"}], "stack_overrides: must be a mapping"),
    ],
)
def test_overrides_of_nothing_are_refused(overrides, words):
    with pytest.raises(StackError) as error:
        stack_merge(STACKS, overrides)
    assert words in str(error.value)
