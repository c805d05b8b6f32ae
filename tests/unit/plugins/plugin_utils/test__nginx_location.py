# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locations of nginx: choice and problems, without nginx. That it does the same is in test__nginx_location_serving."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location import nginx_location
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_path import nginx_path
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_problems import nginx_problems
from ansible_collections.portside.stack.plugins.plugin_utils._regex_backtrack import Backtracker
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import Effort, Machine
from ansible_collections.portside.stack.plugins.plugin_utils._regex_pcre import parse_pcre
from ansible_collections.portside.stack.plugins.plugin_utils._regex_tree import BadRegex
from hypothesis import assume, given, settings
from hypothesis import strategies as st


def written(*locations):
    """Locations from "~ ^/a" and the like."""
    words = [text.split(" ", 1) if text.split(" ", 1)[0] in ("=", "^~", "~", "~*") else ["", text] for text in locations]
    return [{"modifier": modifier, "pattern": pattern} for modifier, pattern in words]


def found(locations):
    return [(problem["rule"], problem["kind"], problem["example"]) for problem in nginx_problems(locations)]


@pytest.mark.parametrize(
    "target, path, unmerged",
    [
        ("/a/../b?c#d", b"/b", b"/b"),
        ("/a//b", b"/a/b", b"/a//b"),
        ("/a//../b", b"/b", b"/a/b"),
        ("//..", None, b"/"),
        ("/%2e%2E/", None, None),
        ("/a%2Fb%2f..", b"/a/", b"/a/"),
        ("/a%252Fb", b"/a%2Fb", b"/a%2Fb"),
        ("/a/.%3F/..%23", b"/a/.?/..#", b"/a/.?/..#"),
        ("/.../..x/.x", b"/.../..x/.x", b"/.../..x/.x"),
        ("/a/.", b"/a/", b"/a/"),
        ("/a/..;/b+c\\", b"/a/..;/b+c\\", b"/a/..;/b+c\\"),
        ("/é%ff", b"/\xc3\xa9\xff", b"/\xc3\xa9\xff"),
        ("/a%0A", b"/a\n", b"/a\n"),
        ("/a#b?c", b"/a", b"/a"),
        ("http://h", b"/", b"/"),
        ("HTTP://h:8/a/../b", b"/b", b"/b"),
        ("http://[::1]?x", b"/", b"/"),
    ],
)
def test_the_path_is_decoded_once_and_resolved(target, path, unmerged):
    assert nginx_path(target) == path
    assert nginx_path(target, False) == unmerged


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        "*",
        "/a b",
        "/\t",
        "/%",
        "/%4",
        "/%g0",
        "/%00",
        "/..",
        "/a/../..",
        "h:80",
        "http:/h",
        "http:///a",
        "http://./a",
        "http://a..b/",
        "http://h_h/",
        "/\x7f",
    ],
)
def test_nginx_answers_400_by_itself(target):
    assert nginx_location([{"pattern": "/"}, {"modifier": "~", "pattern": ""}], target) is None


@pytest.mark.parametrize(
    "locations, target, answer",
    [
        (["/", "/api", "= /api"], "/apiary", 1),
        (["/", "/api", "= /api"], "/api?x", 2),
        (["/", "/api", "~ ^/api"], "/api/x", 2),
        (["/", "^~ /api", "~ ^/api"], "/api/x", 1),
        (["^~ /a/", "/a/b/", "~ b"], "/a/b/c", 2),
        (["~ b", "~ ^/b", "/b"], "/b", 0),
        (["~ ^/admin$", "/"], "/admin%0a", 0),
        (["~ ^/private/.*$", "/"], "/private/a%0ab", 1),
        (["~* ^/API", "/"], "/api", 0),
        (["~ ^/API", "/"], "/api", 1),
        (["/a%20b", "/a b"], "/a%20b", 1),
        (["/a%20b", "/a b"], "/a%2520b", 0),
        (["@x", "/a"], "/@x", None),
        (["/a"], "/b", None),
        (["=/a", "^~/b", "~*\\.JPG$", "~^/c"], "/x.jpg", 2),
        (["~ /\\.(?!well-known)", "/"], "/.git", 0),
        (["~ /\\.(?!well-known)", "/"], "/.well-known/x", 1),
        (["~ (*UTF8)é", "/"], "/a", StackError),
        (["~ (?x)a b", "/"], "/ab", StackError),
        (["^~ /a", "~ (?x)a b"], "/ab", 0),
        # What no automaton can do.
        (["~ (a)\\1", "/"], "/aa", 0),
        (["~ (a)\\1", "/"], "/aba", 1),
        (["~* ^/(?<v>a.)/\\k<v>$", "/"], "/ab/AB", 0),
        (["~ ^/(a|b)\\g{-1}", "/"], "/ab", 1),
        (["~ (?<!\\.min)\\.js$", "/"], "/a.js", 0),
        (["~ (?<!\\.min)\\.js$", "/"], "/a.min.js", 1),
        (["~ (?<=/|b)c", "/"], "/ac", 1),
        (["~ ^/(?<!/)", "/"], "/", 1),
        (["~ ^/(?>a|ab)c", "/"], "/abc", 1),
        (["~ ^/(?>ab|a)c", "/"], "/abc", 0),
        (["~ ^/(?:ab|a)++bc", "/"], "/abc", 1),
        (["~ ^/(?!(?>a|ab)c)", "/"], "/abc", 0),
        (["~ ^/(?>a*?)b", "/"], "/ab", 1),
        (["~ ^/(?U)(?>a*)b", "/"], "/ab", 1),
        (["~ ^/(?:(a|)*)*+b\\1$", "/"], "/aab", 0),
        # What one can.
        (["~ ^/[^/]++/", "/"], "/a/", 0),
        (["~ ^/.*+b", "/"], "/ab", 1),
        (["~ ^/(?>a{1,2})a", "/"], "/aa", 1),
        (["~ ^/(?:ab){1,2}+$", "/"], "/abab", 0),
    ],
)
def test_choice(locations, target, answer):
    if answer is StackError:
        with pytest.raises(StackError, match=r"locations\[0\].* cannot be decided here, because it .*Write the expression without"):
            nginx_location(written(*locations), target)
    else:
        assert nginx_location(written(*locations), target) == answer


def test_who_passes_requests_on_gets_a_redirect_for_the_missing_slash():
    passing = {"pattern": "/user/", "passes": True}
    assert nginx_location([{"pattern": "/"}, passing], "/user") is None
    assert nginx_location([{"pattern": "/"}, {"pattern": "/user/"}], "/user") == 0
    assert nginx_location([{"modifier": "=", "pattern": "/user"}, passing], "/user") == 0
    assert nginx_location([{"pattern": "/user"}, passing], "/user") == 0
    # Decided before the regular expressions.
    expressions = written("~ user", "~ ^/user\\z")
    assert nginx_location([*expressions, passing], "/user") is None
    assert [(rule, kind, example) for rule, kind, example in found([expressions[1], passing]) if kind == "dead"] == [(0, "dead", "/user")]


NESTED = [
    {"pattern": "/a/", "locations": [{"modifier": "^~", "pattern": "/a/b"}, {"modifier": "~", "pattern": "c$"}]},
    {"modifier": "~", "pattern": "^/a/b/x", "locations": [{"pattern": "^/a/b/x"}, {"modifier": "~", "pattern": "y"}]},
]


@pytest.mark.parametrize("target, answer", [("/a/c", [0, 1]), ("/a/b", [0, 0]), ("/a/bc", [0, 0]), ("/a/x", 0), ("/a/b/x", 1), ("/a/b/xy", [1, 1])])
def test_nested_locations(target, answer):
    assert nginx_location(NESTED, target) == answer


def test_a_prefix_in_a_regular_expression_is_dead():
    assert [rule for rule, kind, example in found(NESTED) if kind == "dead"] == [[1, 0]]


def test_a_name_that_nginx_accepts_twice_is_told():
    assert found(written("@x", "@y", "@x")) == [(2, "suspicious", "")]


@pytest.mark.parametrize(
    "locations",
    [
        ["/", "= /health", "^~ /ws/", "= /ws", "/api/", r"~ \.php$", r"~* \.(?:gif|jpe?g|png|css|js)$", r"~ /\.ht", r"~ /\.(?!well-known).*", "@app"],
        ["/api", "/apiary", "/apiary/x", "~ ^/index\\.php(?:$|/)", r"~ ^/(?:build|tests|config|lib)(?:$|/)", r"~ /(?:uploads|files)/.*\.php$", "= /robots.txt"],
        ["/", r"~ ^/(?<user>[^/]+)/feed$", r"~ ^/v\d+\.\d+/", r"~* ^/static/.*\.woff2?$"],
        ["^~ /a/", "/a/b/", "~ ^/a/b/c"],
        ["~ ^/[^/]++/feed$", "~ ^/(?>[0-9]+)/x", r"~ \n", "~ ^/$"],
        # One path shows that they answer.
        [r"~ (?<!\.min)\.js$", r"~ \.min\.js$", "~ ^/(?>b|bc)/"],
        ["/", *[r"~ \.kind{0}$".format(number) for number in range(150)]],
    ],
)
def test_a_good_configuration_has_no_findings(locations):
    assert nginx_problems(written(*locations)) == []


@pytest.mark.parametrize(
    "locations, expected",
    [
        (["~ ^/a", "~ ^/a"], (1, "dead", "/a")),
        (["~ a", "~ ^/xa"], (1, "dead", "/xa")),
        (["~ ^/a", "~ ^/b", "~ ^/[ab]/x"], (2, "dead", "/a/x")),
        (["^~ /", "~ x"], (1, "dead", "/x")),
        (["^~ /a/", "^~ /b/", "~ ^/[ab]/x"], (2, "dead", "/a/x")),
        (["= /x", "~ ^/x\\z"], (1, "dead", "/x")),
        (["/a", "~ ."], (0, "dead", "/a")),
        (["/a//b"], (0, "dead", "")),
        (["= /a/../b"], (0, "dead", "")),
        (["api"], (0, "dead", "")),
        (["/api*"], (0, "suspicious", "/api")),
        (["\\.php$"], (0, "suspicious", "/.php")),
        (["/api/.*"], (0, "suspicious", "/api/")),
        (["/(a$"], (0, "suspicious", "")),
        (["/a%20b"], (0, "suspicious", "/a%20b")),
        (["= /a?b=c"], (0, "suspicious", "/a")),
        # Only with a line end in the path.
        (["~ ^/a$", "= /a"], (0, "suspicious", "/a%0A")),
        (["/api", "~ ^/.*$"], (0, "suspicious", "/api%0Aa")),
        (["~ /api*"], (0, "suspicious", "/ap")),
        (["~* /API*"], (0, "suspicious", "/ap")),
        (["~ /api/"], (0, "suspicious", "/a/api/")),
        (["~ .php$"], (0, "suspicious", "/php")),
        (["~ ^/(a|b).json"], (0, "suspicious", "/aajson")),
        (["~ ^/a%20b"], (0, "suspicious", "")),
        (["~ (a)\\1"], (0, "suspicious", "")),
        (["~ ^/(?<!a)b", "~ ^/b"], (1, "suspicious", "")),
        (["~ ^/(a)\\1", "/aa"], (1, "suspicious", "")),
        (["~ ^/(a|b)*a(a|b){20}$", "~ ^/(a|b)*b(a|b){20}$"], (1, "suspicious", "")),
    ],
)
def test_problems(locations, expected):
    problems = found(written(*locations))
    assert expected in problems
    # Who is told dead does not answer its own example.
    if expected[1] == "dead" and expected[2]:
        assert nginx_location(written(*locations), expected[2]) != expected[0]


def test_slashes_that_are_kept_can_be_written():
    assert found(written("/a//b")) and nginx_problems(written("/a//b"), merge_slashes=False) == []


def test_the_covering_locations_are_named():
    problem = nginx_problems(written("/", "~ ^/api", "~ ^/api/v1/stream"))[0]
    assert problem["message"].startswith("locations[2] (~ ^/api/v1/stream): no request comes to it, because locations[1] (~ ^/api)")
    assert "Move it above" in problem["message"]


@pytest.mark.parametrize(
    "given_locations",
    ["x", [5], [{}], [{"pattern": 5}], [{"pattern": "/", "patern": "x"}], [{"pattern": "/", "passes": "yes"}], [{"pattern": "/", "locations": "x"}]],
)
def test_what_is_no_location_is_refused(given_locations):
    problems = nginx_problems(given_locations)
    assert problems and problems[0]["kind"] == "invalid"
    with pytest.raises(StackError):
        nginx_location(given_locations, "/")


PATTERN = st.text("ab/.*()|^$\\?+[]", max_size=6)
LOCATIONS = st.lists(st.fixed_dictionaries({"pattern": PATTERN, "modifier": st.sampled_from(["", "=", "^~", "~", "~*", None])}), max_size=5)


@settings(deadline=None)
@given(LOCATIONS, st.lists(st.text("ab/.*()|^$", max_size=6), max_size=20))
def test_a_dead_location_answers_nothing(locations, paths):
    problems = nginx_problems(locations)
    if any(problem["kind"] == "invalid" for problem in problems):
        return
    dead = {problem["rule"] for problem in problems if problem["kind"] == "dead"}
    for path in paths:
        try:
            assert nginx_location(locations, "/" + path) not in dead
        except StackError as error:
            assert "cannot be decided" in str(error)


@settings(deadline=None)
@given(PATTERN, st.lists(st.text("ab/.^$\n", max_size=6), max_size=10))
def test_going_back_finds_what_the_automaton_does(pattern, paths):
    """What looks behind is matched by going back; here it adds nothing, since no path holds a zero byte."""
    try:
        read = parse_pcre("(?<!\\0)(?:{0})".format(pattern), False)
        alone = parse_pcre(pattern, False)
    except BadRegex:
        return
    assume(not alone.unknown)
    for path in (path.encode() for path in paths):
        assert Backtracker(read.exact, Effort(10**6)).matches(path) == Machine(alone.node, Effort(10**6)).matches(path)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["pattern", "modifier", "locations"]), inner, max_size=3),
        max_leaves=10,
    )
)
def test_any_input_gets_problems_and_no_error(anything):
    assert isinstance(nginx_problems(anything), list)
