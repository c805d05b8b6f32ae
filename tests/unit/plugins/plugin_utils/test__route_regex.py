# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import greenery
import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._route_backtracking import too_many_ways
from ansible_collections.portside.stack.plugins.plugin_utils._route_language import TooCostly, counts_characters, exact_node, explore, tree_node
from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import parse_regex, regex_size, regex_text
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from route_lists import PATHS, REGEXES

# What gets as far as routing, for the library; no control characters, no backslashes, no empty, . or .. segments, also before a ;.
_CHAR = "[^/\\x00-\\x1f\\x5c\\x7f]"
_SEGMENT = "(?:{1}{0}*|\\.(?:{1}{0}*|\\.{2}{0}*))".format(_CHAR, _CHAR.replace("/", "/.;"), _CHAR.replace("/", "/;"))
REAL = greenery.parse("(?:/{0})+(?:/(?:;{1}*)?)?|/(?:;{1}*)?".format(_SEGMENT, _CHAR)).to_fsm()


def _hexadecimal(found):
    """The library does not know escaped punctuation in a class."""
    return "\\x{0:02x}".format(ord(found.group(1)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/files/[0-9]+", "/files/[0-9]+"),
        ("^/files/\\d+$", "/files/[0-9]+"),
        ("^/a\\z", "/a"),
        ("/a\\$", "/a\\x24"),
        ("/(a|b)/(?:c)", "/(?:a|b)/c"),
        ("/a{1,3}b{2}c{0,}d{1,}e{0,1}", "/a{1,3}b{2}c*d+e?"),
        ("/(ab){2,5}", "/(?:ab){2,5}"),
        ("/(a*b)*", "/(?:a*b)*"),
        ("/[^/]+\\.(jpg|png)", "/[^/]+\\.(?:jpg|png)"),
        ("/[\\W\\d_]+", "/[^A-Za-z]+"),
        ("/[-a\\]^]+", "/[\\-\\]\\^a]+"),
        ("/\\S+", "/[^\\x20]+"),
        ("/[\\s\\S]*", "/.*"),
        ("/a b'\";\\\\\\{\\}", "/a\\x20b\\x27\\x22\\x3b\\x5c\\x7b\\x7d"),
        ("/[!-~]", "/[!-~]"),
        ("/[ -~]+", "/[\\x20-~]+"),
    ],
)
def test_a_pattern_has_one_spelling_for_all_programs(given, expected):
    assert regex_text(parse_regex(given)) == expected
    assert regex_text(parse_regex(expected)) == expected


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("", "write a pattern"),
        ("^$", "write a pattern"),
        ("/é", "exact or prefix"),
        ("/a\n", "printable"),
        ("/(?i)a", "[aA]"),
        ("/(?=a)", "above this one"),
        ("/(?<!a)b", "above this one"),
        ("/(?P<x>a)", "write (?:"),
        ("/(?<x>a)", "write (?:"),
        ("/(?>a)", "write (?:"),
        ("/(a)\\1", "write the alternatives"),
        ("/\\bx", "neighbours"),
        ("/\\Ax", "leave out"),
        ("/a\\zb", "leave out"),
        ("/\\x4", "two digits"),
        ("/\\x{41}", "two digits"),
        ("/\\x0a", "printable"),
        ("/[\\x7F]", "printable"),
        ("/\\pL", "ASCII"),
        ("/\\Qa\\E", "the characters themselves"),
        ("/a*?", "leave it out"),
        ("/a++", "leave it out"),
        ("/a{2}{3}", "leave it out"),
        ("/a{,3}", "{n,m}"),
        ("/a{", "\\{"),
        ("/a{3,2}", "larger one second"),
        ("/a{0}", "not 0"),
        ("/a{1001}", "1000"),
        ("*a", "after what is repeated"),
        ("/(*a)", "after what is repeated"),
        ("/a}", "\\}"),
        ("/a]", "\\]"),
        ("/[]a]", "\\["),
        ("/[a", "add ]"),
        ("/[[:alpha:]]", "a-z"),
        ("/[b-a]", "the smaller first"),
        ("/[a-\\d]", "the smaller first"),
        ("/[^\\d\\D]", "leave it out"),
        ("/(a", "add )"),
        ("/a)", "\\)"),
        ("/()", "(...)?"),
        ("/(a|)", "(...)?"),
        ("/a|", "(...)?"),
        ("^/a|/b$", "leave them out"),
        ("/a$b", "leave it out"),
        ("/a\\", "\\\\"),
        ("/" + "(" * 40 + "a" + ")" * 40, "several routes"),
        ("/" + "a" * 1000, "several routes"),
    ],
)
def test_what_the_programs_do_not_share_is_refused_with_what_to_write(given, remedy):
    with pytest.raises(StackError) as error:
        parse_regex(given)
    assert remedy in str(error.value)


@given(st.text(alphabet="ab/.\\()[]{}*+?|^$-,:=!<>P12dDwWsSzbx é\n", max_size=14))
def test_whatever_is_accepted_means_to_python_what_it_says(text):
    try:
        node = parse_regex(text)
    except StackError:
        return
    original, ours = re.compile(text.replace("\\z", "\\Z"), re.ASCII), re.compile(regex_text(node), re.ASCII)
    for path in ("/", "/a", "a", "/ab", "b", "/a/b", "é", "/é", "a.b", "1", "", " ", "$", "ab", "aa", "bb", "a-b", "\\", "{", "]", "/aab", "/a1_"):
        assert bool(original.fullmatch(path)) == bool(ours.fullmatch(path))


@given(REGEXES, st.lists(PATHS, min_size=1, max_size=5))
def test_the_language_holds_the_paths_that_match(text, paths):
    node = parse_regex(text)
    for path in paths:
        # A path that cannot be asked for is in no language.
        both = any(one.patterns == {0, 1} for one in explore([node, exact_node(path)]))
        asked = not re.search(r"//|/\.\.?(?:/|\Z)", path)
        assert both == (asked and re.fullmatch(regex_text(node), path, re.ASCII) is not None)


@pytest.mark.parametrize("text", ["/(a?b?){3}", "/(a?){2,3}b", "/(a|b?){2,}", "/(a{2,3}b?){0,2}", "/((a|b)?/?){1,2}", "/(a*|b){3}"])
@given(path=st.text(alphabet="ab/", max_size=8).map("/{0}".format))
def test_parts_that_may_be_missing_are_counted_as_python_counts(text, path):
    assume("//" not in path)
    both = any(one.patterns == {0, 1} for one in explore([parse_regex(text), exact_node(path)]))
    assert both == (re.fullmatch(text, path) is not None)


@settings(max_examples=25)
@given(REGEXES, REGEXES, st.one_of(PATHS.map(tree_node), PATHS.map(exact_node)))
def test_what_patterns_share_is_what_the_library_says(one, two, plain):
    nodes = [parse_regex(one), parse_regex(two), plain]
    assume(sum(map(regex_size, nodes)) < 20)
    machines = [greenery.parse(re.sub(r"\\([^\w])", _hexadecimal, regex_text(node))).to_fsm() for node in nodes]
    found = {region.patterns: region.path for region in explore(nodes)}
    for wanted in ({0}, {0, 1}, {0, 2}):
        rest = REAL
        for index, machine in enumerate(machines):
            rest = rest & machine if index in wanted else rest - machine
        assert (frozenset(wanted) in found) != rest.empty()
    for patterns, path in found.items():
        assert patterns == {index for index, node in enumerate(nodes) if re.fullmatch(regex_text(node), path, re.ASCII)}


@given(REGEXES, st.lists(st.sampled_from(["a", "b", "/", ".", "é", "日", "€a"]), max_size=8))
def test_bytes_and_characters_match_alike_unless_it_is_said(text, parts):
    node = parse_regex(text)
    assume(not counts_characters(node) and too_many_ways(node) is None)
    path = "/" + "".join(parts)
    assert bool(re.fullmatch(regex_text(node), path, re.ASCII)) == bool(re.fullmatch(regex_text(node).encode(), path.encode()))


@pytest.mark.parametrize("given", ["/[^/]", "/.", "/[^/]?", "/.{2}", "/[^/]{1,3}", "/a[^/]+[^/]+", "/\\W", "/a(?:[^/]b?)?"])
def test_characters_must_not_be_counted(given):
    path = counts_characters(parse_regex(given))
    assert bool(re.fullmatch(given, path, re.ASCII)) != bool(re.fullmatch(given.encode(), path.encode()))


def test_the_work_is_bounded_and_large_lists_are_not_too_much():
    with pytest.raises(TooCostly):
        explore([parse_regex("/(a|b)*a(a|b){20}")])
    many = [tree_node("/{0}/{1}/".format("service" * 9, number)) for number in range(300)]
    assert len(explore([*many, tree_node("/")])) == 301
