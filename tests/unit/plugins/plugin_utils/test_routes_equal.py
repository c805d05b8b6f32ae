# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of routes, a real nginx, a real Caddy and cloudflared's rules give the same answer to every request."""

from __future__ import annotations

import re
import tempfile
import typing as t
from urllib.parse import quote, unquote_to_bytes

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import cloudflared_ingress
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_rules import cloudflared_match
from ansible_collections.portside.stack.plugins.plugin_utils._edge_external import external_files
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import nginx_config
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import answer, decoded_path, matches, server_of, server_routes
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import order_problems
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes
from caddy_runner import Caddy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nginx_runner import IMAGES, INSIDE, nginx, request

MOST = 9
# Few names, so that routes meet, and what programs are known to read each in their own way.
USUAL = ["a", "b", "api"]
SEGMENTS = st.one_of(
    st.sampled_from(USUAL),
    st.sampled_from(USUAL),
    st.sampled_from(["apiary", "v1", "A", "é", "E\u0301", "日本", "x y", "a.b", "...", "a;x", "a..;", "+", "~", "$", '"', "{a}"]),
)
PATHS = st.builds(lambda segments, slash: "/" + "/".join(segments) + slash, st.lists(SEGMENTS, min_size=1, max_size=3), st.sampled_from(["", "", "/"]))
REGEXES = st.sampled_from(
    ["/a/[^/]+", "/(a|b)(/.*)?", "/[a-z]+", ".*\\.b", "/api/v\\d+/.*", "/\\w+/x y", "/a{1,3}", "/[^/]+/", "/(?:api|A)/?", "/\\S+;", "/b/.+/a", "/.*/b", "/\\$"]
    + ["/api/.*b", "/a/.*/x", "/.+/x", "/b/[ab]/.*", "/.*x"]
)
WHERE = st.one_of(
    st.builds(lambda path: {"exact": path}, PATHS),
    st.builds(lambda path: {"prefix": path}, PATHS),
    st.builds(lambda path: {"path": path + "*"}, PATHS),
    st.builds(lambda pattern: {"regex": pattern}, REGEXES),
    st.just({}),
)
HOST = st.sampled_from([{}, {}, {}, {"host": "one.test"}, {"host": "two.test"}, {"host": "*.test"}, {"host": "*.one.test"}])
ANY_ORDER = st.lists(st.builds(lambda host, where: {**host, **where}, HOST, WHERE), min_size=2, max_size=MOST)
# What is narrow first, as in lists that are accepted.
ORDERS = st.sampled_from([lambda route: 0, lambda route: "regex" not in route, lambda route: -len(route)])
ROUTES = st.builds(lambda routes, order: sorted(routes, key=order), ANY_ORDER, ORDERS)
KNOWN = st.sampled_from([[], [], ["one.test"], ["one.test", "*.two.test"], ["*.test"]])
ENDS = """
/ x é \udcff %ff %C3 ;x \\ %5c %20 + %25 %2525 %252f %3F %23 %26 $ .b /.b /b. /..b /... /. /.. /./a /../a /%2e /%2E%2e/a /.%2e /%2Eb %2eb
%2f %2Fa a%2F..%2Fb %00 %0a %0Aa /%0d %1f %7F % %4 %zz %u0041 # #a /#?x
/..;/a /.;x=1/a /..; /..%3b/a /x/..%3Bx /...;/a /;/a /%3bx/a /; /;x a;/b /\\..\\a /%5C..%5Ca
%C0%AF %c0%ae%c0%ae/a %E0%80%AF %ED%A0%80 %EF%BF%BC %EF%BF%BD %F0%9F%98%80 %F0%80%80%AF %F4%90%80%80 %C3a \udcc0\udcaf
"""
# What is asked for a path; each is the path that clients send for it, changed.
CHANGES: t.Dict[str, t.Callable[[str], str]] = {
    "as it is": lambda path: path,
    "all encoded": lambda path: re.sub(b"[^/.]", lambda found: b"%%%02X" % ord(found.group()), unquote_to_bytes(path), flags=re.DOTALL).decode(),
    "lower-case escapes": lambda path: re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), path),
    "first letter encoded": lambda path: re.sub("[A-Za-z]", lambda found: "%{0:02x}".format(ord(found.group())), path, count=1),
    "raw bytes": lambda path: unquote_to_bytes(path).decode("utf-8", "surrogateescape").replace(" ", "%20"),
    "upper": lambda path: path.upper(),
    "lower": lambda path: re.sub("%[0-9a-f]{2}|.", lambda found: found.group().lower(), path),
    "no slash": lambda path: path.rstrip("/") or "/",
    "below": lambda path: path.rstrip("/") + "/x",
    "far below": lambda path: path.rstrip("/") + "/x/a/b/",
    "empty segment": lambda path: "/" + path,
    "empty segment at the end": lambda path: path + "//",
    "long": lambda path: path + "/" + "x" * (4000 - len(path)),
    "long and encoded": lambda path: path + "/" + "%C3%A9" * 600,
    "of segments": lambda path: path.rstrip("/") + "/a" * 1500,
    "query": lambda path: path + "?x=/../%2f//%00#&y",
    "empty query": lambda path: path + "?",
    "root": lambda path: "/",
    **{
        "then " + end: lambda path, end=end: path + end
        for end in ENDS.split()
    },
}
TARGETS = st.lists(st.tuples(st.integers(0, 99), st.sampled_from(sorted(CHANGES))), min_size=8, max_size=16)
EVERY = [(at, change) for change in sorted(CHANGES) for at in range(4)]
HOSTS = ["one.test", "two.test", "x.one.test", "y.x.one.test", "test", "other.invalid"]
SAME_HOSTS = {"one.test": ["ONE.Test", "one.test.", "one.test:8080", "one.test"]}
# Lists that would be taken as they are, so that no route of them is left out.
FIXED = {
    "each kind": ([{"regex": "/a/[^/]+"}, {"exact": "/b"}, {"regex": "/.+x"}, {"prefix": "/a"}, {}], []),
    # nginx redirects to an exact location with a slash at its end as well.
    "a slash at the end": ([{"exact": "/x"}, {"exact": "/y"}, {"exact": "/a/"}, {"prefix": "/api"}], []),
    "no slash at the end": ([{"prefix": "/ws"}, {"prefix": "/media/"}, {"exact": "/media"}, {}], []),
    "a host with a star": ([{"exact": "/é"}, {"regex": ".*\\.b"}, {"prefix": "/a"}, {"host": "*.test"}], ["one.test"]),
}
CASES = st.lists(st.tuples(ROUTES, KNOWN, TARGETS, st.integers(0, 99)), min_size=4, max_size=14)
LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@pytest.fixture(scope="module", params=IMAGES)
def server(request):
    with tempfile.TemporaryDirectory() as directory:
        with nginx(directory, request.param) as found:
            yield found


def accepted(given_routes: t.List[t.Dict[str, t.Any]], hosts: t.List[str], target: t.Callable[[int], t.Dict[str, t.Any]]) -> t.List[t.Dict[str, t.Any]]:
    """The list without the routes for which it would be refused."""
    kept = list(given_routes)
    while True:
        listed = [{**route, **target(index)} for index, route in enumerate(kept)]
        routes, problems = parse_routes(listed)
        wrong = {problem.routes[0] for problem in problems + order_problems(routes, hosts) if problem.level == "error"}
        if not wrong:
            return listed
        kept = [route for index, route in enumerate(kept) if index not in wrong]


def nginx_target(index: int) -> t.Dict[str, t.Any]:
    """Every third route is answered by a real upstream, which tells what it was asked for."""
    return {"url": "http://127.0.0.1:{0}".format(9000 + index)} if index % 3 == 2 else {"respond": {"status": 200, "body": "route {0}".format(index)}}


def asked_paths(routes: t.Sequence[t.Any]) -> t.List[str]:
    samples = {"regex": ["/a/x", "/b", "/api/v1/", "/a.b", "/b/x/a", "/aaa", "/api/ab", "/a/b/x"]}
    found = [path for route in routes for path in samples.get(route.kind, [route.path])]
    return [quote(path, safe="/;~+") for path in dict.fromkeys([*found, "/", "/a", "/a/b"])]


def one_config(configs: t.Sequence[str]) -> str:
    """All of the configurations in one: they differ in their servers alone, each of which gets sockets of its own."""
    heads, servers = [], []
    for index, text in enumerate(configs):
        start = text.rindex("\n", 0, text.rindex("\n", 0, text.index("\n    server {"))) + 1
        heads.append(text[text.index("\nuser ") : start])
        servers.append(text[start : text.rindex("}")].replace("listen 80", "listen unix:{0}/{1}.sock".format(INSIDE, index)))
    assert len(set(heads)) == 1
    ports = ["listen 127.0.0.1:{0};".format(9000 + index) for index in range(MOST)]
    upstream = block("server", [*ports, 'location / { return 200 "$server_port $request_uri"; }'])
    return "\n".join([heads[0], *servers, *upstream, "}", ""])


@pytest.mark.parametrize("name", FIXED)
def test_no_route_of_the_fixed_lists_is_left_out(name):
    listed, hosts = FIXED[name]
    assert accepted(listed, hosts, nginx_target) == [{**route, **nginx_target(index)} for index, route in enumerate(listed)]


@settings(max_examples=15, suppress_health_check=LARGE)
@example([(*FIXED["each kind"], EVERY, 0)])
@example([(*FIXED["a slash at the end"], EVERY, 0)])
@example([(*FIXED["no slash at the end"], EVERY, 0)])
@example([(*FIXED["a host with a star"], EVERY, 1)])
@given(CASES)
def test_nginx_answers_as_the_model_says(server, cases):
    lists = [(accepted(given_routes, hosts, nginx_target), hosts) for given_routes, hosts, _targets, _at in cases]
    edges = [{"kind": "nginx", "hosts": hosts, "health": ""} for _routes, hosts in lists]
    configs = [nginx_config({"name": "s", "services": {}, "edge": edge, "routes": routes}) for edge, (routes, _hosts) in zip(edges, lists)]
    with server.serving(one_config(configs)):
        for number, ((listed, hosts), (_given, _hosts, targets, at)) in enumerate(zip(lists, cases)):
            routes = parse_routes(listed)[0]
            paths = asked_paths(routes)
            for step, (where, change) in enumerate(targets):
                target = CHANGES[change](paths[where % len(paths)])
                host = HOSTS[(at + step) % len(HOSTS)]
                host = SAME_HOSTS.get(host, [host])[step % len(SAME_HOSTS.get(host, [host]))]
                reply = server.ask("{0}.sock".format(number), request("GET", target, host))
                assert (reply.status, reply.body) == expected_of_nginx(routes, hosts, host, target, reply.body), (host, target, change)


def expected_of_nginx(routes, hosts, host, target, body):
    # Refused whatever the host is, before nginx has looked for it.
    if decoded_path(target) is None:
        return 400, body
    found = answer(routes, hosts, host, target)
    if found.kind == "unknown_host":
        return 0, b""
    if found.route is None:
        return 404, body
    text = "route {0}".format(found.route.index) if found.route.body else "{0} {1}".format(9000 + found.route.index, target)
    return 200, text.encode("utf-8", "surrogateescape")


# -- what somebody else's proxy includes ---------------------------------------------------------------------------


def external_target(index: int) -> t.Dict[str, t.Any]:
    return {"service": "api", "port": 8000 + index}


def snippets(listed: t.List[t.Dict[str, t.Any]], hosts: t.List[str], ending: str) -> t.Dict[str, str]:
    """The files for a list of routes by the host pattern that they are for."""
    ports = [{"target": 8000 + index, "published": 9000 + index} for index in range(MOST)]
    stack = {"name": "s", "services": {"api": {"image": "x", "ports": ports}}, "exposure": {"api": "loopback"}}
    files = external_files({**stack, "edge": {"kind": "external", "hosts": hosts}, "routes": listed})
    known = server_routes(parse_routes(listed)[0], hosts)
    return {host: files["edge/routes{0}{1}".format("." + host.replace("*", "_") if host else "", ending)] for host in known}


class OwnNginx:
    """One of somebody else's, with a socket for each file that it includes."""

    ending = ".nginx.conf"

    def __init__(self, server):
        self.ask, self.server = server.ask, server

    def serving(self, included):
        servers = [["listen unix:{0}/{1};".format(INSIDE, place), "root /nowhere;", *text.splitlines()] for place, text in included.items()]
        ports = ["listen 127.0.0.1:{0};".format(9000 + index) for index in range(MOST)]
        upstream = block("server", [*ports, 'location / { return 200 "$server_port $request_uri"; }'])
        inside = ["large_client_header_buffers 4 16k;", *upstream, *(line for one in servers for line in block("server", one))]
        return self.server.serving("\n".join(["user nginx;", "pid /run/nginx.pid;", *block("events", []), *block("http", inside), ""]))


class OwnCaddy:
    """The same; what answers are sites of its own."""

    ending = ".caddy"

    def __init__(self, caddy, directory):
        self.ask, self.caddy, self.directory = caddy.ask, caddy, directory

    def serving(self, included):
        sites = []
        for index in range(MOST):
            bound = "bind unix/{0}/{1}.sock".format(self.directory, 9000 + index)
            sites += block("http://{0}.upstream".format(9000 + index), [bound, "respond `{0} {{http.request.orig_uri}}`".format(9000 + index)])
        for place, text in included.items():
            text = re.sub("127.0.0.1:([0-9]+) {", "unix/{0}/\\1.sock {{\n header_up Host \\1.upstream".format(self.directory), text)
            sites += block("http://", ["bind unix/{0}/{1}".format(self.directory, place), *text.splitlines(), "respond own 404"])
        upstreams = ["{0}.sock".format(9000 + index) for index in range(MOST)]
        return self.caddy.serving("\n".join([*sites, ""]), [*upstreams, *included])


@pytest.fixture(scope="module", params=[*IMAGES, "caddy"])
def somebodys(request):
    with tempfile.TemporaryDirectory() as directory:
        if request.param == "caddy":
            yield OwnCaddy(Caddy(directory), directory)
            return
        with nginx(directory, request.param) as found:
            yield OwnNginx(found)


@settings(max_examples=10, suppress_health_check=LARGE)
@example([(*FIXED["each kind"], EVERY, 0)])
@example([(*FIXED["a slash at the end"], EVERY, 0)])
@example([(*FIXED["no slash at the end"], EVERY, 0)])
@example([(*FIXED["a host with a star"], EVERY, 1)])
@example([([{"prefix": "/a{2}"}, {"exact": "/{path}"}, {"prefix": "/é x"}, {"regex": "/[{]b[}]{1,2}"}], [], EVERY, 0)])
@given(CASES)
def test_what_somebody_elses_proxy_includes_answers_as_the_model_says(somebodys, cases):
    lists = [(accepted(given_routes, hosts, external_target), hosts) for given_routes, hosts, _targets, _at in cases]
    included = {
        "{0}-{1}.sock".format(number, at): text
        for number, (listed, hosts) in enumerate(lists)
        for at, text in enumerate(snippets(listed, hosts, somebodys.ending).values())
    }
    with somebodys.serving(included):
        for number, ((listed, hosts), (_given, _hosts, targets, at)) in enumerate(zip(lists, cases)):
            routes = parse_routes(listed)[0]
            paths = asked_paths(routes)
            servers = server_routes(routes, hosts)
            for step, (where, change) in enumerate(targets):
                target = CHANGES[change](paths[where % len(paths)])
                host = HOSTS[(at + step) % len(HOSTS)]
                server = server_of(servers, host)
                if server is not None:
                    reply = somebodys.ask("{0}-{1}.sock".format(number, list(servers).index(server)), request("GET", target, host))
                    found = answer(routes, hosts, host, target)
                    told = (host, target, change, reply)
                    if found.kind == "refused":
                        # What no route would take is not looked at.
                        everything = any((route.kind, route.path) == ("prefix", "/") for route in servers[server])
                        assert reply.status == 400 or (reply.status == 404 and not everything), told
                    elif found.route is None:
                        assert reply.status == 404, told
                    else:
                        port, _blank, asked = reply.body.decode("utf-8", "surrogateescape").partition(" ")
                        assert (reply.status, port, decoded_path(asked)) == (200, str(9000 + found.route.index), decoded_path(target)), told


@settings(max_examples=30, suppress_health_check=LARGE)
@example([(*FIXED["no slash at the end"], EVERY, 0)])
@given(CASES)
def test_the_rules_of_cloudflared_answer_as_the_model_says(cases):
    for given_routes, hosts, targets, at in cases:
        listed = accepted(given_routes, hosts, lambda index: {"url": "http://r{0}.test".format(index)})
        edge = {"kind": "cloudflared", "hosts": hosts, "tunnel": "t", "credentials": "c"}
        rules = cloudflared_ingress({"name": "s", "services": {}, "edge": edge, "routes": listed})["ingress"]
        routes = parse_routes(listed)[0]
        paths = asked_paths(routes)
        for step, (where, change) in enumerate(targets):
            target = CHANGES[change](paths[where % len(paths)])
            raw = target.partition("?")[0]
            if re.search("%(?![0-9a-fA-F]{2})", raw):
                # Go's parser of URLs refuses it: cloudflared never sees it.
                assert decoded_path(target) is None
                continue
            host = HOSTS[(at + step) % len(HOSTS)]
            service = rules[cloudflared_match(rules, host, target)]["service"]
            assert service == expected_of_cloudflared(routes, hosts, host, target), (host, target, change)


def expected_of_cloudflared(routes, hosts, host, target):
    # It is given the path decoded, without query and fragment.
    path = unquote_to_bytes(re.split("[?#]", target)[0].encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    refused = decoded_path(target) is None
    if refused and re.search("//|/;[^/]*/|/\\.\\.?([/;]|\\Z)|[\x00-\x1f\x7f\\\\\ufffd\udc80-\udcff]", path):
        return "http_status:400"
    if refused:
        # The one difference: what it cannot see it answers as what it sees.
        assert re.search("%2[ef]|#", target.partition("?")[0], re.IGNORECASE)
        servers = server_routes(routes, hosts)
        route = next((route for route in servers.get(server_of(servers, host), []) if matches(route, path)), None)
    else:
        route = answer(routes, hosts, host, target).route
    return "http://r{0}.test".format(route.index) if route else "http_status:404"


# Of which paths are made that some program reads in its own way; bytes at the borders of what UTF-8 allows.
BYTES = "20 2b 3b 5c 61 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff bd be"
PIECES = ["/", "/", "/", ".", "..", ";", "%3b", "%3B", "\\", "%5c", "a", "é", "日", "😀", "%E2%82%AC", "%F0%9F%98%80", "%EF%BF%BD", "?", "?/../"]
MIXED = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from(["%" + one for one in BYTES.split()]),
        st.sampled_from([chr(0xDC00 + byte) for byte in range(0x80, 0x100)]),
    ),
    max_size=7,
).map(lambda pieces: "/" + "".join(pieces))


@settings(max_examples=15, suppress_health_check=LARGE)
@given(st.lists(MIXED, min_size=30, max_size=60))
def test_all_refuse_the_same_paths(server, targets):
    routes = [{"url": "http://r.test"}]
    config = one_config([nginx_config({"name": "s", "services": {}, "edge": {"kind": "nginx", "health": ""}, "routes": [{"respond": 204}]})])
    rules = cloudflared_ingress({"name": "s", "services": {}, "edge": {"kind": "cloudflared", "tunnel": "t", "credentials": "c"}, "routes": routes})["ingress"]
    with server.serving(config):
        for target in targets:
            refused = decoded_path(target) is None
            assert server.ask("0.sock", request("GET", target, "one.test")).status == (400 if refused else 204), target
            assert cloudflared_match(rules, "one.test", target) == (0 if refused else 1), target


@pytest.mark.parametrize("target", ["http://example.com/x", "*", "x", "/a b", "/a\tb", "/a\x01", "/\x7f"])
def test_what_is_no_path_gets_no_route(server, target):
    stack = {"name": "s", "services": {}, "edge": {"kind": "nginx", "health": ""}, "routes": [{"prefix": "/", "respond": 204}]}
    with server.serving(one_config([nginx_config(stack)])):
        reply = server.ask("0.sock", request("GET", target, "one.test"))
    # A proxy's way to ask is another spelling of the path behind the host.
    assert reply.status == (204 if target.startswith("http") else 400)


@pytest.mark.parametrize("path", ["//x", "/x/../y", "/x%2fy", "/%2e/", "/..;/y", "/x\\y", "/%C0%AF", "/x#y", "/x%0a", "/%"])
def test_the_path_behind_a_host_is_refused_like_any_other(server, path):
    stack = {"name": "s", "services": {}, "edge": {"kind": "nginx", "health": ""}, "routes": [{"prefix": "/", "respond": 204}]}
    with server.serving(one_config([nginx_config(stack)])):
        assert server.ask("0.sock", request("GET", "http://one.test" + path, "one.test")).status == 400
