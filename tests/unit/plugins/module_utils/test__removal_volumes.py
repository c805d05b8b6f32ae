# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._removal_volumes import StackVolumes
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import names_of, own_names
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.sampled_from(["data", "media", "shop_data", "blog"])
NAMES = st.sampled_from(["data", "media", "shop_data", "shop_media", "shop_shop_data", "blog_data", "kept"])
VOLUMES = st.dictionaries(NAMES, st.builds(lambda stack: {"Labels": stack and {"portside.stack": stack}}, st.sampled_from([None, "shop", "blog"])))
DEFINITIONS = st.lists(
    st.builds(
        lambda volumes, own: {
            "volumes": {key: {"name": name, "external": True} for key, name in volumes.items()},
            "x-portside": {"volumes": {name: {} for name in volumes.values() if name in own}},
        },
        st.dictionaries(KEYS, NAMES, max_size=3),
        st.sets(NAMES),
    ),
    max_size=2,
)


@given(DEFINITIONS, VOLUMES, st.lists(st.one_of(KEYS, NAMES, st.text(max_size=5)), max_size=4), st.sets(NAMES, max_size=1))
def test_whatever_is_asked_for_only_the_stacks_own_is_chosen_and_nothing_is_passed_over(definitions, there, wanted, gone):
    own = {name for definition in definitions for name in definition["x-portside"]["volumes"]}
    own |= {name for name, volume in there.items() if (volume["Labels"] or {}).get("portside.stack") == "shop"}
    current, others = (definitions[0], definitions[1:]) if definitions else ({}, [])
    # What is external now is not its own, whoever made it.
    own -= set(names_of(current).values()) - set(own_names(current))
    volumes = StackVolumes("shop", current, others, there, gone)
    assert set(volumes.present) == own & set(there)
    chosen, problems = volumes.chosen(wanted)
    assert set(chosen) <= own & set(there)
    for name in set(chosen):
        assert name in wanted or volumes.key_of(name) in wanted
    for given_name in wanted:
        told = any(": {0}: ".format(given_name) in problem for problem in problems)
        meant = given_name in chosen or any(volumes.key_of(name) == given_name for name in chosen)
        known = given_name in gone or given_name in own or any(given_name in definition["volumes"] for definition in definitions)
        assert told or meant or known
    assert all("Remedy: " in problem for problem in problems)


def test_a_key_of_two_volumes_is_not_guessed():
    definitions = [
        {"volumes": {"data": {"name": name}}, "x-portside": {"volumes": {name: {}}}} for name in ("shop_data", "old_data")
    ]
    chosen, (problem,) = StackVolumes("shop", {}, definitions, {"shop_data": {}, "old_data": {}}).chosen(["data"])
    assert chosen == []
    assert "data: it stands for old_data and shop_data. Remedy: give the name of each." in problem


def test_the_name_of_one_goes_before_the_key_of_another():
    definition = {"volumes": {"a": {"name": "b"}, "b": {"name": "c"}}, "x-portside": {"volumes": {"b": {}, "c": {}}}}
    assert StackVolumes("shop", definition, [], {"b": {}, "c": {}}).chosen(["b"]) == (["b"], [])
