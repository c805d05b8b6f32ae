# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _graph
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from hypothesis import given
from hypothesis import strategies as st

NAMES = "abcdefg"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES + "z"), unique=True))
ACYCLIC = st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9))).map(
    lambda graph: {str(name): [str(need) for need in needs if need < name] for name, needs in graph.items()}
)


def shuffled(graph):
    items = [(name, random.Random(1).sample(list(needs), len(needs))) for name, needs in graph.items()]
    return dict(reversed(items))


def reaches_itself(graph):
    closure = {name: {need for need in needs if need in graph} for name, needs in graph.items()}
    for middle in closure:
        for name in closure:
            if middle in closure[name]:
                closure[name] |= closure[middle]
    return {name for name in closure if name in closure[name]}


def test_the_path_of_a_cycle_starts_and_ends_with_the_same_name():
    assert _graph.find_cycle({"c": ["a"], "b": ["c", "x"], "a": ["b"], "d": ["a"]}) == ["a", "b", "c", "a"]


def test_a_name_that_needs_itself_is_a_cycle():
    assert _graph.find_cycle({"a": ["a"]}) == ["a", "a"]


def test_what_is_reached_by_two_ways_is_no_cycle():
    assert _graph.find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []


def test_waves():
    graph = {"api": ["db", "cache"], "db": [], "cache": ["elsewhere"], "edge": ["api", "db"]}
    assert _graph.waves(graph) == [["cache", "db"], ["api"], ["edge"]]
    assert _graph.topological_order(graph) == ["cache", "db", "api", "edge"]


def test_waves_of_a_cycle_are_refused_with_its_path():
    with pytest.raises(StackError, match="a -> b -> a"):
        _graph.waves({"a": ["b"], "b": ["a"], "c": []})


def test_a_long_chain_needs_no_recursion():
    chain = {str(number): [str(number + 1)] for number in range(5000)}
    assert _graph.find_cycle(chain) == []


@given(GRAPHS)
def test_a_cycle_is_found_exactly_when_there_is_one_and_is_one(graph):
    cycle = _graph.find_cycle(graph)
    assert bool(cycle) == bool(reaches_itself(graph))
    assert all(later in graph[earlier] for earlier, later in zip(cycle, cycle[1:]))
    assert cycle[:1] == cycle[-1:]
    assert len(set(cycle)) == max(0, len(cycle) - 1)


@given(GRAPHS)
def test_the_order_of_writing_does_not_matter(graph):
    assert _graph.find_cycle(shuffled(graph)) == _graph.find_cycle(graph)


@given(ACYCLIC)
def test_each_wave_needs_only_earlier_ones_and_no_name_waits_longer_than_it_must(graph):
    waves = _graph.waves(graph)
    assert sorted(name for wave in waves for name in wave) == sorted(graph)
    at = {name: number for number, wave in enumerate(waves) for name in wave}
    for name, needs in graph.items():
        assert at[name] == max([at[need] + 1 for need in needs if need in graph], default=0)
