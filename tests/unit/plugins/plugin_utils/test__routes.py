# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _route_expression
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import route_problems
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route, described, host_pattern, parse_routes, route_table
from declarations import ANYTHING
from hypothesis import given
from hypothesis import strategies as st

API = {"service": "api", "port": 8000}
KEYS = (
    *("host", "exact", "prefix", "regex", "path", "service", "stack", "port", "url", "redirect", "respond", "stream"),
    *("methods", "rate_limit", "max_body", "strip_prefix", "timeout"),
)
_SOME = ["/a", "/a*", "/(", "api", "80", "http://h:1", "GET", "10r/s", "sse", "\ud800", "*.x", {"to": "/x"}, {"rate": "1r/s"}]
VALUES = st.one_of(ANYTHING, st.sampled_from(_SOME))
ENTRIES = st.one_of(ANYTHING, st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4), st.integers()), VALUES))


def parsed(**keys):
    routes, problems = parse_routes([keys])
    assert [problem.message for problem in problems if problem.level == "error"] == []
    return routes[0]


def test_what_is_declared_is_understood():
    assert parsed(**API) == Route(0, "", "prefix", "/", service="api", port=8000)
    assert parsed(prefix="/ws", service="rt", stack="other", port="8001", stream="websocket", timeout=90) == Route(
        0, "", "prefix", "/ws", service="rt", stack="other", port=8001, stream="websocket", timeout=90
    )
    assert parsed(host="*.example.com", exact="/é", url="HTTP://[FD00::1]:8080") == Route(0, "*.example.com", "exact", "/é", url="http://[fd00::1]:8080")
    assert parsed(url="https://example.com").url == "https://example.com"
    limited = parsed(regex="^/f/(\\d+)$", methods=["POST", "GET"], rate_limit="30r/m", max_body="200M", **API)
    assert (limited.kind, limited.path) == ("regex", "/f/[0-9]+")
    assert (limited.methods, limited.rate, limited.burst, limited.max_body) == (("POST", "GET", "HEAD"), "30r/m", 30, "200m")
    stripped = parsed(prefix="/api", strip_prefix=True, max_body=0, rate_limit={"rate": "5r/s", "burst": 0}, **API)
    assert (stripped.strip_prefix, stripped.max_body, stripped.rate, stripped.burst) == (True, "0", "5r/s", 0)
    moved = parsed(redirect="https://example.com{uri}")
    assert (moved.redirect, moved.status) == ("https://example.com{uri}", 308)
    assert parsed(redirect={"to": "/new", "status": 301}).target == "redirect 301 to /new"
    assert parsed(respond=404).target == "respond 404"
    static = parsed(respond={"status": 200, "body": "ok\n", "content_type": "text/plain; charset=utf-8"})
    assert (static.status, static.body, static.content_type) == (200, "ok\n", "text/plain; charset=utf-8")
    # Ansible fills in what was not given.
    assert parsed(host=None, regex=None, url=None, redirect=None, rate_limit=None, methods=None, strip_prefix=None, **API) == parsed(**API)


@pytest.mark.parametrize(
    ("key", "given", "path"),
    [
        ("path", "/ws*", "/ws"),
        ("path", "/media/*", "/media/"),
        ("path", "*", "/"),
        ("path", "/*", "/"),
        ("prefix", "/api/v1/*", "/api/v1/"),
        ("prefix", "/@vite*", "/@vite"),
    ],
)
def test_globs_become_prefixes_and_it_is_said(key, given, path):
    routes, problems = parse_routes([{key: given, **API}])
    assert (routes[0].kind, routes[0].path) == ("prefix", path)
    assert [(problem.kind, problem.level, problem.example) for problem in problems] == [("normalised", "warning", path)]
    assert problems[0].message.startswith("routes[0] ({0} {1!r} -> api:8000): ".format(key, given))
    assert "taken as prefix {0!r}".format(path) in problems[0].message


@pytest.mark.parametrize(
    ("key", "path", "part", "regex"),
    [
        ("prefix", "/users/{id}/posts", "{id}", "'/users/[^/]+/posts'"),
        ("exact", "/v1.0/:user_id", ":user_id", "'/v1\\.0/[^/]+'"),
        ("prefix", "/users/<int:pk>/", "<int:pk>", "'/users/[^/]+/.*'"),
        ("exact", "/blog/[slug]", "[slug]", "'/blog/[^/]+'"),
    ],
)
def test_what_looks_like_a_part_that_varies_is_said_to_be_none(key, path, part, regex):
    routes, problems = parse_routes([{key: path, **API}])
    assert (routes[0].path, [(problem.kind, problem.level) for problem in problems]) == (path, [("normalised", "warning")])
    assert "{0} is taken for these very characters; ".format(part) in problems[0].message
    assert "write regex: {0}".format(regex) in problems[0].message


@pytest.mark.parametrize("path", ["/v1/jobs:cancel", "/a{b}c", "/a:b/c", "/f(x)", "/[a]b", "/<>x"])
def test_other_characters_are_nothing_to_be_said_of(path):
    assert parse_routes([{"prefix": path, **API}])[1] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Example.COM", "example.com"),
        ("*.MÔÔ.com", "*.xn--m-xgaa.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_hosts_become_what_requests_have_and_it_is_said(given, expected):
    routes, problems = parse_routes([{"host": given, **API}])
    assert routes[0].host == host_pattern(given) == expected
    assert [problem.kind for problem in problems] == ([] if given == expected else ["normalised"])
    assert all(repr(expected) in problem.message for problem in problems)


BAD = [
    # The path.
    ({"exact": "/a", "prefix": "/b"}, "one path", "make a route of each"),
    ({"path": "/ws"}, "below it", "write `exact` or `prefix`"),
    ({"exact": 8000}, "not text", "in quotes"),
    ({"prefix": True}, "true is not text", "in quotes"),
    ({"prefix": 2024}, "not text", "such as '/2024'"),
    ({"prefix": False}, "not text", "such as '/api'"),
    ({"prefix": ["/a"]}, "not text", "make a route of each"),
    ({"prefix": ""}, "empty", "write /"),
    ({"path": ""}, "empty", "write /"),
    ({"prefix": "api"}, "begin with a slash", "write '/api'"),
    ({"prefix": "./api"}, "begin with a slash", "write '/api'"),
    ({"prefix": "^/api"}, "begin with a slash", "write regex: "),
    ({"prefix": "~ ^/api"}, "begin with a slash", "write regex: "),
    ({"path": "ws*"}, "'ws*' does not begin with a slash", "write '/ws*'"),
    ({"prefix": "https://example.com/api"}, "begin with a slash", "into `host`"),
    ({"prefix": "lcl.example.com/api/"}, "begin with a slash", "into `host`"),
    ({"exact": "/a "}, "ends with a blank", "take it out"),
    ({"exact": "/a%20b"}, "compared decoded", "write '/a b'"),
    ({"exact": "/a%3Fb"}, "compared decoded", "write regex: '/a\\?b'"),
    ({"exact": "/100%"}, "compared decoded", "write regex: '/100%'"),
    ({"exact": "/%2e%2E/a"}, "empty, . or ..", "write the path without"),
    ({"exact": "/caf%E9"}, "broken", "UTF-8"),
    ({"exact": "/a?b=1"}, "nothing is routed", "leave out"),
    ({"exact": "/a#b"}, "nothing is routed", "leave out"),
    ({"prefix": "/a//b"}, "empty, . or ..", "write the path without"),
    ({"prefix": "/a/../b"}, "empty, . or ..", "write the path without"),
    ({"exact": "/a/."}, "empty, . or ..", "write the path without"),
    ({"exact": "/a/..;/b"}, "empty, . or ..", "write the path without"),
    ({"prefix": "/a/.;x"}, "empty, . or ..", "write the path without"),
    ({"exact": "/;/b"}, "; behind it", "write the path without"),
    ({"exact": "/a\\b"}, "a backslash", "write / or leave it out"),
    ({"regex": "/a\\\\b"}, "no path", "without backslashes"),
    ({"regex": "/\\.\\.;[a-z]+"}, "no path", "begin it with /"),
    ({"exact": "/a\n"}, "control character", "leave it out"),
    ({"exact": "/a\0"}, "control character", "leave it out"),
    ({"exact": "/a\ufffd"}, "broken", "UTF-8"),
    ({"prefix": "/*/a"}, "star", "write a prefix without it, or regex: '/[^/]+/a', with (/.*)? behind it"),
    ({"prefix": "/a**"}, "star", "or regex: '/a.*'"),
    ({"exact": "/a*"}, "star", "or regex: '/a.*'"),
    ({"path": "*/x"}, "begin with a slash", "write regex: '/[^/]+/x'"),
    ({"path": "/2*/x"}, "star", "or regex: '/2[^/]*/x', with"),
    ({"path": "/v1.*/(x)*"}, "star", "or regex: '/v1\\.[^/]*/\\(x\\).*'"),
    ({"prefix": "/" + "a" * 1000}, "longer", "shorter"),
    ({"prefix": "/.well-known/portside/x"}, "edge itself", "use another path"),
    ({"exact": "/.well-known/acme-challenge"}, "edge itself", "use another path"),
    ({"regex": "/\\.well-known/acme-challenge/[a-z]+"}, "edge", "use others"),
    ({"regex": 5}, "not text", "in quotes"),
    ({"regex": "/(?=a)"}, "cloudflared cannot", "above this one"),
    ({"regex": "/[^/]"}, "bytes", "with + or *"),
    ({"regex": "/a.png"}, "bytes", "\\. for a dot"),
    ({"regex": "[0-9]+"}, "no path", "begin it with /"),
    ({"regex": "/a//b"}, "no path", "begin it with /"),
    ({"regex": "~* \\.(jpg|png)$"}, "no path", "as in '/.*\\.jpg'"),
    ({"regex": "/search\\?q=.*"}, "has a query", "leave out"),
    ({"regex": "/a%20[a-z]+"}, "has %20", "the character itself"),
    ({"regex": "/api/*"}, "last character", "write path: '/api/*'"),
    ({"regex": "^/ws*$"}, "last character", "write path: '/ws*'"),
    ({"regex": "/(a+)+"}, "gives up", "as a+"),
    ({"regex": "/[a-z]*[a-z]*x"}, "has '[a-z]*[a-z]*'", "one loop for two"),
    ({"regex": "/" + "a?" * 20 + "b"}, "has 'a?a?", "a{0,20}"),
    ({"regex": "/[a-z]{501}"}, "too large", "write + or *"),
    # The host.
    ({"host": 1}, "not text", "write a name"),
    ({"host": ["a.test", "b.test"]}, "not text", "make a route of each"),
    ({"host": "a.test, b.test"}, "several names", "make a route of each"),
    ({"host": ".example.com"}, "begins with a dot", "write *.example.com for what is below, and example.com"),
    ({"host": "_"}, "no host", "leave it out"),
    ({"host": "*"}, "no host", "leave it out"),
    ({"host": ""}, "no host", "leave it out"),
    ({"host": "example.com:8080"}, "port", "write the name alone"),
    ({"host": "http://example.com"}, "scheme", "write the name alone"),
    ({"host": "example.com/a"}, "path", "write the name alone"),
    ({"host": "a.*.com"}, "star", "write *.example.com"),
    ({"host": "*example.com"}, "star", "write *.example.com"),
    ({"host": "straße.example"}, "two ways", "xn--"),
    ({"host": "a..b"}, "DNS", "write"),
    ({"host": "-a.example"}, "DNS", "write letters"),
    ({"host": "a" * 64}, "DNS", "write letters"),
    ({"host": "ü" * 64 + ".example"}, "DNS", "write the form"),
    # The target.
    ({"service": None, "port": None}, "no target", "add service"),
    ({"url": "http://h"}, "one target", "leave out all but one"),
    ({"service": "api", "redirect": "/x"}, "one target", "leave out all but one"),
    ({"port": None}, "no port", "add the port"),
    ({"port": 0}, "port 0", "from 1 to 65535"),
    ({"port": 70000}, "port 70000", "from 1 to 65535"),
    ({"port": True}, "port true", "from 1 to 65535"),
    ({"port": "80/tcp"}, "port '80/tcp'", "from 1 to 65535"),
    ({"port": 484822.5}, "port 484822.5", "from 1 to 65535"),
    ({"service": 8000}, "not a name", "in quotes"),
    ({"service": "api:8000", "port": None}, "not a name", "write service: api, port: 8000"),
    ({"service": "cms/site"}, "not a name", "write stack: cms, service: site"),
    ({"service": "http://api:8000", "port": None}, "not a name", "write url: "),
    ({"stack": "Other"}, "not a name", "write that of a stack"),
    ({"service": None, "url": "http://h"}, "port belongs to a service", "into the url"),
    ({"service": None, "port": None, "stack": "s", "url": "http://h"}, "stack belongs to a service", "add service"),
    ({"service": None, "port": None, "url": "h:80"}, "not where a service is", "http://"),
    ({"service": None, "port": None, "url": "ftp://h"}, "not where a service is", "http://"),
    ({"service": None, "port": None, "url": "http://h/"}, "not where a service is", "without path"),
    ({"service": None, "port": None, "url": "http://u@h"}, "not where a service is", "user"),
    ({"service": None, "port": None, "url": "http://h:99999"}, "port", "65535"),
    ({"service": None, "port": None, "url": "http://*.h"}, "star", "one host"),
    ({"service": None, "port": None, "url": "http://[::g]"}, "not where", "http://"),
    ({"service": None, "port": None, "url": "http://[1:2]"}, "IPv6", "write one"),
    ({"service": None, "port": None, "redirect": "/x", "stream": "sse"}, "sends none", "leave stream out"),
    ({"service": None, "port": None, "redirect": True}, "redirect true says not where to", "write a path or a URL"),
    ({"service": None, "port": None, "redirect": {"status": 301}}, "redirect says not where to", "write {to"),
    ({"service": None, "port": None, "redirect": {"to": "/x", "status": 200}}, "status 200", "use one of 301"),
    ({"service": None, "port": None, "redirect": {"to": "/x", "code": 301}}, "key 'code'", "use to, status"),
    ({"service": None, "port": None, "redirect": "{uri}"}, "no certain host", "begins with one /"),
    ({"service": None, "port": None, "redirect": "/{uri}"}, "no certain host", "begins with one /"),
    ({"service": None, "port": None, "redirect": "//evil.test"}, "no certain host", "begins with one /"),
    ({"service": None, "port": None, "redirect": "https://a@b.test/"}, "no certain host", "host that ends"),
    ({"service": None, "port": None, "redirect": "https://a/$host"}, "cannot hold", "%24"),
    ({"service": None, "port": None, "redirect": "https://a/{path}"}, "cannot hold", "{uri}"),
    ({"service": None, "port": None, "redirect": 'https://a/"x'}, "cannot hold", "encoded"),
    ({"service": None, "port": None, "respond": "gone"}, "status of respond", "from 200 to 599"),
    ({"service": None, "port": None, "respond": {"body": "x"}}, "no status", "write {status: 200"),
    ({"service": None, "port": None, "respond": 301}, "leads elsewhere", "use redirect"),
    ({"service": None, "port": None, "respond": 444}, "hangs up", "use 404"),
    ({"service": None, "port": None, "respond": {"status": 204, "body": "x"}}, "no body", "leave body out"),
    ({"service": None, "port": None, "respond": {"status": 200, "content_type": "text/html"}}, "no body", "add body"),
    ({"service": None, "port": None, "respond": {"status": 200, "body": 1}}, "not text", "in quotes"),
    ({"service": None, "port": None, "respond": {"status": 200, "body": "a\x1b"}}, "control", "serve it by a service"),
    ({"service": None, "port": None, "respond": {"status": 200, "body": "$" * 300}}, "body '$$", "shorten it"),
    ({"service": None, "port": None, "respond": {"status": 200, "body": "x" * 4001}}, "4000", "let a service answer it"),
    ({"service": None, "port": None, "respond": {"status": 200, "body": "x", "content_type": "html"}}, "content_type", "text/html"),
    # The rest.
    ({"stream": "ws"}, "stream 'ws'", "websocket or sse"),
    ({"stream": "websockets"}, "stream", "did you mean 'websocket'?"),
    ({"stream": "websocket", "methods": ["POST"]}, "begins with a GET", "add GET"),
    ({"methods": "GET"}, "not a list", "write [GET, POST]"),
    ({"methods": []}, "not a list", "leave it out"),
    ({"methods": ["get"]}, "'get'", "did you mean 'GET'?"),
    ({"methods": ["BREW"]}, "'BREW'", "use some of GET"),
    ({"rate_limit": "ten per second"}, "rate_limit 'ten per second' is not a rate", "write rate_limit: 10r/s"),
    ({"rate_limit": "10/s"}, "not a rate", "10r/s"),
    ({"rate_limit": 10}, "rate_limit 10 is not a rate", "10r/s"),
    ({"rate_limit": False}, "rate_limit false is not a rate", "or leave rate_limit out"),
    ({"rate_limit": {"burst": 10}}, "rate_limit.rate null is not a rate", "write rate_limit.rate: 10r/s"),
    ({"rate_limit": {"rate": "10r/s", "burst": -1}}, "rate_limit.burst -1", "from 0"),
    ({"rate_limit": {"rate": "10r/s", "bursts": 1}}, "key 'bursts'", "did you mean 'burst'?"),
    ({"max_body": 200}, "not a size", "such as 200m"),
    ({"max_body": "200mb"}, "not a size", "such as 200m"),
    ({"max_body": False}, "not a size", "no limit"),
    ({"timeout": "60s"}, "timeout '60s' is not a whole number from 1", "in digits alone"),
    ({"timeout": 0}, "timeout 0 is not a whole number", "from 1 to 604800; write one"),
    ({"prefix": "/a", "strip_prefix": "yes"}, "true or false", "without quotes"),
    ({"strip_prefix": True}, "has none", "write prefix: /..."),
    ({"exact": "/a", "strip_prefix": True}, "has none", "leave strip_prefix out"),
    ({"regex": "/a", "strip_prefix": True}, "has none", "leave strip_prefix out"),
    ({"prefx": "/a"}, "'prefx' is not a key", "did you mean 'prefix'?"),
    ({"hostname": "a.b"}, "'hostname' is not a key", "did you mean"),
    ({"backend": "a"}, "'backend' is not a key", "use host, exact"),
    ({8000: "a"}, "8000 is not a key", "use host, exact"),
]


@pytest.mark.parametrize(("keys", "reason", "remedy"), BAD)
def test_every_bad_declaration_is_told_with_its_position_and_a_remedy(keys, reason, remedy):
    given = {key: value for key, value in {**API, **keys}.items() if value is not None}
    routes, problems = parse_routes([{"exact": "/good", **API}, given])
    assert [route.index for route in routes] == [0]
    errors = [problem for problem in problems if problem.level == "error"]
    assert all(problem.routes == (1,) and problem.message.startswith("routes[1] (") for problem in errors)
    assert any(reason in problem.message and remedy in problem.message for problem in errors), [problem.message for problem in errors]


@pytest.mark.parametrize(
    "given",
    [
        {"prefix": "/a", "servce": "api", "port": 8000},
        {"prefix": "/a", "service": "api", "ports": 8000},
        {"prefx": "/a", "strip_prefix": True, **API},
        {"prefix": "/a", "service": "api:8000"},
        {"prefix": "/a", "stack": "cms", "port": 8000},
        {"prefix": "/a", "respnd": 404},
        {"prefix": "/a"},
    ],
)
def test_one_mistake_is_told_once(given):
    assert len(parse_routes([given])[1]) == 1


def test_values_are_shown_as_they_stand_in_yaml():
    (regex, missing, quoted), problems = parse_routes(
        [{"regex": "/.*\\.jpg", **API}, {"exact": "/it's", **API}, {"exact": '/"a"', **API}, None, {"host": [None], **API}]
    )
    assert "(regex '/.*\\.jpg' -> " in described(regex)
    assert "(exact '/it''s' -> " in described(missing)
    assert "(exact '/\"a\"' -> " in described(quoted)
    assert problems[0].message.startswith("routes[3] (null): ")


def test_what_a_url_has_of_a_user_is_not_shown():
    for value in ("https://ops:hush@a.test", "http://ops:hush@a.test/", ["http://ops:hush@a.test"]):
        for key in ("url", "service", "host", "prefix", "redirect"):
            problems = parse_routes([{**({} if key in ("url", "service", "redirect") else API), key: value}])[1]
            assert "a.test" in problems[0].message
            assert "hush" not in "".join(problem.message for problem in problems)


@pytest.mark.parametrize("regex", ["/a", "/(a", "/a{500}", "/" + "a?" * 20 + "b"])
def test_a_regex_is_judged_once(monkeypatch, regex):
    judged = []
    normal = _route_expression._normal
    monkeypatch.setattr(_route_expression, "_normal", lambda given: judged.append(given) or normal(given))
    _route_expression._judged.cache_clear()
    first, second = (parse_routes([{"regex": regex, **API}]) for time in range(2))
    assert (first, judged) == (second, [regex])


@pytest.mark.parametrize("key", ["path", "prefix", "exact"])
@pytest.mark.parametrize("path", ["/*/a", "/2*/x", "*/x/*", "/v1.*/(x)*", "/a$*b|/**/c", "/it's/*/x"])
def test_the_regex_that_is_proposed_is_accepted(key, path):
    message = parse_routes([{key: path, **API}])[1][0].message
    assert parse_routes([{"regex": yaml.safe_load(re.search("regex: ('.*')", message).group(1)), **API}])[1] == []


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("x", "write one entry"),
        ({"prefix": "/"}, "write one entry"),
        (5, "write one entry"),
        (["/a"], "write {prefix"),
        ([None], "write {prefix"),
        ([[]], "write {prefix"),
    ],
)
def test_what_is_no_list_of_mappings_is_told(given, remedy):
    routes, problems = parse_routes(given)
    assert routes == []
    assert [remedy in problem.message for problem in problems] == [True]


def test_no_routes_are_no_problem():
    assert parse_routes(None) == parse_routes([]) == ([], [])


def test_all_problems_of_all_routes_are_told_at_once():
    given = [{"prefix": "x", "port": 1, "host": "*"}, {"exact": "/a", **API}, {"prefix": "/y", "service": "api", "port": 0, "stream": "x", "bad": 1}]
    routes, problems = parse_routes(given)
    assert [route.index for route in routes] == [1]
    assert [problem.routes for problem in problems] == [(0,)] * 3 + [(2,)] * 3
    assert problems[0].message.startswith("routes[0] (host *, prefix 'x' -> nothing): ")
    assert problems[-1].message.startswith("routes[2] (prefix '/y' -> api:0): ")


@given(st.one_of(ANYTHING, st.lists(ENTRIES, max_size=3)))
def test_anything_at_all_can_be_given(given):
    routes, problems = parse_routes(given)
    assert all(problem.message and problem.level in ("error", "warning") for problem in problems)
    told = {index for problem in problems if problem.level == "error" for index in problem.routes}
    if isinstance(given, list):
        # Each entry is a route, or why not is told.
        assert sorted([route.index for route in routes] + sorted(told)) == list(range(len(given)))
    route_table(routes)
    route_problems(given)
    route_problems(routes and [{"prefix": "/"}], given)


def test_a_broken_host_is_told_without_a_traceback():
    for host in (None, "\ud800.com", "a b", "*.", "*.*.a", "." * 300):
        with pytest.raises(StackError):
            host_pattern(host)


def test_the_table_can_be_read():
    routes, _problems = parse_routes(
        [
            {"path": "/ws*", "service": "realtime", "port": 8001, "stream": "websocket"},
            {"host": "example.com", "prefix": "/api", "methods": ["GET"], "rate_limit": "10r/s", "max_body": "5m", "strip_prefix": True, "timeout": 9, **API},
            {"redirect": "https://example.com{uri}"},
        ]
    )
    assert route_table(routes) == [
        "#  host         path         target                                    notes",
        "0  any          prefix /ws   realtime:8001                             websocket",
        "1  example.com  prefix /api  api:8000                                  GET HEAD, 10r/s burst 10, max_body 5m, strip_prefix, timeout 9 s",
        "2  any          prefix /     redirect 308 to https://example.com{uri}",
    ]
