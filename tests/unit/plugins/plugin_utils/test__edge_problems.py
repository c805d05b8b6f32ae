# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._edge_problems import edge_problems
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import ANYTHING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TUNNEL = {"tunnel": "6ff42ae2-765d-4adf-8112-31c55c1551ef", "credentials": "tunnel_json"}
ROUTES = [{"service": "api", "port": 8000}]
NAMED = [{"host": "example.com", "service": "api", "port": 8000}]


def stack(edge, routes=ROUTES, services=None, **keys):
    found = {
        "name": "shop",
        "services": {"api": {"image": "shop:1"}, **(services or {})},
        "secrets": {"tunnel_json": {}, "made": {"generate": 32}},
        "exposure": {"edge": "public"},
        "edge": edge,
        "routes": routes,
    }
    found.update(keys)
    return found


def nginx(routes=ROUTES, services=None, keys=None, **edge):
    return stack({"kind": "nginx", **edge}, routes, services, **(keys or {}))


def service(**keys):
    """An nginx edge of which something is declared."""
    return nginx(services={"edge": keys})


def tls(routes=NAMED, exposure="public", **given):
    return nginx(routes, {}, {"exposure": {"edge": exposure}}, tls=given)


def cloudflared(route=None, services=None, exposure=None, **edge):
    routes = [{"service": "api", "port": 8000, **(route or {})}]
    return stack({"kind": "cloudflared", **TUNNEL, **edge}, routes, services, exposure=exposure or {})


def answering(**route):
    """A cloudflared edge with a route that names no service."""
    return stack({"kind": "cloudflared", **TUNNEL}, [{"path": "/*", **route}], exposure={})


def headers(**given):
    return nginx(headers=dict({"X-Frame-Options": "DENY"}, **given))


def real_ip(*networks, **given):
    return nginx(real_ip={"from": list(networks), **given})


def hosts(count):
    return nginx(NAMED, tls={"kind": "acme"}, hosts=["a{0}.example.com".format(index) for index in range(count)])


def problems(declared):
    found = []
    declared = with_edge(model.mapping(declared))
    edge_problems(Report(declared.get("name"), found), declared, model.services_of(declared))
    return found


# What is wrong -> the declaration, the key, and the words its one problem must have.
BAD = {
    "routes without an edge": (stack(None), "routes", ["no edge", "edge: {kind: nginx}"]),
    "edge without routes": (nginx([]), "edge", ["404", "routes: ["]),
    "unknown key": (nginx(host=["example.com"]), "edge", ["did you mean 'hosts'"]),
    "key that is no text": (nginx() | {"edge": {"kind": "nginx", 1: 2}}, "edge", ["1 is not", "quote"]),
    "no kind": (stack({"hosts": ["example.com"]}, NAMED), "edge.kind", ["missing", "kind: nginx, or one of cloudflared, external"]),
    "unknown kind": (stack({"kind": "ngnix"}), "edge.kind", ["did you mean 'nginx'"]),
    "kind a list": (stack({"kind": ["nginx"]}), "edge.kind", ["not text", "quote"]),
    "nginx with a name": (nginx(name="caddy"), "edge.name", ["kind: external", "service: NAME"]),
    "hosts a text": (nginx(hosts="example.com"), "edge.hosts", ["not a list", "[example.com]"]),
    "host with a port": (nginx(hosts=["example.com:443"]), "edge.hosts[0]", ["port"]),
    "host with a scheme": (nginx(hosts=["a.example.com", "https://example.com"]), "edge.hosts[1]", ["https://example.com"]),
    "host read by YAML": (nginx(hosts=[1.5]), "edge.hosts[0]", ["1.5"]),
    "host twice, in capitals": (nginx(hosts=["example.com", "Example.com"]), "edge.hosts[1]", ["second time", "take it out"]),
    "host without a route": (nginx(NAMED, hosts=["www.example.com"]), "edge.hosts[0]", ["www.example.com", "404", "leave `host` out"]),
    "tls a text": (nginx(NAMED, tls="acme"), "edge.tls", ["'acme'", "{kind: acme}"]),
    "tls true": (nginx(NAMED, tls=True), "edge.tls", ["true", "mapping"]),
    "tls without a kind": (tls(hsts=1), "edge.tls.kind", ["missing", "self_signed, files, acme"]),
    "tls of Let's Encrypt": (tls(kind="letsencrypt"), "edge.tls.kind", ["did you mean 'acme'"]),
    "tls none": (tls(kind="none"), "edge.tls.kind", ["leave tls out"]),
    "tls kind misspelt": (tls(kind="self-signed"), "edge.tls.kind", ["did you mean 'self_signed'"]),
    "tls unknown key": (tls(kind="acme", e_mail="a@example.com"), "edge.tls", ["did you mean 'email'"]),
    "email with files": (tls(kind="files", email="a@example.com"), "edge.tls.email", ["only with acme", "change the kind"]),
    "certificates with acme": (tls(kind="acme", certificates=[]), "edge.tls.certificates", ["only with files"]),
    "staging with self_signed": (tls(kind="self_signed", staging=True), "edge.tls.staging", ["only with acme"]),
    "staging a text": (tls(kind="acme", staging="yes"), "edge.tls.staging", ["'yes'", "true or false"]),
    "staging and directory_url": (tls(kind="acme", staging=True, directory_url="https://ca.example.com/"), "edge.tls.staging", ["keep one"]),
    "email no address": (tls(kind="acme", email="ops"), "edge.tls.email", ["'ops'", "ops@example.com"]),
    "directory over http": (tls(kind="acme", directory_url="http://ca.example.com/dir"), "edge.tls.directory_url", ["https", "acme.example.com"]),
    "directory a number": (tls(kind="acme", directory_url=1), "edge.tls.directory_url", ["value 1", "not text"]),
    "directory no URL": (tls(kind="acme", directory_url="https://[ca]:x"), "edge.tls.directory_url", ["not a URL"]),
    "directory with a user": (tls(kind="acme", directory_url="https://u:p@ca.example.com/dir"), "edge.tls.directory_url", ["user"]),
    "hsts true": (tls(kind="acme", hsts=True), "edge.tls.hsts", ["true", "seconds", "63072000"]),
    "hsts with a unit": (tls(kind="acme", hsts="2y"), "edge.tls.hsts", ["'2y'", "seconds"]),
    "hsts negative": (tls(kind="acme", hsts=-1), "edge.tls.hsts", ["-1"]),
    "acme for a wildcard": (
        tls([{"host": "*.example.com", "service": "api", "port": 1}], kind="acme"),
        "edge.tls.kind",
        ["*.example.com", "DNS alone", "files"],
    ),
    "acme for any host": (tls(ROUTES, kind="acme"), "edge.hosts", ["routes[0]", "edge.hosts: [example.com]"]),
    "self_signed for any host": (tls(NAMED + ROUTES, kind="self_signed"), "edge.hosts", ["routes[1]", "give each route a host"]),
    "acme for localhost": (nginx(tls={"kind": "acme"}, hosts=["localhost"]), "edge.tls.kind", ["localhost", "public DNS", "directory_url"]),
    "acme for an address": (nginx(tls={"kind": "acme", "directory_url": "https://ca/"}, hosts=["10.0.0.5"]), "edge.tls.kind", ["10.0.0.5", "an address"]),
    "acme for .internal": (nginx(tls={"kind": "acme"}, hosts=["shop.internal"]), "edge.tls.kind", ["shop.internal", "public DNS"]),
    "acme for 101 names": (hosts(100) | {"routes": NAMED + ROUTES}, "edge.tls.kind", ["100 names", "101", "files"]),
    "acme on loopback": (tls(exposure="loopback", kind="acme"), "edge.tls.kind", ["Let's Encrypt", "port 80", "exposure: {edge: public}"]),
    "header with a blank": (headers(**{"X Frame": "DENY"}), "edge.headers", ["'X Frame'", "letters, digits"]),
    "header that is no text": (headers() | {"edge": {"kind": "nginx", "headers": {1: "x"}}}, "edge.headers", ["key 1", "quote"]),
    "header value a number": (headers(**{"X-XSS-Protection": 0}), "edge.headers.X-XSS-Protection", ["value 0", "quote"]),
    "header value no": (headers(**{"X-Robots": False}), "edge.headers.X-Robots", ["false", "quote"]),
    "header of two lines": (headers(Referrer="a\nb"), "edge.headers.Referrer", ["one line"]),
    "header of a whole file": (headers(Referrer="no-referrer\n"), "edge.headers.Referrer", [">-"]),
    "header empty": (headers(Referrer=""), "edge.headers.Referrer", ["null"]),
    "header too long": (headers(Referrer="a" * 4001), "edge.headers.Referrer", ["4000", "shorten"]),
    "header twice": (headers(**{"x-frame-options": "DENY"}), "edge.headers.x-frame-options", ["X-Frame-Options", "keep one"]),
    "header of HTTP": (headers(**{"Content-Length": "0"}), "edge.headers.Content-Length", ["take it out"]),
    "header of routes": (headers(Allow="GET"), "edge.headers.Allow", ["`methods`"]),
    "hsts as a header": (headers(**{"Strict-Transport-Security": None}), "edge.headers.Strict-Transport-Security", ["edge.tls.hsts"]),
    "max_body a number": (nginx(max_body=200), "edge.max_body", ["200", "200m"]),
    "max_body true": (nginx(max_body=True), "edge.max_body", ["true", "200m"]),
    "max_body a list": (nginx(max_body=["20m"]), "edge.max_body", ["20m, or 0"]),
    "max_body in megabytes": (nginx(max_body="20MB"), "edge.max_body", ["'20MB'", "200m"]),
    "real_ip a list": (nginx(real_ip=["10.0.0.0/8"]), "edge.real_ip", ["{from: [10.0.0.0/8]}"]),
    "real_ip of nobody": (nginx(real_ip={"header": "X-Real-IP"}), "edge.real_ip.from", ["missing", "[10.0.0.0/8]"]),
    "real_ip unknown key": (real_ip("10.0.0.1", headers="X"), "edge.real_ip", ["did you mean 'header'"]),
    "real_ip a text": (nginx(real_ip={"from": "10.0.0.0/8"}), "edge.real_ip.from", ["no list"]),
    "network with bits set": (real_ip("10.0.0.0/8", "10.1.2.3/8"), "edge.real_ip.from[1]", ["'10.1.2.3/8'", "write 10.0.0.0/8"]),
    "network read by YAML": (real_ip(10.0), "edge.real_ip.from[0]", ["10.0", "quote"]),
    "network with a mask": (real_ip("10.0.0.0/255.0.0.0"), "edge.real_ip.from[0]", ["255.0.0.0", "10.0.0.0/8"]),
    "network of no such address": (real_ip("10.0.0.300"), "edge.real_ip.from[0]", ["10.0.0.300", "not a network"]),
    "network a name": (real_ip("proxy"), "edge.real_ip.from[0]", ["'proxy'", "not a network"]),
    "network of everybody": (real_ip("::/0"), "edge.real_ip.from[0]", ["everybody", "proxies"]),
    "real_ip header": (real_ip("10.0.0.1", header="X-Forwarded-For:"), "edge.real_ip.header", ["CF-Connecting-IP"]),
    "PROXY protocol": (real_ip("10.0.0.1", header="proxy_protocol"), "edge.real_ip.header", ["PROXY protocol"]),
    "health without a slash": (nginx(health="health"), "edge.health", ["'health'", "/health"]),
    "health the home page": (nginx(health="/"), "edge.health", ["'/'", "/health"]),
    "health with a query": (nginx(health="/health?x"), "edge.health", ["?x"]),
    "health false": (nginx(health=False), "edge.health", ["false", "quote"]),
    "health reserved": (nginx(health="/.well-known/portside/health"), "edge.health", ["/health"]),
    "tunnel a name": (cloudflared(tunnel="shop"), "edge.tunnel", ["'shop'", "UUID"]),
    "tunnel in capitals": (cloudflared(tunnel=TUNNEL["tunnel"].upper()), "edge.tunnel", ["lower case"]),
    "cloudflared without a tunnel": (cloudflared(tunnel=None), "edge.tunnel", ["needs it", "UUID"]),
    "cloudflared without credentials": (cloudflared(credentials=None), "edge.credentials", ["needs it", "secret"]),
    "credentials not declared": (cloudflared(credentials="tunnel_jsn"), "edge.credentials", ["did you mean 'tunnel_json'"]),
    "credentials made": (cloudflared(credentials="made"), "edge.credentials", ["generate", "stack_secrets"]),
    "credentials themselves": (cloudflared(credentials='{"TunnelSecret": "hush"}'), "edge.credentials", ["not the name", "stack_secrets"]),
    "nginx with half a tunnel": (nginx(keys={"exposure": {}}, tunnel=TUNNEL["tunnel"]), "edge.tunnel", ["edge.credentials", "take tunnel out"]),
    "nginx with credentials alone": (nginx(credentials="tunnel_json"), "edge.credentials", ["edge.tunnel"]),
    "tls behind a tunnel": (nginx(NAMED, {}, {"exposure": {}}, tls={"kind": "self_signed"}, **TUNNEL), "edge.tls", ["Cloudflare", "take tls out"]),
    "real_ip behind a tunnel": (
        nginx(keys={"exposure": {}}, real_ip={"from": ["10.0.0.0/8"]}, **TUNNEL),
        "edge.real_ip",
        ["CF-Connecting-IP", "take real_ip out"],
    ),
    "service with a blank": (nginx(service="the edge"), "edge.service", ["'the edge'", "letters, digits"]),
    "service a number": (nginx(service=1), "edge.service", ["value 1", "quote"]),
    "service of the tunnel": (nginx(service="tunnel", **TUNNEL), "edge.service", ["another name"]),
}
BAD_WITH_CLOUDFLARED = {
    "tls": (cloudflared(tls={"kind": "acme"}), "edge.tls", ["Cloudflare"]),
    "headers": (cloudflared(headers={"X-Frame-Options": "DENY"}), "edge.headers", ["kind: nginx", "tunnel"]),
    "max_body": (cloudflared(max_body="1m"), "edge.max_body", ["kind: nginx"]),
    "real_ip": (cloudflared(real_ip={"from": ["10.0.0.0/8"]}), "edge.real_ip", ["CF-Connecting-IP"]),
    "health": (cloudflared(health="/health"), "edge.health", ["take it out"]),
    "methods": (cloudflared({"methods": ["GET"]}), "routes[0].methods", ["methods", "kind: nginx"]),
    "rate_limit": (cloudflared({"rate_limit": "10r/s"}), "routes[0].rate_limit", ["rates", "kind: nginx"]),
    "route's max_body": (cloudflared({"max_body": "1m"}), "routes[0].max_body", ["bodies"]),
    "strip_prefix": (cloudflared({"prefix": "/api", "strip_prefix": True}), "routes[0].strip_prefix", ["as it is"]),
    "timeout": (cloudflared({"timeout": 600}), "routes[0].timeout", ["120 s"]),
    "redirect": (answering(redirect="https://example.com{uri}"), "routes[0].redirect", ["cannot redirect"]),
    "respond with a body": (answering(respond={"status": 404, "body": "gone"}), "routes[0].respond", ["status alone"]),
    "published": (cloudflared(exposure={"edge": "public"}), "exposure.edge", ["from inside", "take edge out"]),
}
COMMAND = ["nginx", "-g", "daemon off;"]
HEALTH = {"test": ["CMD", "true"]}
# Of the service 'edge' itself.
BAD_SERVICES = {
    "command": (service(command=COMMAND), "command", ["/etc/portside/nginx.conf", "leave `command` out"]),
    "entrypoint": (service(entrypoint=["sh"]), "entrypoint", ["leave `entrypoint` out"]),
    "image of the other": (service(image="cloudflare/cloudflared:2026.8.2"), "image", ["cloudflared", "edge.kind"]),
    "image of nginx for a tunnel": (cloudflared(services={"edge": {"image": "reg.test:5000/nginx:1.28"}}), "image", ["nginx", "cloudflared"]),
    "network_mode": (service(network_mode="service:api"), "network_mode", ["leave network_mode out"]),
    "profile that is off": (service(profiles=["web"]), "profiles", ["no profile", "web"]),
    "restart no": (service(restart="no"), "restart", ["runs once"]),
    "awaited to end": (
        nginx(services={"job": {"image": "x", "depends_on": {"edge": {"condition": "service_completed_successfully"}}}}),
        "restart",
        ["service_completed_successfully"],
    ),
    "no healthcheck": (service(healthcheck={"disable": True}), "healthcheck", ["leave healthcheck out"]),
    "healthcheck without a test": (service(healthcheck={"interval": "30s"}), "healthcheck", ["give it a test"]),
    "two containers": (service(deploy={"replicas": 2}), "deploy.replicas", ["2 containers", "write 1"]),
    "no container": (cloudflared(services={"edge": {"deploy": {"replicas": 0}}}), "deploy.replicas", ["nothing answers"]),
    "mount in its place": (service(volumes=["x:/x", "conf:/etc/portside/:ro"]), "volumes[1]", ["/etc/portside", "elsewhere"]),
    "long mount in its place": (service(volumes=[{"type": "volume", "source": "x", "target": "/etc/portside/acme"}]), "volumes[0]", ["elsewhere"]),
    "secret in its place": (service(secrets=[{"source": "made", "target": "/etc/portside/key.pem"}]), "secrets[0]", ["another target"]),
    "configuration nobody reads": (
        service(configs=[{"source": "edge.conf", "target": "/etc/nginx/conf.d/default.conf"}]),
        "configs[0]",
        ["default.conf", "routes", "take the file out"],
    ),
    "user": (service(user="101:101"), "user", ["as root", "leave `user` out"]),
    "no port 80": (service(ports=[{"target": 8080, "published": 80}, {"target": 80, "published": 81}]), "ports[0]", ["8080/tcp", "only on 80/tcp"]),
    "443 without tls": (service(ports=["80:80", "443:443"]), "ports[1]", ["443/tcp", "without edge.tls"]),
    "443 over UDP": (nginx(NAMED, {"edge": {"ports": ["80:80", "443:443", "443:443/udp"]}}, tls={"kind": "acme"}), "ports[2]", ["443/udp"]),
    "no port 443": (nginx(NAMED, {"edge": {"ports": ["80:80"]}}, tls={"kind": "acme"}), "ports", ["leads to 443", "published: 443"]),
    "no port at all": (service(ports=[]), "ports", ["leads to 80", "leave `ports` out"]),
    "a token": (cloudflared(services={"edge": {"environment": ["TUNNEL_TOKEN=x"]}}), "environment.TUNNEL_TOKEN", ["another tunnel", "edge.tunnel"]),
    "a token that is a secret": (
        cloudflared() | {"secret_environment": {"edge": {"TUNNEL_TOKEN": "made"}}},
        "secret_environment.TUNNEL_TOKEN",
        ["another tunnel"],
    ),
    "configuration of its own": (
        cloudflared(services={"edge": {"configs": [{"source": "x", "target": "/etc/cloudflared/config.yml"}]}}),
        "configs[0]",
        ["routes", "take the file out"],
    ),
    "credentials elsewhere": (cloudflared(services={"edge": {"secrets": ["tunnel_json"]}}), "secrets[0]", ["/run/secrets/tunnel.json", "target: tunnel.json"]),
}
BAD_SERVICES["inside alone"] = (
    cloudflared(services={"edge": {"networks": ["back"]}}) | {"networks": {"back": {"internal": True}}},
    "networks",
    ["internal", "Cloudflare", "default"],
)
BAD_REACH = {
    "not said": (nginx(keys={"exposure": {}}), "exposure.edge", ["exposure: {edge: public}"]),
    "internal": (nginx(keys={"exposure": {"edge": "internal"}}), "exposure.edge", ["nobody could"]),
    "behind a tunnel": (nginx(**TUNNEL), "exposure.edge", ["from inside", "take edge out"]),
    "the tunnel": (nginx(keys={"exposure": {"tunnel": "loopback"}}, **TUNNEL), "exposure.tunnel", ["take tunnel out"]),
}


BAD_ALL = [*BAD.values(), *BAD_WITH_CLOUDFLARED.values(), *BAD_REACH.values()]


@pytest.mark.parametrize(("declared", "key", "words"), BAD_ALL, ids=[*BAD, *BAD_WITH_CLOUDFLARED, *BAD_REACH])
def test_what_is_wrong_is_told_once_with_its_key_and_a_remedy(declared, key, words):
    found = problems(declared)
    assert len(found) == 1, found
    assert found[0].startswith("stack 'shop', key {0!r}: ".format(key))
    assert [word for word in words if word not in found[0]] == []


@pytest.mark.parametrize(("declared", "key", "words"), BAD_SERVICES.values(), ids=BAD_SERVICES)
def test_what_would_make_something_else_of_the_service_is_told_once(declared, key, words):
    found = problems(declared)
    assert len(found) == 1, found
    assert found[0].startswith("stack 'shop', service 'edge', key {0!r}: ".format(key))
    assert [word for word in words if word not in found[0]] == []


def test_the_tunnel_in_front_of_nginx_is_judged_as_well():
    declared = nginx(services={"tunnel": {"image": "nginx:1.28", "environment": {"TUNNEL_TOKEN": "x"}}}, keys={"exposure": {}}, **TUNNEL)
    found = problems(declared)
    assert [problem.partition(": ")[0] for problem in found] == [
        "stack 'shop', service 'tunnel', key 'image'",
        "stack 'shop', service 'tunnel', key 'environment.TUNNEL_TOKEN'",
    ]


def test_the_tunnel_has_to_meet_the_nginx_behind_it():
    declared = nginx(services={"tunnel": {"networks": ["front"]}}, keys={"exposure": {}, "networks": {"front": {}}}, **TUNNEL)
    (found,) = problems(declared)
    assert found.startswith("stack 'shop', service 'tunnel', key 'networks': the tunnel is on front, and nginx behind it ('edge') on default; ")


@pytest.mark.parametrize(
    "declared, key",
    [(cloudflared(credentials="tunnel_jsn"), "edge.credentials"), (stack("nginx", routes=[]), "edge"), (stack(["nginx"], routes=[]), "edge")],
)
def test_a_wrong_edge_is_no_wrong_service_as_well(declared, key):
    (found,) = stack_problems([declared])
    assert found.startswith("stack 'shop', key '{0}': ".format(key))


def test_credentials_written_in_place_of_their_name_are_not_repeated():
    assert "hush" not in "".join(problems(cloudflared(credentials='{"TunnelSecret": "hush"}')))


APPSTACK = [
    {"prefix": "/api/", "service": "api", "port": 8000, "rate_limit": "10r/s", "max_body": "200m", "methods": ["GET", "POST"]},
    {"prefix": "/ws", "service": "api", "port": 5173, "stream": "websocket"},
    {"prefix": "/old/", "redirect": "https://example.org{uri}"},
    {"exact": "/gone", "respond": {"status": 410, "body": "gone\n"}},
    {"service": "api", "port": 5173, "timeout": 30},
]
SELFLINK = [
    {"path": "/ws*", "service": "api", "port": 8001, "stream": "websocket"},
    {"path": "/api/v1/mentor/stream*", "service": "api", "port": 8001, "stream": "sse"},
    {"path": "/media/*", "service": "api", "port": 8080},
    {"exact": "/robots.txt", "respond": 404},
    {"path": "*", "service": "api", "port": 8000},
]
GOOD = {
    "nothing": stack(None, None, exposure={}),
    "of another type, which is told elsewhere": stack("nginx", exposure={}),
    "with a port that cannot be read, which is told elsewhere": service(ports=["80:80", 8080, "x"]),
    "plain": nginx(),
    "plain on loopback": nginx(keys={"exposure": {"edge": "loopback"}}),
    "on another port of the host": service(ports=[{"target": 80, "published": 8080}]),
    "of the user's own making": service(image="reg.test/edge:1", build={"context": "/srv"}, volumes=["logs:/var/log/nginx"], user="root", profiles=[]),
    "in an enabled profile": service(profiles=["web"]) | {"profiles": ["web"]},
    "another name": nginx(keys={"exposure": {"proxy": "public"}}, service="proxy"),
    "everything": nginx(
        APPSTACK,
        hosts=["example.com", "*.example.com", "lcl.example.com"],
        tls={"kind": "self_signed", "hsts": 0},
        headers={"X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": None, "Content-Security-Policy": "default-src 'self'; img-src \"x\""},
        max_body="0",
        real_ip={"from": ["10.0.0.0/8", "2001:db8::1"], "header": "X-Real-IP"},
        health="/healthz",
    ),
    "bodies of any size": nginx(max_body=0),
    "without health": nginx(health=""),
    "acme": tls(kind="acme", email="ops@example.com", hsts=63072000),
    "acme staging": tls(kind="acme", staging=True),
    "acme of one's own": nginx(keys={"exposure": {"edge": "loopback"}}, hosts=["shop.test", "shop"], tls={"kind": "acme", "directory_url": "https://ca:14000/dir"}),
    "100 names": hosts(99) | {"routes": NAMED + ROUTES},
    "files": tls([{"host": "*.example.com", "service": "api", "port": 1}], kind="files", certificates=[]),
    "cloudflared": cloudflared(),
    "two cloudflareds": cloudflared(services={"edge": {"deploy": {"replicas": 2}, "environment": {"TUNNEL_LOGLEVEL": "warn"}}}),
    "system 5 with cloudflared": stack({"kind": "cloudflared", "hosts": ["api.example.com"], **TUNNEL}, SELFLINK, exposure={"api": "loopback"}),
    "system 5 with nginx": nginx(SELFLINK),
    "system 3 with a tunnel in front": nginx(APPSTACK, {}, {"exposure": {}}, **TUNNEL),
}


@pytest.mark.parametrize("declared", GOOD.values(), ids=GOOD)
def test_what_is_right_has_no_problem(declared):
    assert problems(declared) == []
    assert problems(with_edge(with_edge(declared))) == []


EDGE = st.fixed_dictionaries(
    {"kind": st.sampled_from(["nginx", "cloudflared", "external"])},
    optional={key: ANYTHING for key in ("service", "name", "hosts", "tls", "headers", "max_body", "real_ip", "health", "tunnel", "credentials", "x")},
)
TLS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["self_signed", "files", "acme"])},
    optional={key: ANYTHING for key in ("certificates", "email", "staging", "directory_url", "hsts")},
)
KEYS = ["command", "ports", "volumes", "configs", "secrets", "environment", "deploy", "healthcheck", "networks", "user"]
SERVICE = st.dictionaries(st.sampled_from(KEYS), ANYTHING)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ANYTHING, EDGE, TLS | ANYTHING, SERVICE | ANYTHING, ANYTHING, ANYTHING)
def test_anything_is_borne(edge, shaped, tls, service, routes, other):
    for declared in (
        stack(edge, routes, exposure=other),
        stack({**shaped, "tls": tls}, routes, {"edge": service}, secrets=other, secret_environment=other),
        stack({**shaped, **TUNNEL}, routes, {"edge": service, "tunnel": service}, exposure=other, networks=other),
    ):
        assert all(isinstance(problem, str) for problem in problems(declared))
