# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import sys

import pytest
from ansible_collections.portside.stack.plugins.filter.route_problems import FilterModule
from ansible_collections.portside.stack.plugins.plugin_utils import _route_language
from ansible_collections.portside.stack.plugins.plugin_utils._route_locations import locations
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import answer, covers, decoded_path, matches, server_routes
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import order_problems, route_problems, stack_route_problems
from ansible_collections.portside.stack.plugins.plugin_utils._route_table import stack_route_table
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes
from hypothesis import assume, given
from hypothesis import strategies as st
from route_lists import HOSTS, PATHS, TARGETS, chosen_by_nginx, route_lists

SELFLINK = [
    {"path": "/ws*", "service": "realtime", "port": 8001, "stream": "websocket"},
    {"path": "/api/v1/mentor/stream*", "service": "asgi", "port": 8001, "stream": "sse"},
    {"path": "/media/*", "service": "media", "port": 8080},
    {"path": "/api*", "service": "api", "port": 8000},
    {"service": "api", "port": 8000},
]
WEBSITE = [{"host": "lcl.example.com", "prefix": path, "service": "example-api", "port": 8000} for path in ("/api/", "/admin/", "/media/", "/static/")]
WEBSITE.append({"host": "lcl.example.com", "prefix": "/", "service": "example-web", "port": 3000})
APPSTACK = [{"path": path, "service": "backend", "port": 8000} for path in ("/api/*", "/admin/*", "/static/*", "/media/*")]
APPSTACK += [
    {"prefix": "/ws", "service": "frontend", "port": 5173, "stream": "websocket"},
    {"path": "/@vite/*", "service": "frontend", "port": 5173},
    {"prefix": "/", "service": "frontend", "port": 5173},
]


def listed(*entries):
    return [dict(one, service="s{0}".format(index), port=8000) for index, one in enumerate(entries)]


def found(routes, hosts=()):
    return [(problem["kind"], problem["routes"], problem["example"]) for problem in route_problems(routes, hosts) if problem["kind"] != "normalised"]


def asked(routes, hosts, example):
    """What the model answers to an example."""
    host, slash, target = example.partition("/")
    return answer(routes, hosts, host or "any.test", slash + target)


@pytest.mark.parametrize("routes", [SELFLINK, WEBSITE, APPSTACK])
def test_the_order_of_real_systems_is_accepted(routes):
    assert found(routes) == []


def test_the_api_above_its_stream_is_refused_with_both_routes_and_a_request():
    routes = [SELFLINK[0], SELFLINK[3], SELFLINK[1], SELFLINK[2], SELFLINK[4]]
    assert found(routes) == [("dead", [2, 1], "/api/v1/mentor/stream")]
    message = next(problem["message"] for problem in route_problems(routes) if problem["kind"] == "dead")
    assert message.startswith("routes[2] (prefix '/api/v1/mentor/stream' -> asgi:8001): ")
    assert "routes[1] (prefix '/api' -> api:8000), which stands above it" in message
    assert "goes to routes[1] on cloudflared" in message
    assert "nginx by itself takes the longest prefix, routes[2]" in message
    assert message.endswith("Move it above routes[1].")


@pytest.mark.parametrize(
    ("entries", "remedy"),
    [
        ([{"prefix": "/"}, {"exact": "/a"}], "Move it above routes[0]."),
        ([{"prefix": "/a/"}, {"exact": "/a"}, {"exact": "/b"}, {"prefix": "/a"}], "remove one of them"),
        ([{"regex": "/[ab]"}, {"regex": "/[bc]"}, {"regex": "/[abc]"}], "remove one of them"),
        ([{"regex": "/[ab]"}, {"regex": "/[bc]"}, {"regex": "/b"}], "Move it above routes[0]."),
        ([{"exact": "/a"}, {"exact": "/a"}], "remove one of them"),
    ],
)
def test_moving_a_dead_route_is_advised_where_it_helps(entries, remedy):
    problem = next(one for one in route_problems(listed(*entries)) if one["kind"] == "dead")
    assert remedy in problem["message"]


@pytest.mark.parametrize("routes", [WEBSITE, APPSTACK])
def test_a_catch_all_listed_first_makes_all_others_dead(routes):
    assert [kind_and_routes[:2] for kind_and_routes in found([routes[-1], *routes[:-1]])] == [("dead", [index, 0]) for index in range(1, len(routes))]


@pytest.mark.parametrize(
    ("entries", "hosts", "expected"),
    [
        # The same again.
        ([{"exact": "/a"}, {"exact": "/a"}], [], [("dead", [1, 0], "/a")]),
        ([{"prefix": "/a/"}, {"prefix": "/a"}], [], []),
        ([{"prefix": "/a"}, {"prefix": "/a/"}], [], [("dead", [1, 0], "/a/")]),
        ([{"prefix": "/a"}, {"prefix": "/ab"}], [], []),
        # None of them takes it alone.
        ([{"prefix": "/a/"}, {"exact": "/a"}, {"prefix": "/a"}], [], [("dead", [2, 0, 1], "/a")]),
        ([{"regex": "/[a-m]"}, {"regex": "/[n-z]"}, {"regex": "/[a-z]"}], [], [("dead", [2, 0, 1], "/a")]),
        # Every path there is has a slash in front and no two of them.
        ([{"regex": "/.*"}, {"prefix": "/"}], [], [("dead", [1, 0], "/")]),
        ([{"regex": "/([^/]+/)*[^/]*"}, {"prefix": "/"}], [], [("dead", [1, 0], "/")]),
        ([{"regex": "/|/([^/]+/)*[^/]+"}, {"prefix": "/"}], [], []),
        ([{"prefix": "/a"}, {"regex": "/a/[0-9]+"}], [], [("dead", [1, 0], "/a/0")]),
        ([{"regex": "/a/[0-9]+"}, {"prefix": "/a"}], [], []),
        ([{"regex": "/[0-9]{3}"}, {"exact": "/123"}], [], [("dead", [1, 0], "/123")]),
        # By host.
        ([{"prefix": "/", "host": "a.test"}, {"prefix": "/"}], [], []),
        ([{"prefix": "/", "host": "a.test"}, {"prefix": "/"}], ["a.test"], [("dead", [1, 0], "a.test/")]),
        ([{"prefix": "/", "host": "a.test"}, {"prefix": "/"}], ["a.test", "b.test"], []),
        ([{"prefix": "/"}, {"prefix": "/x", "host": "a.test"}], [], [("dead", [1, 0], "a.test/x")]),
        ([{"prefix": "/", "host": "*.a.test"}, {"prefix": "/", "host": "b.a.test"}], [], [("dead", [1, 0], "b.a.test/")]),
        ([{"prefix": "/", "host": "b.a.test"}, {"prefix": "/", "host": "*.a.test"}], [], []),
        ([{"prefix": "/", "host": "*.a.test"}, {"prefix": "/", "host": "a.test"}], [], []),
        ([{"prefix": "/", "host": "*.a.test"}, {"exact": "/é b", "host": "*.b.a.test"}], [], [("dead", [1, 0], "www.b.a.test/%C3%A9%20b")]),
        # The name for an example is one that has no routes of its own.
        (
            [{"prefix": "/", "host": "*.a.test"}, {"exact": "/", "host": "*.a.test"}, {"exact": "/", "host": "www.a.test"}],
            [],
            [("dead", [1, 0], "a.a.test/"), ("dead", [2, 0], "www.a.test/")],
        ),
    ],
)
def test_dead_routes_are_found_with_those_that_cover_them(entries, hosts, expected):
    assert found(listed(*entries), hosts) == expected


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # The regex below would win in the tree in which the one above must; that says all about the pair.
        ([{"regex": "/a/[0-9]+"}, {"prefix": "/a"}, {"regex": "/.*x"}], [("ambiguous", [1, 2], "/a/x")]),
        ([{"regex": "/a/[0-9]+"}, {"prefix": "/b"}, {"regex": "/.*x"}], [("overlap", [1, 2], "/b/x")]),
        ([{"regex": "/.*x"}, {"regex": "/a/[0-9]+"}, {"prefix": "/a"}], [("overlap", [0, 2], "/a/x")]),
        ([{"regex": "/a/[0-9]+"}, {"prefix": "/a"}, {"prefix": "/"}], []),
        ([{"regex": "/[ab]+"}, {"regex": "/[bc]+"}], [("overlap", [0, 1], "/b")]),
        # All that they share goes to a route above both.
        ([{"exact": "/b"}, {"regex": "/[ab]"}, {"regex": "/[bc]"}], []),
    ],
)
def test_regexes_that_meet_other_routes(entries, expected):
    assert sorted(found(listed(*entries))) == sorted(expected)


def test_an_ambiguous_pair_is_refused_with_what_to_do():
    problem = next(one for one in route_problems(listed({"regex": "/a/[0-9]+"}, {"prefix": "/a"}, {"regex": "/.*x"})) if one["kind"] == "ambiguous")
    assert problem["level"] == "error"
    assert "routes[1] (prefix '/a' -> s1:8000): GET /a/x is its" in problem["message"]
    assert "nginx gives it to routes[2] (regex '/.*x' -> s2:8000)" in problem["message"]
    assert "try routes[0]. Move routes[2] above routes[1], or narrow it" in problem["message"]


def test_what_cannot_be_decided_is_said_and_the_rest_is_still_judged(monkeypatch):
    entries = listed({"regex": "/(a|b)*a(a|b){7}"}, {"regex": "/(c|b)*c(b|c){7}"}, {"prefix": "/a"}, {"exact": "/a"})
    assert found(entries) == [("dead", [3, 2], "/a")]
    declared = parse_routes(entries)[0]
    monkeypatch.setattr(_route_language, "MOST_STATES", 100)
    problems = order_problems(declared, [])
    assert [(problem.kind, list(problem.routes), problem.example) for problem in problems] == [("undecided", [0, 1], ""), ("dead", [3, 2], "/a")]
    assert problems[0].level == "error"
    assert "use prefixes" in problems[0].message


def test_the_whole_stack_is_judged_with_its_edge_and_its_services():
    stack = {
        "name": "shop",
        "services": {"api": {"image": "a"}, "edge": {"image": "nginx"}},
        "routes": [{"host": "Example.com", "service": "api", "port": 8000}, {"prefix": "/x", "service": "apj", "port": 8000}],
        "edge": {"kind": "nginx", "hosts": ["example.com", "a:1"]},
    }
    problems = FilterModule().filters()["route_problems"](stack)
    kinds = {(problem["kind"], tuple(problem["routes"]), problem["level"]) for problem in problems}
    assert {("normalised", (0,), "warning"), ("dead", (1, 0), "error"), ("unknown", (1,), "error"), ("invalid", (), "error")} <= kinds
    assert any(problem["message"].startswith("edge.hosts: host 'a:1' has a port") for problem in problems)
    table = stack_route_table(stack)
    assert table[2].split() == ["0", "example.com", "prefix", "/", "api:8000"]
    assert "taken as that" in table[-1]
    assert stack_route_table({"name": "shop"}) == []
    # What has no position is told with the edge.
    assert [problem.routes for problem in stack_route_problems(stack) if problem.level == "error"] == [(1, 0), (1,)]


@given(route_lists((None, *HOSTS)), st.lists(st.sampled_from(HOSTS), max_size=2, unique=True), st.lists(TARGETS, max_size=10))
def test_verdicts_hold_for_every_request(declared, hosts, targets):
    routes = parse_routes(declared)[0]
    assume(len(routes) > 1)
    problems = order_problems(routes, hosts)
    by_index = {route.index: route for route in routes}
    dead = {problem.routes[0]: problem for problem in problems if problem.kind == "dead"}
    for problem in problems:
        if problem.kind != "undecided":
            # The example is a request, both routes have it, and it goes to one that was named.
            got = asked(routes, hosts, problem.example)
            path = decoded_path(problem.example[problem.example.index("/") :])
            assert got.kind == "route" and matches(by_index[problem.routes[0]], path)
            assert got.route.index in (problem.routes[1:] if problem.kind == "dead" else problem.routes[:1])
    servers = server_routes(routes, hosts)
    for problem in problems:
        if problem.kind == "ambiguous":
            path = decoded_path(problem.example[problem.example.index("/") :])
            answers = {chosen_by_nginx(locations(answering), path).route.index for answering in servers.values() if by_index[problem.routes[0]] in answering}
            assert problem.routes[1] in answers
    for pattern in servers:
        host = pattern.replace("*", "zzz")
        for target in targets:
            got = asked(routes, hosts, host + target)
            assert got.route is None or got.route.index not in dead
    # Of those without regexes, one that is not dead has one of these paths to itself.
    for route in routes:
        if route.index not in dead and route.kind != "regex" and not any(other.kind == "regex" for other in routes if other.index < route.index):
            paths = [route.path, route.path.rstrip("/") + "/", route.path.rstrip("/") + "/zz"]
            reaching = [
                path
                for pattern, answering in servers.items()
                if covers(route.host, pattern)
                for path in paths
                if next((one for one in answering if matches(one, path)), None) == route
            ]
            assert reaching


@given(st.lists(PATHS, min_size=2, max_size=5), st.randoms())
def test_any_order_is_accepted_or_refused_as_the_samples_say(paths, random):
    """Prefixes alone: dead is who stands below one that is a part of it, segment by segment."""
    random.shuffle(paths)
    dead = {problem.routes[0] for problem in order_problems(parse_routes(listed(*({"prefix": path} for path in paths)))[0], [])}
    for index, path in enumerate(paths):
        tree = path.rstrip("/") + "/"
        above = paths[:index]
        whole = any(tree.startswith(one.rstrip("/") + "/") for one in above)
        alone = path.endswith("/") or any(path == one or path.startswith(one.rstrip("/") + "/") for one in above)
        assert (index in dead) == (whole and alone)


@pytest.mark.parametrize(
    "entries",
    [
        lambda count: [*({"prefix": "/{0}/x".format(index)} for index in range(count)), {"prefix": "/"}],
        lambda count: [{"prefix": "/"}, *({"prefix": "/{0}/x".format(index)} for index in range(count))],
        lambda count: [*({"regex": "/{0}/[ab]".format(index)} for index in range(count)), {"prefix": "/"}],
    ],
    ids=["prefixes", "dead", "regexes"],
)
def test_the_work_grows_with_the_list_and_not_with_its_square(entries):
    def steps(count):
        routes = parse_routes(listed(*entries(count)))[0]
        calls = []
        sys.setprofile(lambda _frame, _event, _about: calls.append(1))
        try:
            order_problems(routes, [])
        finally:
            sys.setprofile(None)
        return len(calls)

    assert steps(800) < 6 * steps(200)


def test_messages_are_whole_sentences():
    routes = listed({"prefix": "/a*"}, {"prefix": "/a"}, {"regex": "/[ab]+"}, {"regex": "/[bc]+"}, {"regex": "/["}, {"host": "A.b", "exact": "/y"})
    for problem in route_problems(routes):
        assert re.fullmatch(r"routes\[[0-9]\] \((?s:.+)\): .+[.?]", problem["message"]), problem["message"]
