# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib

import pytest
from ansible_collections.portside.stack.plugins.module_utils._docker_ignore import IgnoreRules
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from hypothesis import given
from hypothesis import strategies as st

PATHS = ["a", "a/b", "a/b/c.txt", "b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]


# Docker builds each row so, with either builder. (In the last but one the older one does not look into ignored directories.)
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", PATHS),
        ("a", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("/a", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("./a/", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("x/../a", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("  a  \r\n", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("\ufeffa", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("#a\n # b\nb", ["a", "a/b", "a/b/c.txt", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("*/a", ["a", "a/b", "a/b/c.txt", "b", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("**/a", ["b", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("**a", ["b", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("a/**", ["a", "b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("a**", ["b", "b/a", "c.txt", "x y", "[z]", "src/a.log"]),
        ("*.log", ["a", "a/b", "a/b/c.txt", "b", "b/a", "c.txt", "x y", "a+b", "[z]", "src/a.log"]),
        ("**/*.log", ["a", "a/b", "a/b/c.txt", "b", "b/a", "c.txt", "x y", "a+b", "[z]"]),
        ("a?b", ["a", "b", "b/a", "c.txt", "x y", "a.log", "[z]", "src/a.log", "a/b", "a/b/c.txt"]),
        ("[ab]", ["c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
        ("[^ab]*", ["a", "a/b", "a/b/c.txt", "b", "b/a", "a.log", "a+b"]),
        ("\\[z\\]", ["a", "a/b", "a/b/c.txt", "b", "b/a", "c.txt", "x y", "a.log", "a+b", "src/a.log"]),
        ("*\n!a", ["a", "a/b", "a/b/c.txt"]),
        ("*\n!a/b", ["a/b", "a/b/c.txt"]),
        ("*\n!a\na/b", ["a"]),
        ("**\n!src/**", ["src/a.log"]),
        ("*\n!**/*.txt", ["a/b/c.txt", "c.txt"]),
        ("!a\na", ["b", "b/a", "c.txt", "x y", "a.log", "a+b", "[z]", "src/a.log"]),
    ],
)
def test_what_is_left(text, left):
    rules = IgnoreRules(text)
    assert sorted(path for path in PATHS if not rules.ignores(path)) == sorted(left)


@pytest.mark.parametrize("text", ["!", "a\n!  ", "[a", "a/[^"])
def test_a_pattern_that_means_nothing_is_refused(text):
    with pytest.raises(StackError, match="Remedy"):
        IgnoreRules(text)


def test_where_an_ignored_directory_has_to_be_looked_into():
    assert not IgnoreRules("a").may_hold_more("a")
    assert not IgnoreRules("a\n!b/c").may_hold_more("a")
    assert IgnoreRules("a\n!a/b/c").may_hold_more("a")
    assert IgnoreRules("a\n!a/b/c").may_hold_more("a/b")
    assert IgnoreRules("a\n!**/c").may_hold_more("a")


PATH = st.lists(st.sampled_from(["a", "b", "ab", "a.b"]), min_size=1, max_size=4)
PATTERN = st.lists(st.sampled_from(["a", "b", "ab", "*", "a*", "**"]), min_size=1, max_size=4).filter(
    lambda parts: all(pair != ("**", "**") for pair in zip(parts, parts[1:]))
)
LINE = st.tuples(st.booleans(), PATTERN)


def matches(pattern, path):
    """The same by directories instead of by text."""
    if not pattern or not path:
        return not pattern and not path
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        return not rest or any(matches(rest, path[skipped:]) for skipped in range(len(path)))
    fits = path[0].startswith(first[:-1]) if first.endswith("*") else path[0] == first
    return fits and matches(rest, path[1:])


@given(st.lists(LINE, max_size=5), PATH)
def test_the_last_pattern_that_matches_the_path_or_a_directory_above_it_decides(lines, path):
    text = "\n".join(("!" if taken_in else "") + "/".join(pattern) for taken_in, pattern in lines)
    ignored = False
    for taken_in, pattern in lines:
        if any(matches(pattern, path[:length]) for length in range(1, len(path) + 1)):
            ignored = not taken_in
    assert IgnoreRules(text).ignores("/".join(path)) == ignored


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(StackError):
        IgnoreRules(text).ignores("a/b")
