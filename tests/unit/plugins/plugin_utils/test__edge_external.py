# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge that somebody else runs: what the stack must have for it, and what its proxy makes of the files. That these route
as the model does, test_routes_equal proves."""

from __future__ import annotations

import json
import shutil
import tempfile

import pytest
import upstream_server
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._edge_external import external_files
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import declaration_digest, release_files
from ansible_collections.portside.stack.plugins.plugin_utils._stack_merge import stack_merge
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from caddy_runner import Caddy
from local_images import local_image, running
from nginx_runner import IMAGES, INSIDE, nginx, request, until

API = {"prefix": "/api", "service": "api", "port": 8000}
EVERY = [
    {"prefix": "/strip", "service": "api", "port": 8000, "strip_prefix": True},
    {"prefix": "/only", "service": "api", "port": 8000, "methods": ["GET"]},
    {"prefix": "/small", "service": "api", "port": 8000, "max_body": "1k"},
    {"prefix": "/large", "service": "api", "port": 8000, "max_body": "0", "timeout": 90},
    {"prefix": "/ws", "service": "api", "port": 8000, "stream": "websocket"},
    {"prefix": "/events", "service": "api", "port": 8000, "stream": "sse"},
    {"prefix": "/old", "redirect": {"to": "https://new.example.com{uri}", "status": 301}},
    {"exact": "/gone", "respond": 410},
    {"regex": '/[a-z]{2}/x`?"?', "service": "api", "port": 8000},
    API,
]


def stack(routes=(API,), edge=None, service=None, **keys):
    published = {"image": "shop:1", "ports": [{"target": 9000, "published": 9000}, {"target": 8000, "published": upstream_server.PORT}]}
    found = {"name": "shop", "services": {"api": {**published, **(service or {})}}, "exposure": {"api": "loopback"}}
    return {**found, "edge": {"kind": "external", **(edge or {})}, "routes": [dict(route) for route in routes], **keys}


def route(**keys):
    return stack([{**API, **keys}])


UNREACHED = ["port 8000 of service 'api' is not published", "'proxy' would ask", "exposure: {api: loopback}", "ports: [{target: 8000, published: NUMBER}]"]
# What is wrong -> the declaration, the key, and the words its one problem must have.
BAD = {
    "internal": (stack(exposure={}), "routes[0]", UNREACHED),
    "another port": (stack([{**API, "port": 8001}]), "routes[0]", ["port 8001 of service 'api'", "published: NUMBER"]),
    "another protocol": (stack(service={"ports": ["9001:8000/udp"]}), "routes[0]", UNREACHED),
    "several routes": (stack([{"exact": "/x", "respond": 204}, API, {**API, "prefix": "/"}], exposure={}), "routes[1]", ["(and so for routes[2])"]),
    "by its name": (stack(edge={"name": "caddy"}, exposure={}), "routes[0]", ["'caddy' would ask"]),
    "a name of two lines": (stack(edge={"name": "a\nb"}), "edge.name", ["such as caddy"]),
    "a name that is a number": (stack(edge={"name": 1}), "edge.name", ["not text"]),
    "a service": (stack(edge={"service": "web"}), "edge.service", ["kind: external", "no service is made", "name: ..."]),
    "tls": (stack(edge={"tls": {"kind": "acme"}}), "edge.tls", ["kind: external", "the proxy's own"]),
    "headers": (stack(edge={"headers": {"x y": 1}}), "edge.headers", ["kind: external"]),
    "max_body": (stack(edge={"max_body": "x"}), "edge.max_body", ["at the routes"]),
    "real_ip": (stack(edge={"real_ip": {}}), "edge.real_ip", ["kind: external"]),
    "health": (stack(edge={"health": "x"}), "edge.health", ["kind: external"]),
    "tunnel": (stack(edge={"tunnel": "x"}), "edge.tunnel", ["kind: cloudflared"]),
    "credentials": (stack(edge={"credentials": "x"}), "edge.credentials", ["kind: cloudflared"]),
    "hosts a text": (stack(edge={"hosts": "example.com"}), "edge.hosts", ["[example.com]"]),
    "a host without a route": (stack([{**API, "host": "a.example.com"}], {"hosts": ["b.example.com"]}), "edge.hosts[0]", ["no route is for b.example.com"]),
    "exposed as a service": (stack(exposure={"api": "loopback", "edge": "public"}), "exposure", ["'edge' is not a service"]),
    "rate_limit": (route(rate_limit="1r/s"), "routes[0].rate_limit", ["kind: external", "nginx counts outside"]),
    "url": (stack([{"url": "https://example.com"}]), "routes[0].url", ["into its own configuration"]),
    "stack": (stack([{**API, "stack": "other"}]), "routes[0].stack", ["give that stack an edge"]),
    "body": (stack([{"respond": {"status": 200, "body": "x"}}]), "routes[0].respond", ["a status alone"]),
    "braces to take off": (route(prefix="/{a}", strip_prefix=True), "routes[0].strip_prefix", ["braces"]),
    "a redirect in a circle": (stack([{"prefix": "/a", "redirect": {"to": "/a/b"}}]), "", ["routes[0]", "for ever"]),
    "no such service": (stack([{**API, "service": "apo"}]), "", ["routes[0]", "did you mean 'api'"]),
    "a port that the engine picks": (stack(service={"ports": ["8000"]}), "ports[0]", ["service 'api'", "picked by the engine"]),
    "the port of the host": (stack([{**API, "port": upstream_server.PORT}]), "", ["names the container's own", "write port: 8000"]),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_with_its_place_and_a_remedy(case):
    declared, key, words = BAD[case]
    other = {"name": "other", "services": {"api": {"image": "x"}}}
    found = stack_problems([declared, other])
    assert len(found) == 1, found
    assert found[0].startswith("stack 'shop'") and (", key '{0}': ".format(key) if key else "stack 'shop': ") in found[0]
    assert all(word in found[0] for word in words), found


@pytest.mark.parametrize(
    "declared",
    [
        stack(EVERY),
        stack(edge={"name": "Caddy 2", "hosts": ["example.com", "*.example.com"]}),
        stack(exposure={"api": "public"}),
        stack([{"exact": "/x", "respond": 204}], exposure={}),
        route(stack="shop"),
    ],
)
def test_what_is_right_has_no_problem(declared):
    assert stack_problems([declared]) == []


def test_no_service_is_made_and_the_host_has_nothing_to_do():
    declared = stack()
    assert stack_merge([declared]) == [declared]
    document = compose_document(declared)
    assert list(document["services"]) == ["api"]
    assert {**document["x-portside"]["edge"], "config": ""} == {"kind": "external", "name": "proxy", "config": ""}
    assert release_files(declared)["edges"] == []


def test_the_files_are_in_the_release_and_make_it_another_one():
    found = [release_files(stack(routes)) for routes in ((API,), (API, {"exact": "/x", "respond": 204}))]
    for one in found:
        home = "/opt/stacks/shop/releases/{0}/".format(one["id"])
        assert {home + "edge/routes.nginx.conf", home + "edge/routes.caddy"} < set(one["files"])
        record = json.loads(one["files"][home + "release.json"]["content"])
        assert record["edge"] == {"files": ["edge/routes.caddy", "edge/routes.nginx.conf"]}
    assert found[0]["id"] != found[1]["id"]
    assert declaration_digest(stack()) != declaration_digest(stack((API, {"exact": "/x", "respond": 204})))


def test_each_host_has_files_of_its_own():
    # a.example.com is one of *.example.com as well.
    routes = [{**API, "host": "a.example.com"}, {**API, "prefix": "/b", "host": "*.example.com"}, {"exact": "/all", "respond": 204}]
    found = external_files(stack(routes))
    bases = ["edge/routes", "edge/routes._.example.com", "edge/routes.a.example.com"]
    assert sorted(found) == sorted(base + ending for base in bases for ending in (".nginx.conf", ".caddy"))
    assert "for a.example.com" in found["edge/routes.a.example.com.caddy"]
    for base, answered in zip(bases, ([2], [1, 2], [0, 1, 2])):
        for ending in (".nginx.conf", ".caddy"):
            text = found[base + ending]
            assert [index for index in range(3) if "# routes[{0}]:".format(index) in text] == answered, base
    with_hosts = external_files(stack(edge={"hosts": ["a.example.com"]}))
    assert sorted(with_hosts) == ["edge/routes.a.example.com.caddy", "edge/routes.a.example.com.nginx.conf"]


def test_what_has_problems_is_refused_when_it_is_made_all_the_same():
    with pytest.raises(StackError, match="exposure: {api: loopback}"):
        external_files(stack(exposure={}))


def test_what_it_leads_to_is_public_by_way_of_it():
    rows = exposure_table(stack(edge={"name": "caddy"}))
    assert [(row["target"], row["published"], row["reach"], row["via"]) for row in rows] == [
        (9000, "127.0.0.1:9000", "loopback", ""),
        (8000, "127.0.0.1:9001", "public", "caddy"),
    ]
    assert "| Yes (via caddy) " in exposure_table(stack(edge={"name": "caddy"}), format="markdown")
    other = {"name": "other", "services": {"web": {"image": "x"}}}
    assert exposure_table(other, [other, stack()]) == exposure_table(other)


# -- the programs --------------------------------------------------------------------------------------------------


class _Nginx:
    def __init__(self, server):
        self.ask, self.connected = server.ask, server.connected
        self._server = server

    def config(self, files):
        included = ["listen unix:{0}/own.sock;".format(INSIDE), "root /nowhere;", *files["edge/routes.nginx.conf"].splitlines()]
        inside = block("http", block("server", [*included, *block("location /static/", ["return 200 own;"])]))
        return "\n".join(["user nginx;", "pid /run/nginx.pid;", *block("events", []), *inside, ""])

    def judged(self, files):
        return self._server.judged(self.config(files))

    def serving(self, files):
        return self._server.serving(self.config(files))


@pytest.fixture(scope="module", params=IMAGES)
def server(request):
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(upstream_server.__file__, directory)
        with nginx(directory, request.param) as found:
            with running(local_image("python"), directory, "python3", "/srv/test/upstream_server.py", network="container:" + found.container):
                until(lambda: found.inside("curl", "-s", "http://127.0.0.1:{0}".format(upstream_server.PORT), check=False).returncode == 0)
                yield _Nginx(found)


def test_nginx_has_nothing_against_any_file(server):
    for routes in (EVERY, [*EVERY, {"service": "api", "port": 8000}], [API]):
        assert server.judged(external_files(stack(routes))) == ""


def test_caddy_has_nothing_against_any_file(tmp_path):
    caddy = Caddy(str(tmp_path))
    for routes in (EVERY, [*EVERY, {"service": "api", "port": 8000}], [API]):
        text = external_files(stack(routes))["edge/routes.caddy"]
        inside = "".join("\t" + line + "\n" if line else "\n" for line in text.splitlines())
        assert caddy.judged(":80 {\n" + inside + "\trespond own\n}\n") == ""


def test_one_server_includes_the_files_of_two_stacks(server, tmp_path):
    found = [
        external_files(declared)
        for declared in (stack(EVERY), stack([{**API, "prefix": "/other"}, {"regex": "/o+", "service": "api", "port": 8000}], name="o-2"))
    ]
    both = {path: found[0][path] + found[1][path] for path in found[0]}
    assert server.judged(both) == ""
    with server.serving(both):
        assert [server.ask("own.sock", request("GET", path)).status for path in ("/gone", "/other/x", "/oo", "/nowhere")] == [410, 200, 200, 404]
    inside = "".join("\t" + line + "\n" if line else "\n" for line in both["edge/routes.caddy"].splitlines())
    assert Caddy(str(tmp_path)).judged(":80 {\n" + inside + "}\n") == ""


def test_what_nginx_makes_of_each_key(server):
    spoofed = ["X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4", "X-Forwarded-Proto: https", "Forwarded: for=1.2.3.4", "CF-Connecting-IP: 1.2.3.4"]
    with server.serving(external_files(stack(EVERY))):

        def ask(method, target, *headers, body=b"", host="example.com"):
            return server.ask("own.sock", request(method, target, host, headers, body))

        told = json.loads(ask("GET", "/api/a%2Bb;c?d=%2f//", *spoofed, "Upgrade: websocket", "Connection: upgrade", host="example.com:8080").body)
        headers = {name.lower(): value for name, value in told["headers"]}
        assert told["target"] == "/api/a%2Bb;c?d=%2f//"
        assert headers["host"] == headers["x-forwarded-host"] == "example.com:8080"
        assert (headers["x-real-ip"], headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("unix:", "unix:", "http")
        assert headers["connection"] == "close" and not {"forwarded", "cf-connecting-ip", "upgrade"} & set(headers)
        assert json.loads(ask("GET", "/strip/a%2Bb?c").body)["target"] == "/a+b?c"
        assert json.loads(ask("GET", "/strip").body)["target"] == "/"
        refused = ask("POST", "/only")
        assert (refused.status, refused.headers["allow"]) == (405, ["GET, HEAD"])
        assert ask("POST", "/small", body=b"x" * 2000).status == 413
        assert json.loads(ask("POST", "/large", body=b"x" * 2000000).body)["length"] == 2000000
        assert (ask("GET", "/old/a?b").status, ask("GET", "/old/a?b").headers["location"]) == (301, ["https://new.example.com/old/a?b"])
        assert ask("GET", "/gone").status == 410
        assert ask("GET", "/api/../gone").status == ask("GET", "/api//x").status == ask("GET", "/api/%C0%AF").status == 400
        # What is the server's own is not touched.
        assert ask("GET", "/static//x/").body == b"own"
        upgrade = ["Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGVzdHRlc3R0ZXN0dGVzdA=="]
        with server.connected("own.sock") as connection:
            connection.sendall(b"GET /ws/socket HTTP/1.1\r\nHost: a\r\n" + "\r\n".join([*upgrade, "", ""]).encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        other = json.loads(ask("GET", "/ws", "Upgrade: h2c", "HTTP2-Settings: AAA").body)
        assert "close" in dict(other["headers"])["Connection"] and "Upgrade" not in dict(other["headers"])


def test_what_caddy_makes_of_each_key(tmp_path):
    with tempfile.TemporaryDirectory() as directory:
        caddy = Caddy(directory)
        text = external_files(stack(EVERY))["edge/routes.caddy"].replace("127.0.0.1:{0}".format(upstream_server.PORT), "unix/{0}/up.sock".format(directory))
        headers = ("X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "CF-Connecting-IP")
        told = " ".join(["{http.request.orig_uri}", *("{{header.{0}}}".format(name) for name in headers), "Upgrade={header.Upgrade}", "{host}"])
        up = "http:// {{\n bind unix/{0}/up.sock\n respond `{1}`\n}}\n".format(directory, told)
        own = "http://example.com {{\n bind unix/{0}/own.sock\n{1}\n respond /static/* own\n respond 404\n}}\n".format(directory, text)
        with caddy.serving(up + own, ["up.sock", "own.sock"]):

            def ask(method, target, *headers, body=b""):
                return caddy.ask("own.sock", request(method, target, "example.com", headers, body))

            spoofed = ["{0}: 1.2.3.4".format(name) for name in headers]
            asked = ask("GET", "/api/a%2Bb;c?d=%2f//", *spoofed).body.decode()
            assert asked.startswith("/api/a%2Bb;c?d=%2f// ") and "1.2.3.4" not in asked and asked.endswith(" example.com"), asked
            assert ask("GET", "/strip/a%2Bb?c").body.startswith(b"/a%2Bb?c ")
            assert ask("GET", "/strip").body.startswith(b"/ ")
            refused = ask("POST", "/only")
            assert (refused.status, refused.headers["allow"]) == (405, ["GET, HEAD"])
            assert ask("POST", "/small", body=b"x" * 2000).status == 413
            assert (ask("GET", "/old/a?b").status, ask("GET", "/old/a?b").headers["location"]) == (301, ["https://new.example.com/old/a?b"])
            assert ask("GET", "/gone").status == 410
            assert ask("GET", "/api/../gone").status == ask("GET", "/api//x").status == ask("GET", "/api/%C0%AF").status == 400
            assert ask("GET", "/static//x/").body == b"own"
            asked = {(path, to): ask("GET", path, "Connection: Upgrade", "Upgrade: " + to).body for path in ("/ws", "/api") for to in ("WebSocket", "h2c")}
            assert {case: told.split()[-2] for case, told in asked.items()} == {**dict.fromkeys(asked, b"Upgrade="), ("/ws", "WebSocket"): b"Upgrade=websocket"}
