# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_changes import reasons
from hypothesis import given
from hypothesis import strategies as st

A, B = "sha256:" + "3254c997" * 8, "sha256:" + "91ab0000" * 8


def config(name, digest, **keys):
    return dict({"source": "{0}_{1}".format(name, digest * 12), "target": "/" + name}, **keys)


@pytest.mark.parametrize(
    ("key", "old", "new", "said"),
    [
        ("image", "nginx:1.26@" + A, "nginx:1.28@" + B, "image nginx:1.26 -> nginx:1.28"),
        ("image", "nginx:1.26@" + A, "nginx:1.26@" + B, "image nginx:1.26 moved (3254c997 -> 91ab0000)"),
        ("image", "nginx:1.26", "nginx:1.26@" + B, "image nginx:1.26 moved (any -> 91ab0000)"),
        ("image", A, B, "image 3254c997 -> 91ab0000"),
        ("configs", [config("edge.conf", "a")], [config("edge.conf", "b")], "config edge.conf changed"),
        ("configs", [config("a_b", "a")], [config("a_b", "a", target="/x")], "config a_b changed"),
        ("configs", None, [config("edge.conf", "b")], "config edge.conf added"),
        ("configs", [config("a", "b"), config("b", "b")], [config("b", "b"), config("a", "b")], "configs changed"),
        ("secrets", [{"source": "db_v_v1"}], [{"source": "db_v_v2"}], "secret db_v 1 -> 2"),
        ("secrets", [{"source": "db_v1-70-70-0400"}], [{"source": "db_v12-70-70-0400"}], "secret db 1 -> 12"),
        ("secrets", [{"source": "db_v1"}], [{"source": "db_v1-70-70-0400"}], "secret db changed"),
        ("secrets", [{"source": "db_v1"}, {"source": "key_v3"}], [{"source": "key_v3"}], "secret db removed"),
        ("environment", {"A": "1", "B": "2"}, {"B": "3", "C": ""}, "environment A, B, C changed"),
        ("environment", ["A=1", "B"], ["A=2", "B"], "environment A changed"),
        ("environment", ["A=1"], {"A": "1"}, "environment changed"),
        ("environment", {"A": 1}, {"A": True}, "environment A changed"),
        ("command", "a", ["a"], "command changed"),
        ("ports", [{"target": 80}], None, "ports changed"),
        ("labels", {"portside.digest": "1", "a": "b"}, {"portside.digest": "2"}, "labels changed"),
        ("labels", {"portside.digest": "1"}, {"portside.digest": "2"}, ""),
        ("deploy", {"replicas": 1}, {"replicas": 2}, ""),
        ("deploy", {"replicas": 1, "a": 1}, {"replicas": 2}, "deploy changed"),
        ("depends_on", {"db": {}}, None, ""),
        ("scale", 1, 2, ""),
        ("pull_policy", "always", None, ""),
    ],
)
def test_each_difference_in_words(key, old, new, said):
    before, after = ({key: value} if value is not None else {} for value in (old, new))
    assert reasons(before, after) == said


def test_what_people_look_for_comes_first():
    old = {"command": "a", "image": "a:1", "environment": {"A": "1"}}
    new = {"command": "b", "image": "a:2", "environment": {"A": "2"}}
    assert reasons(old, new) == "image a:1 -> a:2, environment A changed, command changed"


def test_without_the_earlier_definition():
    assert reasons(None, {"image": "a"}) == "its earlier definition is not known"


SECRET = st.text(alphabet="§0123456789", min_size=1).map(lambda text: "§" + text)
NAMES = st.sampled_from(["A", "B", "LOG_LEVEL"])
BODIES = st.fixed_dictionaries(
    {"image": st.sampled_from(["a:1@" + A, "a:1@" + B, B, "b"])},
    optional={
        "environment": st.one_of(
            st.dictionaries(NAMES, st.one_of(SECRET, st.none())),
            st.lists(st.builds("{0}={1}".format, NAMES, SECRET), unique_by=lambda item: item.partition("=")[0]),
        ),
        "configs": st.lists(st.sampled_from([config("a", "a"), config("a", "b"), config("b", "b", mode=1)]), max_size=3),
        "secrets": st.lists(st.sampled_from([{"source": "a_v1"}, {"source": "a_v2"}, {"source": "b_v1-1-1-0400"}]), max_size=3),
        "deploy": st.sampled_from([{}, {"replicas": 2}, {"replicas": 1, "x": 1}]),
        "labels": st.dictionaries(st.sampled_from(["portside.digest", "a"]), SECRET),
        "depends_on": st.just({"db": {}}),
        "scale": st.integers(1, 2),
        "command": st.one_of(SECRET, st.lists(SECRET)),
    },
)


def counts(body):
    kept = {key: value for key, value in body.items() if key not in ("depends_on", "scale", "pull_policy")}
    kept["labels"] = {key: value for key, value in body.get("labels", {}).items() if key != "portside.digest"}
    kept["deploy"] = {key: value for key, value in body.get("deploy", {}).items() if key != "replicas"}
    return json.dumps(kept, sort_keys=True)


@given(BODIES, BODIES)
def test_no_value_is_ever_told_and_a_difference_always(old, new):
    said = reasons(old, new)
    assert "§" not in said
    assert bool(said) == (counts(old) != counts(new))
