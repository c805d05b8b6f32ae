# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils import _route_model
from ansible_collections.portside.stack.plugins.plugin_utils._route_locations import locations
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import (
    Matcher,
    answer,
    decoded_path,
    known_hosts,
    matches,
    server_of,
    server_routes,
)
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import order_problems
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes
from hypothesis import assume, given
from hypothesis import strategies as st
from route_lists import HOSTS, PATHS, TARGETS, chosen_by_nginx, route_lists


def parsed(*entries):
    routes, problems = parse_routes([dict(entry, service="s{0}".format(index), port=8000) for index, entry in enumerate(entries)])
    assert [problem.message for problem in problems if problem.level == "error"] == []
    return routes


def shown(routes):
    return ["{0} {1} {2}".format(one.modifier, one.pattern, one.route.service if one.route else 404) for one in locations(routes)]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", "/"),
        ("/a/b/?x=/../%2f", "/a/b/"),
        ("/%61%20b", "/a b"),
        ("/%C3%A9", "/é"),
        ("/é", "/é"),
        ("/admin;x/y", "/admin;x/y"),
        ("/a..;/b", "/a..;/b"),
        ("/...;", "/...;"),
        ("/a/;x?/..;/", "/a/;x"),
        ("/%EF%BF%BC", "/\ufffc"),
        ("/a%3Fb%23c%25", "/a?b#c%"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("/+", "/+"),
        ("/A", "/A"),
        ("", None),
        ("*", None),
        ("a/b", None),
        ("http://h/", None),
        ("//", None),
        ("/a//b", None),
        ("/a/.", None),
        ("/./a", None),
        ("/a/..", None),
        ("/../a?b", None),
        ("/a/%2e%2E/", None),
        ("/.%2e", None),
        ("/a%2Eb", None),
        ("/a%2Fb", None),
        ("/a%2fb", None),
        ("/%00", None),
        ("/%0a", None),
        ("/%1F", None),
        ("/%7f", None),
        ("/\x7f", None),
        ("/a\tb", None),
        ("/a b", None),
        ("/%", None),
        ("/%4", None),
        ("/%zz", None),
        ("/a#b", None),
        # Programs that take path parameters off resolve what is left.
        ("/x/..;/admin", None),
        ("/x/..;", None),
        ("/x/.;a=b/y", None),
        ("/x/..%3B/admin", None),
        ("/;/admin", None),
        ("/x/%3bx/y", None),
        # Some take a backslash for a slash.
        ("/x\\..\\admin", None),
        ("/x%5c..%5Cadmin", None),
        # And some what is overlong, or read each broken text in their own way.
        ("/%C0%AFadmin", None),
        ("/%c0%ae%c0%ae/admin", None),
        ("/%E0%80%AF", None),
        ("/%ED%A0%80", None),
        ("/%F4%90%80%80", None),
        ("/%FF", None),
        ("/\udcff", None),
        ("/%EF%BF%BD", None),
    ],
)
def test_a_target_is_decoded_once_or_refused(target, expected):
    assert decoded_path(target) == expected


def test_the_closest_known_host_answers():
    known = ["example.com", "*.example.com", "*.www.example.com", "a.www.example.com", ""]
    assert server_of(known, "EXAMPLE.com:8443") == "example.com"
    assert server_of(known, "example.com.") == "example.com"
    assert server_of(known, "x.y.example.com") == "*.example.com"
    assert server_of(known, "b.www.example.com") == "*.www.example.com"
    assert server_of(known, "a.www.example.com") == "a.www.example.com"
    assert server_of(known, "other.test") == ""
    assert server_of(known, "badexample.com") == ""
    assert server_of(known[:-1], "other.test") is None


def test_a_route_without_host_is_for_all_known_ones_and_for_any_only_if_none_is_declared():
    routes = parsed({"prefix": "/a", "host": "example.com"}, {"prefix": "/"})
    assert known_hosts(routes, []) == ["example.com", ""]
    assert known_hosts(routes, ["other.test"]) == ["other.test", "example.com"]
    assert known_hosts(routes[:1], []) == ["example.com"]
    assert {host: [route.index for route in found] for host, found in server_routes(routes, ["other.test"]).items()} == {
        "other.test": [1],
        "example.com": [0, 1],
    }
    assert answer(routes, [], "x.test", "/a").route == routes[1]
    assert answer(routes, ["other.test"], "x.test", "/a").kind == "unknown_host"
    assert answer(routes, ["other.test"], "other.test", "/a/../b").kind == "refused"
    assert answer(routes[:1], [], "example.com", "/b").kind == "nothing"


def test_a_prefix_is_by_segment():
    routes = parsed({"prefix": "/ws"}, {"prefix": "/media/"}, {"exact": "/x"}, {"regex": "/f/[0-9]+"})
    expected = {"/ws": 0, "/ws/": 0, "/ws/x": 0, "/wsx": None, "/media": None, "/media/": 1, "/media/x": 1, "/x": 2, "/x/": None, "/f/12": 3, "/f/12/": None}
    for path, index in expected.items():
        route = answer(routes, [], "any", path).route
        assert (route.index if route else None) == index, path


def test_locations_answer_as_the_list():
    assert shown(parsed({"prefix": "/ws"}, {"prefix": "/media/"}, {"exact": "/x"})) == [
        "= /x s2",
        "= /ws s0",
        "= /media 404",
        "^~ /ws/ s0",
        "^~ /media/ s1",
    ]
    # The path without its slash is the catch-all's.
    assert shown(parsed({"prefix": "/media/"}, {"prefix": "/"})) == ["= /media s1", "^~ /media/ s0", " / s1"]
    # An exact location under a regex, and only the prefix that it reaches into without ^~.
    assert shown(parsed({"regex": "/a/[^/]+"}, {"exact": "/b"}, {"prefix": "/a"}, {"prefix": "/b"}, {"prefix": "/"})) == [
        "= /b s1",
        "= /a s2",
        " /a/ s2",
        "^~ /b/ s3",
        "^~ / s4",
        "~ /a/[^/]+ s0",
    ]


def test_a_tree_that_a_route_of_this_host_takes_whole_is_left_out():
    routes = parsed({"prefix": "/a", "host": "example.com"}, {"prefix": "/a/b"}, {"prefix": "/a/"})
    assert shown(server_routes(routes, ["other.test"])["example.com"]) == ["= /a s0", "= /a/b s0", "^~ /a/ s0"]
    assert shown(server_routes(routes, ["other.test"])["other.test"]) == ["= /a/b s1", "= /a 404", "^~ /a/b/ s1", "^~ /a/ s2"]


@given(route_lists(), st.lists(PATHS, max_size=8))
def test_the_first_match_is_found_without_asking_each(declared, paths):
    routes = parse_routes(declared)[0]
    matcher = Matcher(routes)
    for path in [*paths, *(one + end for one in paths for end in ("/", "/a")), *(route.path for route in routes if route.kind != "regex")]:
        assert matcher.first(path) == next((route for route in routes if matches(route, path)), None)


def test_long_lists_are_not_asked_route_by_route(monkeypatch):
    routes = parsed(*({"exact": "/{0}".format(index)} for index in range(50)), {"prefix": "/"})
    expected = locations(routes)
    monkeypatch.setattr(_route_model, "matches", lambda _route, _path: pytest.fail("asked"))
    assert locations(routes) == expected


@given(route_lists((None, *HOSTS)), st.lists(st.sampled_from(HOSTS), max_size=2, unique=True), st.lists(TARGETS, min_size=1, max_size=8))
def test_nginx_answers_as_the_first_match_for_every_accepted_list(declared, hosts, targets):
    routes = parse_routes(declared)[0]
    assume(routes)
    ambiguous = any(problem.kind in ("ambiguous", "undecided") for problem in order_problems(routes, hosts))
    for pattern, listed in server_routes(routes, hosts).items():
        host = pattern.replace("*", "zzz") or "any.test"
        made = locations(listed)
        plain = [one.pattern for one in made if one.modifier != "~"]
        for target in [*targets, *plain, *(one + "a" for one in plain)]:
            expected = answer(routes, hosts, host, target)
            path = decoded_path(target)
            assert (path is None) == (expected.kind == "refused")
            if path is not None and not ambiguous:
                one = chosen_by_nginx(made, path)
                assert (one.route if one else None) == expected.route
        # The engine refuses a location twice.
        assert len(plain) - len({(one.modifier == "=", one.pattern) for one in made if one.modifier != "~"}) == 0
