# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of cloudflared that never answer: proved against every short path, and against another library."""

from __future__ import annotations

import itertools
import re

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils import _regex_unicode
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_problems import cloudflared_problems
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_rules import cloudflared_match
from ansible_collections.portside.stack.plugins.plugin_utils._regex_go import parse_go
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import Effort, Machine
from ansible_collections.portside.stack.plugins.plugin_utils._regex_search import Question, Searcher
from hypothesis import given, settings
from hypothesis import strategies as st

NOT_FOUND = {"service": "http_status:404"}
SHORT = ["/" + "".join(letters) for size in range(5) for letters in itertools.product("ab/", repeat=size)]


def on_paths(*paths, **more):
    return [dict(more, path=path, service="http://h") for path in paths] + [NOT_FOUND]


def dead(given_rules):
    return {problem["rule"]: problem for problem in cloudflared_problems(given_rules) if problem["kind"] == "dead"}


def test_the_stream_below_the_glob_is_dead_and_both_rules_are_named():
    problems = dead(on_paths("/api*", "/api/v1/mentor/stream*", hostname="example.com"))
    assert list(problems) == [1]
    assert "rules[1] (host example.com, path /api/v1/mentor/stream*)" in problems[1]["message"]
    assert "rules[0] (host example.com, path /api*)" in problems[1]["message"]
    assert problems[1]["example"] == "example.com/api/v1/mentor/stream"


@pytest.mark.parametrize(
    "given_rules, expected",
    [
        (on_paths("^/api(/|$)", "^/apiary"), []),
        (on_paths("^/a", "^/b", "^/[ab]/x"), [2]),
        (on_paths("^/a/", "^/a"), []),
        (on_paths("^/a$", r"^/a\z"), [1]),
        (on_paths("^api/"), [0]),
        (on_paths("^/.$", "^/\n$"), []),
        (on_paths("(?s)^/.$", "^/\n$"), [1]),
        (on_paths("(?i)^/a", "^/A"), [1]),
        (on_paths("^/A", "(?i)^/a"), []),
        (on_paths(r"\ba", "^/a"), [1]),
        (on_paths(r"^/\pL", "^/é", "^/1"), [1]),
        (on_paths(".*", "^/a"), [1]),
        # Nothing is left for the last rule: which is no mistake, unless it was to serve something.
        (on_paths("^/"), []),
        ([{"path": "^/", "service": "http://a"}, {"service": "http://b"}], [1]),
        ([{"hostname": "*.x.y", "service": "http://a"}, {"hostname": "a.x.y", "service": "http://b"}, NOT_FOUND], [1]),
        ([{"hostname": "*.x.y", "service": "http://a"}, {"hostname": "*.b.x.y", "service": "http://b"}, NOT_FOUND], [1]),
        ([{"hostname": "*.x.y", "service": "http://a"}, {"hostname": "x.y", "service": "http://b"}, NOT_FOUND], []),
        ([{"hostname": "a.x", "service": "http://a"}, {"hostname": "*.x", "service": "http://b"}, NOT_FOUND], []),
        ([{"hostname": "a.x", "service": "http://a"}, {"path": "^/a", "service": "http://b"}, NOT_FOUND], []),
        ([{"path": "^/a", "service": "http://a"}, {"hostname": "a.x", "path": "^/a/b", "service": "http://b"}, NOT_FOUND], [1]),
        ([{"hostname": "a.x", "service": "http://a"}, {"hostname": "A.x", "service": "http://b"}, NOT_FOUND], [1]),
        ([{"hostname": "é.com", "service": "http://a"}, {"hostname": "xn--9ca.com", "service": "http://b"}, NOT_FOUND], [1]),
        # Together, by host and by path.
        (
            [
                {"hostname": "*.x", "path": "^/[^b]", "service": "http://a"},
                {"path": "^/(b|$)", "service": "http://a"},
                {"hostname": "q.x", "service": "http://b"},
                NOT_FOUND,
            ],
            [2],
        ),
    ],
)
def test_dead_rules(given_rules, expected):
    problems = dead(given_rules)
    assert list(problems) == expected
    for index, problem in problems.items():
        if problem["example"]:
            host, slash, path = problem["example"].partition("/")
            assert cloudflared_match(given_rules, host or "any", slash + path) < index


@pytest.mark.parametrize("path", ["(a|b)*a(a|b){25}x", "^/(a|b)*a(a|b){20}$"])
def test_what_takes_too_long_is_said_and_not_guessed(path):
    problems = cloudflared_problems(on_paths("^/(a|b)*b(a|b){20}$", path))
    assert any(problem["rule"] == 1 and "too much work" in problem["message"] for problem in problems)


def test_many_rules_are_decided_soon():
    many = ["/service-{0}/.*".format(number) for number in range(100, 200)]
    problems = cloudflared_problems(on_paths(*many, *many[:50], host="h"))
    assert {problem["kind"] for problem in problems if problem["rule"] < 100} == {"suspicious"}
    assert [problem["rule"] for problem in problems if problem["kind"] == "dead"] == list(range(100, 150))
    assert not [problem for problem in problems if "work" in problem["message"]]


@pytest.mark.parametrize(
    "paths, expected",
    [
        (["^/.*$", "^/a"], [(1, "/a%0A")]),
        (["^/api/.*$", "^/api/v1/", "^/b"], [(1, "/api/v1/%0A")]),
        # It is for nothing else.
        (["^/.*$", "^/a\nb"], []),
        (["^/[a-z]*$", "^/x"], []),
    ],
)
def test_what_only_control_characters_reach_is_not_dead_but_told(paths, expected):
    problems = [problem for problem in cloudflared_problems(on_paths(*paths)) if problem["kind"] != "dead"]
    told = [problem for problem in problems if "only paths with control characters" in problem["message"]]
    assert [(problem["rule"], problem["example"]) for problem in told] == expected
    for problem in told:
        assert cloudflared_match(on_paths(*paths), "h", problem["example"]) == problem["rule"]
        assert "rules[0] (path {0})".format(paths[0]) in problem["message"]


def test_what_hangs_on_an_unknown_expression_is_said(monkeypatch):
    monkeypatch.setattr(_regex_unicode, "re2", None)
    problems = cloudflared_problems(on_paths(r"^/\pL", "^/a", "^/$"))
    assert [(problem["rule"], problem["kind"]) for problem in problems] == [(0, "suspicious"), (1, "suspicious")]


PATTERN = st.recursive(
    st.sampled_from(["a", "b", "/", ".", "[ab]", "[^a]", "a*", "/?", ".*", "b+"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("({0[0]}|{0[1]})".format),
        inner.map("({0})*".format),
    ),
    max_leaves=6,
)
ANCHORED = st.tuples(st.sampled_from(["", "^", "^/"]), PATTERN, st.sampled_from(["", "$", "(/|$)", r"\b"])).map("".join)


@settings(deadline=None)
@given(st.lists(ANCHORED, min_size=2, max_size=5))
def test_a_dead_rule_answers_no_short_path_and_the_others_are_found_alive(paths):
    given_rules = on_paths(*paths)
    problems = dead(given_rules)
    answering = {cloudflared_match(given_rules, "h", path) for path in SHORT}
    assert not answering & set(problems)
    # Those that are not dead take some path: the search finds it, whatever its length.
    searcher = Searcher()
    for index in set(range(len(paths))) - set(problems):
        question = Question([parse_go("^/").node, parse_go(paths[index]).node], [parse_go(path).node for path in paths[:index]], ((0, 0xD7FF),))
        text = searcher.find(question)
        assert (
            text is not None
            and cloudflared_match(given_rules, "h", "".join(map(chr, text)).replace("%", "%25").replace("?", "%3F").replace("#", "%23")) == index
        )


@settings(deadline=None)
@given(ANCHORED, st.lists(st.text("ab/\n", max_size=6), max_size=10))
def test_the_common_dialect_agrees_with_another_engine(pattern, texts):
    # Python's dollar also stands before a last newline, Go's does not.
    other = re.compile(pattern.replace("$", r"\Z"))
    machine = Machine(parse_go(pattern).node, Effort(10**7))
    for text in texts:
        assert machine.matches(map(ord, text)) == bool(other.search(text)), text


@settings(deadline=None)
@given(PATTERN, PATTERN)
def test_containment_agrees_with_greenery(one, other):
    greenery = pytest.importorskip("greenery")
    contained = greenery.parse(one.replace(".", "[^\n]")).to_fsm() <= greenery.parse(other.replace(".", "[^\n]")).to_fsm()
    whole = [parse_go("^({0})$".format(pattern)).node for pattern in (one, other)]
    assert contained == (Searcher().find(Question(whole[:1], whole[1:], ((0, 0xD7FF), (0xE000, 0x10FFFF)))) is None)
