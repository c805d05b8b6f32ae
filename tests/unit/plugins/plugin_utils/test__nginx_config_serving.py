# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real nginx does with the rendered configuration."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid

import pytest
import upstream_server
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import nginx_config
from edge_stacks import certificate
from local_images import local_image, running
from nginx_runner import IMAGES, INSIDE, Nginx, nginx, on_sockets, parsed, read_all, request, until

UPSTREAM = "http://127.0.0.1:{0}".format(upstream_server.PORT)


@pytest.fixture(scope="module", params=IMAGES)
def server(request):
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(upstream_server.__file__, directory)
        with nginx(directory, request.param) as found:
            with running(local_image("python"), directory, "python3", "/srv/test/upstream_server.py", network="container:" + found.container):
                until(lambda: found.inside("curl", "-s", UPSTREAM, check=False).returncode == 0)
                found.directory = directory
                yield found


def config(routes, **edge):
    return on_sockets(nginx_config({"name": "s", "services": {}, "edge": {"kind": "nginx", **edge}, "routes": routes}))


def route(**options):
    return {"url": UPSTREAM, **options}


def told(reply):
    """What the service says that it was asked."""
    assert reply.status == 200, reply
    found = json.loads(reply.body)
    return {**found, "headers": {name.lower(): value for name, value in found["headers"]}}


def test_a_service_is_told_who_asks_for_what(server):
    spoofed = ["X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "Forwarded: for=1.2.3.4", "Proxy: evil"]
    others = ["X-Client-IP", *("X-Forwarded-" + part for part in ("Port", "Prefix", "Protocol", "Scheme", "Server", "Ssl"))]
    spoofed += [name + ": evil" for name in others]
    spoofed += ["Upgrade: websocket", "Connection: upgrade"]
    with server.serving(config([{"service": "127.0.0.1", "port": 9001}], real_ip={"from": ["127.0.0.0/8"], "header": "X-Client"})):
        asked = ["curl", "-s", "-H", "Host: example.com:8080", *(part for line in spoofed for part in ("-H", line)), "http://127.0.0.1/a%2Bb;c?d=%2f//"]
        found = json.loads(server.inside(*asked, "-H", "X-Client: 203.0.113.7, 198.51.100.4").stdout)
        other = told(server.ask("80.sock", request("GET", "/", headers=spoofed)))["headers"]
    headers = {name.lower(): value for name, value in found["headers"]}
    assert found["target"] == "/a%2Bb;c?d=%2f//"
    assert headers["host"] == headers["x-forwarded-host"] == "example.com:8080"
    # 127.0.0.1 is a proxy to be believed.
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "198.51.100.4"
    assert headers["x-forwarded-proto"] == "https"
    # A socket is not.
    assert (other["x-forwarded-for"], other["x-forwarded-proto"], other["x-forwarded-host"]) == ("unix:", "http", "example.com")
    for one in (headers, other):
        assert one["connection"] == "close"
        assert not {"forwarded", "proxy", "upgrade", *map(str.lower, others)} & set(one)


def test_without_real_ip_nobody_is_believed(server):
    with server.serving(config([route()])):
        asked = ["curl", "-s", "-H", "X-Forwarded-For: 1.2.3.4", "-H", "X-Forwarded-Proto: https", "-H", "CF-Connecting-IP: 1.2.3.4"]
        asked += ["-H", "True-Client-IP: 1.2.3.4", "http://127.0.0.1/"]
        headers = dict(json.loads(server.inside(*asked).stdout)["headers"])
    assert (headers["X-Forwarded-For"], headers["X-Real-IP"], headers["X-Forwarded-Proto"]) == ("127.0.0.1", "127.0.0.1", "http")
    assert not {"CF-Connecting-IP", "True-Client-IP"} & set(headers)


@pytest.mark.parametrize("header", ["cf-connecting-ip", "True-Client-IP"])
def test_the_header_that_is_believed_is_handed_on_as_it_was_believed(server, header):
    spoofed = ["CF-Connecting-IP: 203.0.113.7", "True-Client-IP: 203.0.113.7"]
    with server.serving(config([{"service": "127.0.0.1", "port": 9001}], real_ip={"from": ["127.0.0.0/8"], "header": header})):
        believed = json.loads(server.inside("curl", "-s", *(part for line in spoofed for part in ("-H", line)), "http://127.0.0.1/").stdout)["headers"]
        other = told(server.ask("80.sock", request("GET", "/", headers=spoofed)))["headers"]
    names = ("cf-connecting-ip", "true-client-ip")
    assert {name.lower(): value for name, value in believed if name.lower() in names} == {header.lower(): "203.0.113.7"}
    # A socket is no proxy that is to be believed.
    assert {name: other.get(name) for name in names} == {name: "unix:" if name == header.lower() else None for name in names}


def test_behind_a_tunnel_cloudflare_says_who_asks(server):
    text = config([route()], tunnel="id", credentials="t")
    # The tunnel's container has a private address; here there is only this one.
    text = text.replace("10.0.0.0/8", "127.0.0.0/8")
    with server.serving(text):
        asked = ["curl", "-s", "-H", "X-Forwarded-For: 1.2.3.4", "-H", "X-Forwarded-Proto: https", "-H", "CF-Connecting-IP: 203.0.113.9"]
        asked += ["-H", "True-Client-IP: 1.2.3.4", "http://127.0.0.1/"]
        headers = dict(json.loads(server.inside(*asked).stdout)["headers"])
    assert (headers["X-Forwarded-For"], headers["X-Real-IP"], headers["X-Forwarded-Proto"]) == ("203.0.113.9", "203.0.113.9", "https")
    assert (headers["CF-Connecting-IP"], headers.get("True-Client-IP")) == ("203.0.113.9", None)


def test_the_host_of_a_url_is_asked_for_by_its_name(server):
    with server.serving(config([route()])):
        headers = told(server.ask("80.sock", request("GET", "/")))["headers"]
    assert (headers["host"], headers["x-forwarded-host"]) == ("127.0.0.1:9001", "example.com")


@pytest.mark.parametrize(("shown", "trusted", "status"), [("far.test", True, 200), ("other.test", True, 502), ("far.test", False, 502)])
def test_a_url_with_https_is_asked_by_its_name_and_believed_only_with_its_certificate(server, shown, trusted, status):
    key, chain = certificate(shown)
    for name, text in (("far.pem", key + chain), ("authority.pem", chain)):
        with open(os.path.join(server.directory, name), "w") as stream:
            stream.write(text)
    pair = "ssl_certificate {0}/far.pem; ssl_certificate_key {0}/far.pem;".format(INSIDE)
    far = "server { listen 127.0.0.1:9443 ssl; " + pair + ' return 200 "$ssl_server_name $http_host"; }'
    text = config([route(url="https://far.test")])
    if trusted:
        text = text.replace("/etc/ssl/certs/ca-certificates.crt", INSIDE + "/authority.pem")
    # There is no DNS here.
    with server.serving(text.rstrip().rstrip("}") + "upstream far.test { server 127.0.0.1:9443; } " + far + " }"):
        reply = server.ask("80.sock", request("GET", "/"))
    assert (reply.status, reply.body if status == 200 else b"far.test far.test") == (status, b"far.test far.test")


def test_a_host_that_the_request_line_contradicts_is_not_handed_on(server):
    with server.serving(config([{"service": "127.0.0.1", "port": 9001}])):
        headers = told(server.ask("80.sock", request("GET", "http://example.com/", "evil.test:80")))["headers"]
    assert headers["host"] == headers["x-forwarded-host"] == "example.com"


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        ("/api", "/"),
        ("/api?x=1&y=%20", "/?x=1&y=%20"),
        ("/api/", "/"),
        ("/api/x", "/x"),
        ("/api/x/?q=/api/", "/x/?q=/api/"),
        ("/%61pi/x%20y", "/x%20y"),
        ("/api/caf%C3%A9/%25%3F%23", "/caf%C3%A9/%25%3F%23"),
        ("/api/a+b;c=d&e", "/a+b;c=d&e"),
        ("/api/api/x", "/api/x"),
        ("/a.b+c/x", "/x"),
        ("/axb+c/x", None),
        ("/apiary", None),
    ],
)
def test_a_prefix_is_taken_off_the_path_and_nothing_else(server, target, reached):
    with server.serving(config([route(prefix="/api", strip_prefix=True), route(prefix="/a.b+c", strip_prefix=True)])):
        reply = server.ask("80.sock", request("GET", target))
    assert (told(reply)["target"] if reached else reply.status) == (reached or 404)


def test_other_methods_are_refused_with_those_that_are_allowed(server):
    routes = [route(prefix="/x", methods=["GET", "POST"]), {"prefix": "/to", "redirect": "/there", "methods": ["POST"]}, route()]
    with server.serving(config(routes)):
        replies = {method: server.ask("80.sock", request(method, "/x/refusing")) for method in ("GET", "HEAD", "DELETE")}
        other = server.ask("80.sock", request("GET", "/to"))
        free = server.ask("80.sock", request("DELETE", "/y"))
    assert [reply.status for reply in replies.values()] == [405, 405, 405]
    # The first two are the service's own.
    assert [reply.headers.get("allow") for reply in replies.values()] == [None, None, ["GET, HEAD, POST"]]
    assert replies["DELETE"].headers["x-content-type-options"] == ["nosniff"]
    assert (other.status, other.headers["allow"], free.status, free.headers.get("allow")) == (405, ["POST"], 200, None)


def test_bodies_are_as_large_as_their_routes_allow(server):
    routes = [route(prefix="/small", max_body="1k"), route(prefix="/large", max_body="200m"), route(prefix="/any", max_body="0"), route()]
    with server.serving(config(routes, max_body="2m")):
        statuses = {
            (path, size): server.ask("80.sock", request("POST", path, body=b"x" * size)).status
            for path in ("/small", "/large", "/any", "/")
            for size in (1000, 1500, 2 << 20, (2 << 20) + 1, 15 << 20)
        }
    assert {key for key, status in statuses.items() if status == 413} == {
        *(("/small", size) for size in (1500, 2 << 20, (2 << 20) + 1, 15 << 20)),
        *(("/", size) for size in ((2 << 20) + 1, 15 << 20)),
    }
    assert set(statuses.values()) == {200, 413}


def test_the_edge_itself_may_say_that_bodies_are_of_any_size(server):
    with server.serving(config([route(prefix="/small", max_body="1k"), route()], max_body=0)):
        statuses = [server.ask("80.sock", request("POST", path, body=b"x" * (2 << 20))).status for path in ("/small", "/")]
    assert statuses == [413, 200]


def test_large_uploads_reach_the_service_while_they_come_in(server):
    seen = os.path.join(server.directory, "early")
    head = request("POST", "/large/early", headers=["Content-Length: 150000000"])
    with server.serving(config([route(max_body="200m")])):
        with server.connected("80.sock") as connection:
            connection.sendall(head + b"x" * 1000)
            until(lambda: os.path.exists(seen))
    assert "a client request body is buffered" not in server.log()


def test_rates_are_limited_for_each_route_and_streams_are_left_alone(server):
    routes = [
        route(prefix="/api/stream", stream="sse"),
        route(prefix="/api", rate_limit={"rate": "1r/m", "burst": 2}),
        route(prefix="/other", rate_limit="3r/m"),
    ]
    with server.serving(config(routes)):
        statuses = {path: [server.ask("80.sock", request("GET", path)).status for _unused in range(6)] for path in ("/api/x", "/api/stream/x", "/other")}
        shared = server.ask("80.sock", request("GET", "/api")).status
    assert statuses == {"/api/x": [200] * 3 + [429] * 3, "/api/stream/x": [200] * 6, "/other": [200] * 4 + [429] * 2}
    assert shared == 429


def test_redirects_keep_what_they_are_to_keep(server):
    routes = [
        {"prefix": "/all", "redirect": "https://new.test/x{uri}"},
        {"prefix": "/one", "redirect": {"to": "/two?x=%24", "status": 302}},
        {"prefix": "/sub", "redirect": {"to": "https://new.test{uri}", "status": 307}},
    ]
    with server.serving(config(routes)):
        found = [server.ask("80.sock", request("GET", target)) for target in ("/all/a%20b?c=%2f&d", "/one/x?y", "/sub", "/all/%0a", "/all//evil.test")]
    assert [(reply.status, reply.headers.get("location")) for reply in found] == [
        (308, ["https://new.test/x/all/a%20b?c=%2f&d"]),
        (302, ["/two?x=%24"]),
        (307, ["https://new.test/sub"]),
        (400, None),
        (400, None),
    ]


def test_responses_are_what_was_declared(server):
    page = '<p class="x">\\n é; {} $host ${uri} $1 5$</p>\n'
    routes = [
        {"exact": "/a.json", "respond": {"status": 410, "body": page, "content_type": "text/html; charset=utf-8"}},
        {"exact": "/b.json", "respond": {"status": 200, "body": "b"}},
        {"exact": "/c", "respond": 204},
        {"exact": "/d", "respond": 403},
    ]
    with server.serving(config(routes)):
        found = [server.ask("80.sock", request("GET", "/" + name)) for name in ("a.json", "b.json", "c", "d")]
    assert [reply.status for reply in found] == [410, 200, 204, 403]
    assert (found[0].body.decode(), found[0].headers["content-type"]) == (page, ["text/html; charset=utf-8"])
    assert (found[1].body, found[1].headers["content-type"], found[2].body) == (b"b", ["text/plain"], b"")


def test_security_headers_are_on_every_answer_once(server):
    routes = [route(prefix="/api"), {"exact": "/gone", "respond": 410}]
    targets = ["/api", "/api/own", "/gone", "/nothing", "/%00", "/health"]
    changed = {"X-Frame-Options": "DENY", "referrer-policy": None, "Permissions-Policy": 'a=(), b=("x\\y$host$")'}
    with server.serving(config(routes)):
        usual = {target: server.ask("80.sock", request("GET", target)).headers for target in targets}
    with server.serving(config(routes, headers=changed)):
        other = {target: server.ask("80.sock", request("GET", target)).headers for target in targets}
    for target in targets:
        assert usual[target]["x-content-type-options"] == other[target]["x-content-type-options"] == ["nosniff"]
        own = target == "/api/own"
        assert usual[target]["x-frame-options"] == ["ALLOW-FROM x" if own else "SAMEORIGIN"]
        assert other[target]["x-frame-options"] == ["ALLOW-FROM x" if own else "DENY"]
        assert usual[target]["referrer-policy"] == ["origin" if own else "strict-origin-when-cross-origin"]
        assert other[target].get("referrer-policy") == (["origin"] if own else None)
        assert other[target]["permissions-policy"] == ['a=(), b=("x\\y$host$")']
        assert usual[target]["server"] == ["nginx"]
        assert usual[target].get("strict-transport-security") == (["max-age=1"] if own else None)


def test_text_is_compressed_for_who_can_read_it(server):
    with server.serving(config([route(prefix="/events", stream="sse"), route()])):
        replies = [server.ask("80.sock", request("GET", target, headers=["Accept-Encoding: gzip"])) for target in ("/x", "/events/x")]
        plain = server.ask("80.sock", request("GET", "/x"))
    assert [reply.headers.get("content-encoding") for reply in [*replies, plain]] == [["gzip"], None, None]
    assert plain.headers["vary"] == ["Accept-Encoding"]


def test_events_arrive_one_by_one(server):
    with server.serving(config([route(prefix="/events", stream="sse")])):
        with server.connected("80.sock") as connection:
            connection.sendall(request("GET", "/events", headers=["Accept-Encoding: gzip"]))
            first = b""
            while b"data: first" not in first:
                first += connection.recv(65536)
            assert b"data: second" not in first
            with open(os.path.join(server.directory, "seen"), "w"):
                pass
            reply = parsed(first + read_all(connection))
    assert (reply.status, reply.body) == (200, b"data: first\n\ndata: second\n\n")
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize("stream", ["websocket", None])
def test_websockets_go_both_ways_where_they_are_declared(server, stream):
    with server.serving(config([route(prefix="/socket", stream=stream)])):
        with server.connected("80.sock") as connection:
            lines = ["GET /socket HTTP/1.1", "Host: example.com", "Upgrade: websocket", "Connection: Upgrade", "", ""]
            connection.sendall("\r\n".join(lines).encode())
            found = b""
            while b"\r\n\r\n" not in found or stream and not found.endswith(b"hello"):
                found += connection.recv(65536)
            if stream is None:
                assert found.startswith(b"HTTP/1.1 200 ")
                return
            assert found.startswith(b"HTTP/1.1 101 ")
            for text in (b"abc", b"def"):
                connection.sendall(text)
                assert connection.recv(100) == text.upper()


@pytest.mark.parametrize("asked", ["h2c", "websocket, h2c", "WebSocket", "websocket2"])
def test_no_other_protocol_is_changed_to_where_websockets_are(server, asked):
    """In HTTP/2 a client would ask the service for paths that no route leads to."""
    with server.serving(config([route(prefix="/ws", stream="websocket")])):
        headers = told(server.ask("80.sock", request("GET", "/ws", headers=["Upgrade: " + asked, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"])))["headers"]
    is_one = asked == "WebSocket"
    assert (headers.get("upgrade"), headers["connection"]) == (("websocket", "upgrade") if is_one else (None, "close"))


def test_the_edge_answers_for_itself_whatever_the_host_is(server):
    text = config([{"host": "one.test", "prefix": "/", "respond": 200}])
    digest = text.partition("/.well-known/portside/")[2].partition(" ")[0]
    os.makedirs(os.path.join(server.directory, "acme/.well-known/acme-challenge"))
    with open(os.path.join(server.directory, "acme/.well-known/acme-challenge/tok-en"), "w") as stream:
        stream.write("key")
    own = "/.well-known/portside/"
    asked = ["/health", own + digest, own + "0" * 16, own, "/.well-known/acme-challenge/tok-en", "/.well-known/acme-challenge/other", "/x"]
    with server.serving(text):
        for host in ("one.test", "other.test", "127.0.0.1"):
            replies = [server.ask("80.sock", request("GET", target, host)) for target in asked]
            assert [reply.status for reply in replies] == [200, 204, 404, 404, 200, 404, 200 if host == "one.test" else 0]
            assert (replies[0].body, replies[4].body, replies[4].headers["content-type"]) == (b"ok\n", b"key", ["text/plain"])
    assert "/x" in server.log() and own not in server.log()


def test_behind_a_tunnel_unknown_hosts_are_answered(server):
    with server.serving(config([{"host": "one.test", "respond": 204}], tunnel="id", credentials="t")):
        assert [server.ask("80.sock", request("GET", "/", host)).status for host in ("one.test", "other.test")] == [204, 404]


@pytest.mark.parametrize(
    ("routes", "health", "expected"),
    [
        ([{"prefix": "/", "respond": 204}], "/health", 200),
        ([{"exact": "/health", "respond": 418}, {"respond": 204}], "/health", 418),
        ([{"prefix": "/health", "respond": 418}, {"respond": 204}], "/health", 418),
        ([{"prefix": "/health/", "respond": 418}, {"respond": 204}], "/health", 200),
        ([{"regex": "/heal.*", "respond": 418}, {"respond": 204}], "/health", 200),
        ([{"respond": 204}], "", 204),
        ([{"respond": 204}], "/up", 204),
    ],
)
def test_health_is_the_edges_unless_a_route_is_that_very_path(server, routes, health, expected):
    with server.serving(config(routes, health=health)):
        assert server.ask("80.sock", request("GET", "/health")).status == expected


def test_while_there_is_no_certificate_all_is_said_to_come_later(server):
    stack = {"name": "s", "services": {}, "edge": {"kind": "nginx", "hosts": ["one.test"], "tls": {"kind": "acme"}}, "routes": [{"respond": 204}]}
    text = nginx_config(stack, challenge=True)
    own = "/.well-known/portside/"
    digest = text.partition(own)[2].partition(" ")[0]
    with server.serving(on_sockets(text)):
        replies = [server.ask("80.sock", request("GET", target, "one.test")) for target in ("/", "/health", own + digest, own + "0", "//")]
    assert [reply.status for reply in replies] == [503, 200, 204, 404, 400]
    assert replies[0].headers["retry-after"] == ["30"]
    assert "listen 443" not in text


def test_a_service_is_found_again_after_it_was_made_anew(tmp_path_factory):
    """With Docker's own names: nginx starts before the service, and reaches the next one under another address."""
    network, service = ("portside-unit-" + uuid.uuid4().hex[:12] for _unused in range(2))
    started = []

    def start(image, *options):
        done = subprocess.run(["docker", "run", "--detach", "--network", network, *options, image, "infinity"], check=True, capture_output=True, text=True)
        started.append(done.stdout.strip())
        return started[-1]

    def serve(container, text):
        content = "events {{ }} http {{ server {{ listen 8000; return 200 {0}; }} }}".format(text)
        argv = ["docker", "exec", container, "sh", "-c", "echo '{0}' >/tmp/x && exec nginx -c /tmp/x >/tmp/y 2>&1".format(content)]
        subprocess.run(argv, check=True, capture_output=True)

    image = local_image(IMAGES[0])
    subprocess.run(["docker", "network", "create", network], check=True, capture_output=True)
    try:
        with tempfile.TemporaryDirectory() as directory:
            mount = "type=bind,source={0},target=/srv/test".format(directory)
            edge = Nginx(start(image, "--mount", mount, "--entrypoint", "sleep"), directory)
            text = on_sockets(nginx_config({"name": "s", "services": {service: {}}, "edge": {"kind": "nginx"}, "routes": [{"service": service, "port": 8000}]}))
            with edge.serving(text):
                assert edge.ask("80.sock", request("GET", "/")).status == 502
                first = start(image, "--network-alias", service, "--entrypoint", "sleep")
                serve(first, "first")
                until(lambda: edge.ask("80.sock", request("GET", "/")).body == b"first")
                subprocess.run(["docker", "rm", "--force", first], check=True, capture_output=True)
                # Somebody else has its address now.
                start(image, "--entrypoint", "sleep")
                serve(start(image, "--network-alias", service, "--entrypoint", "sleep"), "second")
                until(lambda: edge.ask("80.sock", request("GET", "/")).body == b"second")
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", *started], check=False, capture_output=True)
        subprocess.run(["docker", "network", "rm", network], check=True, capture_output=True)
