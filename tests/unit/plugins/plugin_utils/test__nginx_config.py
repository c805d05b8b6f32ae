# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import ssl
import tempfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import config_digest_of, nginx_config
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes
from edge_stacks import certificate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nginx_runner import IMAGES, nginx, on_sockets, parsed, read_all, request

OWN = "/.well-known/portside/"


ONE, TWO = certificate("one.test", "www.one.test"), certificate("*.two.test")
FILES = {"kind": "files", "certificates": [{"certificate": ONE[1], "key": "one"}, {"certificate": TWO[1], "key": "two"}]}


@pytest.fixture(scope="module", params=IMAGES)
def server(request):
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(directory + "/certificates")
        for name, pair in (("0.pem", ONE), ("1.pem", TWO), ("self-signed.pem", ONE), ("acme.pem", ONE)):
            with open("{0}/certificates/{1}".format(directory, name), "w") as stream:
                stream.writelines(pair)
        with nginx(directory, request.param) as found:
            yield found


@pytest.fixture(scope="module")
def facts(server):
    """The versions in the image."""
    told = server.inside("nginx", "-V").stderr
    return {"nginx": re.search(r"nginx/([0-9.]+)", told).group(1), "openssl": re.search(r"OpenSSL ([0-9.]+)", told).group(1)}


def stack(routes=({"respond": 204},), services=None, networks=None, **edge):
    return {"name": "shop", "services": services or {}, "networks": networks or {}, "edge": {"kind": "nginx", **edge}, "routes": list(routes)}


PATHS = st.sampled_from(["/", "/api", "/api/", "/a b", "/é/", "/x;y", '/q"', "/a;", "/{b}", "/$1", "/health", "/~", "/=", "/" + "l" * 900])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.sampled_from(["websocket", "sse"]),
        "methods": st.just(["GET", "PUT"]),
        "max_body": st.sampled_from(["0", "9m", "200m", "1g"]),
        "timeout": st.integers(1, 604800),
        "rate_limit": st.sampled_from(["1r/s", {"rate": "999999r/m", "burst": 0}]),
    },
)
WHERE = st.one_of(
    PATHS.map(lambda path: {"exact": path}),
    PATHS.map(lambda path: {"prefix": path}),
    st.sampled_from([{"prefix": "/api", "strip_prefix": True}, {"prefix": "/a.b $(c)", "strip_prefix": True}]),
    st.sampled_from(["/[^/]+/x", '/"\\{\\}; *\\$', "/a{2,3}[^\\\\/]*(n|t)", "/[\\]\\[]+#"]).map(lambda pattern: {"regex": pattern}),
)
PROXIED = st.builds(
    lambda target, options: {**target, **options},
    st.sampled_from([{"service": "api", "port": 8000}, {"service": "web", "port": 80, "stack": "other"}, {"url": "https://a.test:8443"}, {"url": "http://[fd00::1]"}]),
    OPTIONS,
)
OWN_ANSWER = st.sampled_from(
    [
        {"respond": 204},
        {"respond": {"status": 451, "body": "\\ é\n\t\"';{}#", "content_type": "text/html; charset=utf-8"}},
        {"redirect": "https://b.test/x?y=1&z{uri}"},
        {"redirect": {"to": "/", "status": 301}, "methods": ["POST"]},
    ]
)
HOST = st.sampled_from([{}, {}, {"host": "one.test"}, {"host": "*.one.test"}, {"host": ".".join(["l" * 60] * 4)}])
ROUTES = st.lists(st.builds(lambda host, where, rest: {**host, **where, **rest}, HOST, WHERE, st.one_of(PROXIED, OWN_ANSWER)), max_size=6)
EDGES = st.fixed_dictionaries(
    {},
    optional={
        "hosts": st.sampled_from([[], ["one.test", "*.two.test"], ["*.one.test"]]),
        "tls": st.sampled_from([{"kind": "self_signed"}, {"kind": "acme", "hsts": 300}, FILES]),
        "headers": st.sampled_from([{"X-Frame-Options": None}, {"content-security-policy": "default-src 'self'; img-src \"x\\\""}]),
        "max_body": st.sampled_from(["0", "20m", "1G"]),
        "real_ip": st.sampled_from([{"from": ["10.0.0.0/8", "fd00::/8", "::1"]}, {"from": ["192.0.2.7"], "header": "X-Real-IP"}]),
        "health": st.sampled_from(["", "/up", "/a.json"]),
        "tunnel": st.just("6ff42ae2-765d-4adf-8112-31c55c1551ef"),
    },
)
NETWORKS = st.sampled_from([{}, {"default": {"enable_ipv6": True}}])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(ROUTES, EDGES, NETWORKS, st.booleans())
def test_nginx_takes_whatever_is_rendered_without_a_warning(server, facts, routes, edge, networks, challenge):
    # What is dead is not refused here, but a list is one in which each place is declared once.
    text = nginx_config(stack(routes, {"api": {}}, networks, **edge), facts, challenge)
    assert server.judged(text) == ""
    assert config_digest_of(text) == text.partition(OWN)[2].partition(" ")[0]
    assert len(set(re.findall(OWN + "([0-9a-f]+)", text))) == 1
    positions = {int(found) for found in re.findall(r"# routes\[(\d+)\]:", text)}
    assert challenge or positions <= {route.index for route in parse_routes(list(routes))[0]}


@pytest.mark.parametrize("name", ["Content-Security-Policy-Report-Only", "X-" + "l" * 98])
def test_headers_may_have_long_names(server, facts, name):
    assert server.judged(nginx_config(stack(headers={name: "x"}), facts)) == ""


def test_the_digest_is_that_of_the_text():
    one, other = (nginx_config(stack([{"prefix": "/a", "respond": status}])) for status in (204, 404))
    assert config_digest_of(one) == config_digest_of(one.replace(config_digest_of(one), "0" * 16)) != config_digest_of(other)
    assert config_digest_of(one + " ") != config_digest_of(one)
    # What a route says does not pass for it.
    said = nginx_config(stack([{"respond": {"status": 200, "body": "location = {0}0123456789abcdef {{".format(OWN)}}]))
    assert "location = {0}{1} {{".format(OWN, config_digest_of(said)) in said
    assert OWN + "0123456789abcdef {" in said


@pytest.mark.parametrize(
    ("versions", "expected", "absent"),
    [
        ({"nginx": "1.22.1", "openssl": "3.0.2"}, ["listen 443 ssl http2;", "ssl_ecdh_curve X25519:"], ["http2 on;"]),
        ({"nginx": "1.25.0", "openssl": "3.4.9"}, ["listen 443 ssl http2;", "ssl_ecdh_curve X25519:"], ["http2 on;"]),
        ({"nginx": "1.25.1", "openssl": "3.5.0"}, ["listen 443 ssl;", "http2 on;", "ssl_ecdh_curve X25519MLKEM768:X25519:"], ["ssl http2"]),
        ({"nginx": "1.30", "openssl": "4.0.0"}, ["listen 443 ssl;", "http2 on;", "ssl_ecdh_curve X25519MLKEM768:X25519:"], ["ssl http2"]),
        ({}, ["listen 443 ssl;", "http2 on;", "ssl_ecdh_curve X25519:"], ["ssl http2"]),
        (None, ["listen 443 ssl;", "http2 on;", "ssl_ecdh_curve X25519:"], ["ssl http2"]),
    ],
)
def test_the_text_is_for_the_versions_in_the_image(versions, expected, absent):
    text = nginx_config(stack(hosts=["one.test"], tls={"kind": "self_signed"}), versions)
    assert [line for line in expected if line not in text] == []
    assert [line for line in absent if line in text] == []


@pytest.mark.parametrize(
    ("declared", "versions", "reason"),
    [
        (stack(), {"nginx": "1.20.2"}, "nginx 1.20.2 is older than 1.22"),
        (stack(), {"openssl": "LibreSSL"}, "'LibreSSL' is not a version of openssl"),
        ({"name": "shop", "services": {}}, None, "it has no nginx edge"),
        ({"name": "shop", "services": {}, "edge": {"kind": "cloudflared"}}, None, "it has no nginx edge"),
        (stack(hosts=["one.test"], tls={"kind": "self"}), None, "there is no certificate"),
    ],
)
def test_what_cannot_be_rendered_is_refused(declared, versions, reason):
    with pytest.raises(StackError, match=reason):
        nginx_config(declared, versions)


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ({"kind": "acme"}, "max-age=63072000"),
        (FILES, "max-age=63072000"),
        ({"kind": "acme", "staging": True}, None),
        ({"kind": "self_signed"}, None),
        ({"kind": "self_signed", "hsts": 60}, "max-age=60"),
        ({"kind": "acme", "hsts": 0}, None),
    ],
)
def test_browsers_are_bound_to_https_where_the_certificate_is_to_be_trusted(server, tls, expected):
    with server.serving(on_sockets(nginx_config(stack(hosts=["one.test"], tls=tls)))):
        secure = server.ask("443.sock", request("GET", "/", "one.test"), "one.test")
        plain = server.ask("80.sock", request("GET", "/", "one.test"))
    assert secure.headers.get("strict-transport-security") == (expected and [expected])
    assert "strict-transport-security" not in plain.headers


@pytest.mark.parametrize(
    ("ports", "location"),
    [
        (None, "https://one.test/a%20b?c=//%2f"),
        ([{"target": 80, "published": 8080}, {"target": 443, "published": 8443}], "https://one.test:8443/a%20b?c=//%2f"),
        (["8443:443", "443:443"], "https://one.test/a%20b?c=//%2f"),
        (["443"], "https://one.test/a%20b?c=//%2f"),
    ],
)
def test_plain_requests_for_known_hosts_go_on_to_https(server, ports, location):
    services = {"edge": {"ports": ports}} if ports else {}
    declared = stack([{"respond": 204}, {"host": "*.two.test", "prefix": "/x", "respond": 204}], services, hosts=["one.test"], tls=FILES)
    text = nginx_config(declared)
    digest = config_digest_of(text)
    with server.serving(on_sockets(text)):
        leading = server.ask("80.sock", request("POST", "/a%20b?c=//%2f", "ONE.test:80"))
        statuses = {
            (host, target): server.ask("80.sock", request("GET", target, host)).status
            for host in ("one.test", "a.two.test", "other.test")
            for target in ("/", "/health", OWN + digest, "/.well-known/acme-challenge/x", "//", "/x#")
        }
    assert (leading.status, leading.headers["location"]) == (308, [location])
    for host in ("one.test", "a.two.test", "other.test"):
        assert [status for (asked, _target), status in statuses.items() if asked == host] == [0 if host == "other.test" else 308, 200, 204, 404, 400, 400]


def test_each_name_is_shown_its_certificate_and_others_none(server, facts):
    routes = [{"host": "a.two.test", "respond": {"status": 200, "body": "two"}}, {"respond": {"status": 200, "body": "one"}}]
    text = nginx_config(stack(routes, hosts=["one.test", "www.one.test", "*.two.test"], tls=FILES), facts)
    shown = {"one.test": ONE, "www.one.test": ONE, "a.two.test": TWO, "b.two.test": TWO}
    with server.serving(on_sockets(text)):
        for name, pair in shown.items():
            with server.connected("443.sock", name) as connection:
                assert ssl.DER_cert_to_PEM_cert(connection.getpeercert(True)) == pair[1]
                connection.sendall(request("GET", "/", name))
                assert parsed(read_all(connection)).body == (b"two" if name == "a.two.test" else b"one")
        for name in ("two.test", "other.test"):
            with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
                server.connected("443.sock", name)
        # Who has shaken hands under one name and asks for another gets no more than on port 80.
        asked = [server.ask("443.sock", request("GET", target, "other.test"), "one.test").status for target in ("/", OWN + config_digest_of(text), OWN, "//")]
        assert asked == [0, 204, 404, 400]
        assert server.ask("443.sock", request("GET", OWN + config_digest_of(text), "one.test"), "one.test").status == 204


def test_who_asks_by_address_gives_no_name_and_is_shown_the_certificate_for_it(server, facts):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    text = nginx_config(stack(hosts=["one.test", "192.0.2.7"], tls={"kind": "self_signed"}), facts)
    with server.serving(on_sockets(text)):
        for host, status in (("192.0.2.7", 204), ("192.0.2.8", 0), ("other.test", 0)):
            with context.wrap_socket(server.connected("443.sock")) as connection:
                connection.sendall(request("GET", "/", host))
                assert parsed(read_all(connection)).status == status


@pytest.mark.parametrize("names", [["*.example.com", "*.b.example.com", "c.b.example.com"], ["c.b.example.com", "*.b.example.com", "*.example.com"]])
@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example.com", "*.example.com"),
        # A star is for one label alone.
        ("a.b.example.com", "*.b.example.com"),
        ("*.b.example.com", "*.b.example.com"),
        ("b.example.com", "*.example.com"),
        # Its own name comes before a star.
        ("c.b.example.com", "c.b.example.com"),
    ],
)
def test_each_host_has_the_certificate_that_is_for_it(names, host, name):
    given_files = [{"certificate": certificate(one)[1], "key": "key{0}".format(index)} for index, one in enumerate(names)]
    text = nginx_config(stack([{"host": host, "respond": 204}], tls={"kind": "files", "certificates": given_files}))
    served = re.findall(r"server_name ([^;]*);(?:(?!server_name).)*?ssl_certificate /etc/portside/certificates/(\d).pem;", text, re.DOTALL)
    assert served == [(host, str(names.index(name)))]
    key = re.search(r"ssl_certificate_key /etc/portside/certificates/(\d).pem;", text)
    assert key.group(1) == served[0][1]


def test_http_2_is_spoken_with_tls_alone(server, facts):
    text = nginx_config(stack(hosts=["one.test"], tls={"kind": "self_signed"}), facts)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with server.serving(on_sockets(text)):
        with context.wrap_socket(server.connected("443.sock"), server_hostname="one.test") as connection:
            assert connection.selected_alpn_protocol() == "h2"
            assert connection.version() == "TLSv1.3"
        assert server.raw("80.sock", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_any_host_is_answered_where_a_route_is_for_any(server, facts):
    routes = [{"host": "one.test", "prefix": "/x", "respond": {"status": 200, "body": "x"}}, {"respond": {"status": 200, "body": "any"}}]
    with server.serving(on_sockets(nginx_config(stack(routes, tls={"kind": "self_signed"}), facts))):
        asked = [(host, target) for host in ("one.test", "other.test") for target in ("/x", "/y")]
        found = {(host, target): server.ask("443.sock", request("GET", target, host), host).body for host, target in asked}
        leading = server.ask("80.sock", request("GET", "/", "other.test"))
    assert found == {("one.test", "/x"): b"x", ("one.test", "/y"): b"any", ("other.test", "/x"): b"any", ("other.test", "/y"): b"any"}
    assert leading.headers["location"] == ["https://other.test/"]


def test_hosts_that_differ_in_nothing_share_a_server():
    text = nginx_config(stack(hosts=["a.test", "b.test"], routes=[{"respond": 204}, {"host": "c.test", "respond": 200}]))
    assert re.findall("server_name (.*);", text) == ["a.test b.test", "c.test"]


def test_ipv6_is_listened_on_where_the_edge_has_an_address_of_it():
    six = {"default": {"enable_ipv6": True}}
    assert "listen [::]:80 default_server;" in nginx_config(stack(networks=six))
    assert "[::]" not in nginx_config(stack(networks={"default": {}, "other": {"enable_ipv6": True}}))
    assert "listen [::]:443 ssl;" in nginx_config(stack(networks=six, hosts=["a.test"], tls={"kind": "acme"}))


def test_people_are_told_which_route_each_place_is_for():
    routes = [{"prefix": "/ws", "service": "api", "port": 8001, "stream": "websocket"}, {"exact": "/x", "respond": 200}, {"service": "api", "port": 8000}]
    text = nginx_config(stack(routes, {"api": {}}))
    assert "#   0  any   prefix /ws  api:8001     websocket\n" in text
    assert re.findall(r"# (routes.*)\n +(location .*) \{", text) == [
        ("routes[0]: prefix /ws -> api:8001", "location = /ws"),
        ("routes[0]: prefix /ws -> api:8001", "location ^~ /ws/"),
        ("routes[1]: exact /x -> respond 200", "location = /x"),
        ("routes[2]: prefix / -> api:8000", "location /"),
    ]
