"""Who answers: the tables of three systems, through real nginx and by cloudflared's matching."""

from __future__ import annotations

import ssl

import pytest

SYSTEM_2 = {
    "/": "example-web:3000",
    "/about": "example-web:3000",
    "/api": "example-web:3000",
    "/apis": "example-web:3000",
    "/api/": "example-api:8000",
    "/api/posts?page=2": "example-api:8000",
    "/admin/": "example-api:8000",
    "/admin/login/": "example-api:8000",
    "/media/": "example-api:8000",
    "/media/a%20b.png": "example-api:8000",
    "/static/": "example-api:8000",
    "/static/app.css": "example-api:8000",
}
SYSTEM_3 = {
    "/": "frontend:5173",
    "/onboarding": "frontend:5173",
    "/api/": "backend:8000",
    "/api/v1/config/frontend/": "backend:8000",
    "/api": "frontend:5173",
    "/apiary": "frontend:5173",
    "/admin/": "backend:8000",
    "/admin/x": "backend:8000",
    "/static/": "backend:8000",
    "/static/x": "backend:8000",
    "/media/": "backend:8000",
    "/media/x": "backend:8000",
    "/ws": "frontend:5173",
    "/ws/x": "frontend:5173",
    "/@vite/client": "frontend:5173",
    "/%40vite/client": "frontend:5173",
}
# With what people's globs would have taken, had they been handed on as they are.
SYSTEM_5 = {
    "/": "api:8000",
    "/ws": "realtime:8001",
    "/ws/": "realtime:8001",
    "/ws/rooms/1": "realtime:8001",
    "/%77s": "realtime:8001",
    "/wsx": "api:8000",
    "/wp-admin/": "api:8000",
    "/a/ws": "api:8000",
    "/WS": "api:8000",
    "/api/v1/mentor/stream": "asgi:8001",
    "/api/v1/mentor/stream/": "asgi:8001",
    "/api/v1/mentor/stream/7?x=1": "asgi:8001",
    "/api/v1/mentor/str%65am": "asgi:8001",
    "/api/v1/mentor/streams": "api:8000",
    "/api/v1/mentor": "api:8000",
    "/media/": "media:8080",
    "/media/a.png": "media:8080",
    "/media": "api:8000",
    "/mediax": "api:8000",
    "/x/media/a.png": "api:8000",
    "/api": "api:8000",
    "/api/docs/": "api:8000",
    "/apple": "api:8000",
    "/caf%C3%A9": "api:8000",
    "/" + "long/" * 300: "api:8000",
}
# Each is somebody else's path to one of the programs on the way.
REFUSED = ["//", "/a//b", "//media/a", "/./a", "/a/.", "/../a", "/a/../b", "/a/..", "/media/../api", "/%2e%2e/a", "/a/%2E%2e/b", "/a/.%2e", "/%2e/a"]
# What services take for "..", or for a slash.
REFUSED += ["/x/..;/admin", "/x/..%3Ba=b/admin", "/;/admin", "/a%5Cb", "/x%5c..%5Cadmin", "/%C0%AE%C0%AE/admin", "/caf%E9"]
# What cloudflared's rules cannot see.
REFUSED_BY_NGINX = ["/a%2Fb", "/a%2fb", "/a%2eb", "/%2E%2E%2Fetc", "/a%00b", "/a%0ab", "/a%7f", "/a%zz", "/a%", "/a%2"]


def answered(ask, table: dict[str, str]) -> dict[str, str]:
    """The same table as it is answered."""
    return {target: ask(target).service for target in table}


def test_system_2_routes_as_written(front):
    assert answered(lambda target: front.ask("https://lcl.example.com" + target), SYSTEM_2) == SYSTEM_2


@pytest.mark.parametrize("host", ["app.test", "127.0.0.1", "whatever.example:8081"])
def test_system_3_routes_as_written_for_any_host(site, second, host):
    assert answered(lambda target: site.appstack().ask(f"http://{host}{target}"), SYSTEM_3) == SYSTEM_3


def test_system_5_routes_as_written(edge):
    assert answered(edge.ask, SYSTEM_5) == SYSTEM_5


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_programs_read_differently_is_refused_by_both(edge, method):
    assert {target: edge.ask(target, method).status for target in REFUSED} == dict.fromkeys(REFUSED, 400)


def test_what_one_of_them_alone_can_see_is_refused_by_that_one(front):
    assert {target: front.ask("https://self.test" + target).status for target in REFUSED_BY_NGINX} == dict.fromkeys(REFUSED_BY_NGINX, 400)
    # In a query all of that is somebody's data.
    assert front.ask("https://self.test/a?x=//../%2F%2e%00").told["target"] == "/a?x=//../%2F%2e%00"


def test_a_path_arrives_as_it_was_written(edge):
    for target in ("/caf%C3%A9;a=1/%20+%41?q=%2F//..", "/~x/$y/%25;x=1"):
        assert edge.ask(target).told["target"] == target


def test_a_regular_expression_matches_the_whole_path(front):
    wanted = {"/item/7": "media:8080", "/item/77": "media:8080", "/item/7/x": "api:8000", "/item/x": "api:8000", "/a/item/7": "api:8000"}
    assert answered(lambda target: front.ask("https://shop.test" + target), wanted) == wanted


def test_hosts_are_known_whatever_their_case(front):
    assert front.ask("https://self.test/ws", host="SELF.test").service == "realtime:8001"
    assert front.ask("https://self.test/ws", host="self.test:443").service == "realtime:8001"


def test_an_unknown_host_is_refused(site, front):
    for url in ("http://unknown.test/", "http://127.0.0.1/", "http://sub.self.test/"):
        with pytest.raises(ConnectionError):
            front.ask(url)
    for url in ("https://unknown.test/", "https://127.0.0.1/"):
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name|handshake|alert"):
            front.connect(url)
    # A host that is known in the handshake opens no other one.
    with pytest.raises(ConnectionError):
        front.ask("https://self.test/", host="unknown.test")
    assert site.tunnel().ask("http://unknown.test/").status == 404
