# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import upstream, with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._edge_problems import edge_problems
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._route_targets import target_problems
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes
from declarations import ANYTHING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NGINX = {"kind": "nginx"}
CLOUDFLARED = {"kind": "cloudflared", "tunnel": "6ff42ae2-765d-4adf-8112-31c55c1551ef", "credentials": "tunnel_json"}
SHARED = {"shared": {"external": True}}


def stack(*routes, services=None, edge=NGINX, **keys):
    """A stack whose first route is right, so that positions are not 0."""
    found = {
        "name": "shop",
        "services": {"api": {"image": "shop:1"}, "web": {"image": "shop:1"}},
        "edge": edge,
        "routes": [{"prefix": "/web", "service": "web", "port": 3000}, *routes],
    }
    found["services"].update(services or {})
    found.update(keys)
    return found


def to(name="api", port=8000, **route):
    return {"prefix": "/api", "service": name, "port": port, **route}


def api(service, *routes, services=None, **keys):
    """A route to an api of which something is declared."""
    return stack(*(routes or [to()]), services={"api": {"image": "shop:1", **service}, **(services or {})}, **keys)


def url(place, *routes, **keys):
    return stack({"prefix": "/out", "url": place}, *routes, **keys)


def redirect(target, *routes, edge=None, **keys):
    given = {"kind": "nginx", "hosts": ["example.com", "www.example.com"], **(edge or {})}
    return stack(*routes, {"prefix": "/", "redirect": target}, edge=given, **keys)


def other(service=None, networks=None, name="cms", **keys):
    joined = {"image": "cms:1", "networks": ["shared"], **(service or {})}
    networks = {"shared": {"name": "shared"}} if networks is None else networks
    return {"name": name, "services": {"site": joined, "db": {"image": "postgres:17"}}, "networks": networks, **keys}


def across(theirs=None, networks=SHARED, name="site", in_stack="cms", **keys):
    """A route to a service of another stack, and both stacks."""
    return stack(to(name, stack=in_stack), networks=networks, **keys), theirs or other()


OFF = {"image": "shop:1", "profiles": ["search"]}
# What is wrong -> the stack (or the stack and another), the kind, and the words its one problem must have. It is of routes[1].
BAD = {
    "unknown service": (stack(to("apo")), "unknown", ["prefix '/api' -> apo:8000", "'apo' is not a service", "did you mean 'api'"]),
    "nothing like it": (stack(to("mail")), "unknown", ["'mail'", "declared are api, edge, web", "`stack`"]),
    "service of a profile that is off": (stack(to("search"), services={"search": OFF}), "unknown", ["no profile", "search", "`profiles`"]),
    "one-shot": (api({"restart": "no"}), "invalid", ["runs once", "goes on"]),
    "awaited to end": (
        api({}, services={"web": {"image": "x", "depends_on": {"api": {"condition": "service_completed_successfully"}}}}),
        "invalid",
        ["'api' runs once"],
    ),
    "no containers": (api({"deploy": {"replicas": 0}}), "invalid", ["0 containers", "give it one"]),
    "the edge": (stack(to("edge", 80)), "invalid", ["the edge itself", "for ever"]),
    "the edge by another name": (stack(to("proxy", 80), edge={**NGINX, "service": "proxy"}), "invalid", ["'proxy' is the edge itself"]),
    "the tunnel": (stack(to("tunnel", 80), edge={**CLOUDFLARED, "kind": "nginx"}), "invalid", ["'tunnel' is the edge itself"]),
    "no network": (api({"network_mode": "none"}), "unknown", ["network_mode none", "leave network_mode out"]),
    "the host's network": (api({"network_mode": "host"}), "unknown", ["network_mode host"]),
    "another one's network": (api({"network_mode": "service:web"}), "unknown", ["network of 'web'", "lead to web:8000"]),
    "the host's port": (
        api({"ports": [{"target": 8001, "published": 8002}]}, to(port=8002)),
        "unknown",
        ["8002 is the port of the host", "port: 8001", "expose"],
    ),
    "the host's port of a range": (api({"ports": ["9000-9002:8000-8002"]}, to(port=9002)), "unknown", ["port: 8002"]),
    "networks apart": (
        api({"networks": ["back"]}, services={"edge": {"networks": ["front", "default"]}}),
        "unknown",
        ["'api' is on back", "'edge' on default, front", "`networks`"],
    ),
    "unknown stack": (across(in_stack="cmd"), "unknown", ["'cmd' is not a declared stack", "did you mean 'cms'"]),
    "unknown service of a stack": (across(name="sight"), "unknown", ["cms/sight:8000", "stack 'cms'", "did you mean 'site'"]),
    "profile of a stack": (across(other({"profiles": ["x"]})), "unknown", ["no profile", "stack 'cms'", "add one of x"]),
    "one-shot of a stack": (across(other({"restart": "no"})), "invalid", ["runs once"]),
    "network_mode of a stack": (across(other({"network_mode": "host"})), "unknown", ["network_mode host"]),
    "no network with a name": (across(networks={}), "unknown", ["on shared", "on shop_default", "external: true", "name: shared"]),
    "another network": (across(networks={"shared": {"name": "shared-2"}}), "unknown", ["on shared,", "shared-2"]),
    "on the other's default": (across(other({"networks": None})), "unknown", ["on cms_default", "'edge' on shared", "{shared: {name: shared}}"]),
    "an alias that is not made": (
        across(other({"networks": ["back"]}, {"back": {}}), {"cms_back": {"external": True}}),
        "unknown",
        ["meets 'site'", "no name", "write name: cms_back"],
    ),
    "the other's host port": (across(other({"ports": ["3100:8001", "8000:80"]})), "unknown", ["port 80 of 'site'", "port: 80"]),
    "loopback": (url("http://127.0.0.1:8000"), "invalid", ["http://127.0.0.1:8000", "own container", "service: NAME"]),
    "loopback by another name": (url("http://localhost:8000"), "invalid", ["localhost is the edge's own"]),
    "loopback of IPv6": (url("http://[::1]:8000"), "invalid", ["::1"]),
    "a certificate for an address": (url("https://10.0.0.5:8443"), "invalid", ["10.0.0.5", "names alone", "write a name"]),
    "a certificate for an address of IPv6": (url("https://[fd00::5]"), "invalid", ["fd00::5"]),
    "all addresses": (url("http://0.0.0.0:8000"), "invalid", ["0.0.0.0"]),
    "a service as a URL": (url("http://api:8000"), "invalid", ["'api' is a service", "service: api, port: 8000"]),
    "a service as a URL with the usual port": (url("http://api"), "invalid", ["service: api, port: 80"]),
    "another stack's service as a URL": ((url("http://site.cms:3000"), other()), "invalid", ["service: site, stack: cms, port: 3000"]),
    "the edge's own name": (
        url("https://example.com", edge={**NGINX, "hosts": ["example.com"]}),
        "invalid",
        ["example.com is a name of this edge", "for ever"],
    ),
    "the host by Docker's name, with nginx": (
        url("http://host.docker.internal:9000", services={"edge": {"extra_hosts": ["host.docker.internal:host-gateway"]}}),
        "invalid",
        ["DNS alone", "address"],
    ),
    "a name of /etc/hosts, with nginx": (
        url("http://Legacy:9000", services={"edge": {"extra_hosts": {"legacy": "10.0.0.1"}}}),
        "invalid",
        ["legacy", "/etc/hosts"],
    ),
    "the host by Docker's name, with cloudflared": (
        url("http://host.docker.internal:9000", edge=CLOUDFLARED),
        "unknown",
        ['extra_hosts: ["host.docker.internal:host-gateway"]'],
    ),
    "a redirect to itself": (redirect("http://example.com{uri}"), "invalid", ["example.com/ is sent", "for ever"]),
    "to itself with TLS": (
        redirect("https://example.com:443{uri}", edge={"tls": {"kind": "acme"}}),
        "invalid",
        ["example.com", "for ever", "leads from http to https by itself, so take routes[1] out"],
    ),
    "to itself behind a tunnel": (redirect("https://www.example.com{uri}", edge={**CLOUDFLARED, "kind": "nginx"}), "invalid", ["for ever"]),
    "with TLS over http": (redirect("http://example.com{uri}", edge={"tls": {"kind": "acme"}}), "invalid", ["GET example.com/ is sent there again"]),
    "over http behind a tunnel": (redirect("http://example.com{uri}", edge={**CLOUDFLARED, "kind": "nginx"}), "invalid", ["for ever"]),
    "one page to itself": (redirect("http://example.com/page"), "invalid", ["GET example.com/page is sent there again", "put a route", "above routes[1]"]),
    "a path to itself": (stack({"prefix": "/", "redirect": "/sorry"}), "invalid", ["GET /sorry is sent there again"]),
    "a regex to itself": (
        stack({"regex": "/[0-9]+", "redirect": "http://example.com{uri}"}, edge={**NGINX, "hosts": ["example.com"]}),
        "invalid",
        ["GET example.com/0 is sent there again"],
    ),
    "longer and longer": (
        stack({"prefix": "/", "redirect": "/new{uri}"}),
        "invalid",
        ["GET / is sent to /new/, from there by itself to /new/new/, from there by itself to", "and so on, for ever"],
    ),
}


def moved(one, other, first=None, second=None, **edge):
    """Each of two hosts leads to the other."""
    there, back = first or "https://{0}{{uri}}".format(other), second or "https://{0}{{uri}}".format(one)
    routes = [{"host": one, "redirect": there}, {"host": other, "redirect": back}]
    return stack(*routes, edge={**NGINX, "tls": {"kind": "acme"}, **edge}, routes=[{"exact": "/web", "service": "web", "port": 3000}, *routes])


# Loops over several routes -> the routes' positions and the words.
LOOPS = {
    "two hosts": (
        moved("a.example", "b.example"),
        (1, 2),
        [
            "routes[1] (host a.example, prefix '/' -> redirect 308 to https://b.example{uri}): GET a.example/ is sent to b.example/, ",
            "from there by routes[2] (host b.example, prefix '/' -> redirect 308 to https://a.example{uri}) to a.example/, for ever; ",
            "put a route that answers a.example/ above routes[1]",
        ],
    ),
    "www and apex, by way of http": (
        moved("www.example.com", "example.com", first="http://example.com{uri}"),
        (1, 2),
        ["www.example.com/ is sent to example.com/"],
    ),
    "below a star": (moved("*.example.com", "example.com", first="https://example.com{uri}", second="https://a.example.com{uri}"), (1, 2), ["for ever"]),
    "where they meet": (
        stack(
            {"host": "b.example", "prefix": "/old", "redirect": "http://a.example/back{uri}"},
            {"host": "b.example", "service": "api", "port": 1},
            {"host": "a.example", "prefix": "/back/old/2", "redirect": "http://b.example/old/2"},
            {"host": "a.example", "service": "api", "port": 1},
        ),
        (1, 3),
        ["GET b.example/old/2 is sent to a.example/back/old/2, from there by routes[3]"],
    ),
    "three paths": (
        stack({"exact": "/a", "redirect": "/b"}, {"exact": "/b", "redirect": "/c"}, {"exact": "/c", "redirect": "/a?x"}),
        (1, 2, 3),
        ["GET /a is sent to /b, from there by routes[2]", "to /c, from there by routes[3]", "to /a, for ever"],
    ),
}


@pytest.mark.parametrize(("declared", "positions", "words"), LOOPS.values(), ids=LOOPS)
def test_redirects_in_a_circle_are_told_once_with_all_their_routes(declared, positions, words):
    found = target_problems(with_edge(declared), [])
    assert [problem.routes for problem in found] == [positions]
    assert [word for word in words if word not in found[0].message] == []


def test_a_loop_is_not_told_of_while_a_route_is_not_understood_that_may_end_it():
    declared = redirect("https://example.com{uri}", {"host": "example.com", "service": "api", "prot": 8000}, edge={"tls": {"kind": "acme"}})
    assert target_problems(with_edge(declared), []) == []


# Where the order of the routes makes the difference.
LATER = {
    "a redirect above what is meant": redirect("http://example.com{uri}", {"prefix": "/api", "service": "api", "port": 1}),
}


def judged(declared):
    declared, *others = declared if isinstance(declared, tuple) else (declared,)
    return target_problems(with_edge(declared), [with_edge(one) for one in (declared, *others)])


@pytest.mark.parametrize(("declared", "kind", "words"), BAD.values(), ids=BAD)
def test_what_cannot_answer_is_told_once_with_its_position_and_a_remedy(declared, kind, words):
    found = judged(copy.deepcopy(declared))
    assert len(found) == 1, found
    assert found[0].message.startswith("routes[1] (")
    assert (found[0].routes, found[0].kind, found[0].level) == ((1,), kind, "error")
    assert [word for word in words if word not in found[0].message] == []
    assert found[0].message.endswith((".", "?"))


@pytest.mark.parametrize("declared", LATER.values(), ids=LATER)
def test_the_position_is_that_of_the_list(declared):
    assert [problem.routes for problem in judged(declared)] == [(2,)]


MAIN = {"host": "example.com", "service": "api", "port": 8000}
GOOD = {
    "plain": stack(to()),
    "any port of the container": api({"ports": ["8001:8001"], "expose": ["9000"]}, to(port=8000)),
    "a port of both": api({"ports": ["8000:8001"], "expose": [8000]}),
    "the host's own number": api({"ports": ["8000:8000", "8001:80"]}),
    "in an enabled profile": stack(to("search"), services={"search": OFF}, profiles=["search"]),
    "its own stack by name": stack(to(stack="shop")),
    "a network of its own": api({"networks": ["back"]}, networks={"back": {}}),
    "networks by hand": stack(
        to(),
        services={"api": {"image": "x", "networks": ["back"]}, "edge": {"networks": {"back": {}, "default": None}}},
        networks={"back": {"internal": True}},
    ),
    "no edge, which is told elsewhere": stack(to(), edge=None),
    "across stacks": across(),
    "made here, joined there": across(other(networks={"shared": {"external": True, "name": "town"}}), {"shared": {"name": "town"}}),
    "the other's default by name": across(other({"networks": None}, {"default": {"name": "shared"}})),
    "somewhere else": url("https://backend.example.org"),
    "an address": url("http://10.0.0.5:8080"),
    "a certificate for an address, with cloudflared": url("https://10.0.0.5:8443", edge=CLOUDFLARED),
    "another program under the same name": url("http://example.com:9000", edge={**NGINX, "hosts": ["example.com"]}),
    "the host, with cloudflared": url(
        "http://host.docker.internal:9000", edge=CLOUDFLARED, services={"edge": {"extra_hosts": {"host.docker.internal": "host-gateway"}}}
    ),
    "respond": stack({"exact": "/gone", "respond": 410}),
    "to the main name": stack(MAIN, {"redirect": "https://example.com{uri}"}, edge={**NGINX, "hosts": ["www.example.com"], "tls": {"kind": "acme"}}),
    "to the main name, whose paths are others": redirect("http://example.com{uri}", MAIN),
    "from below": stack({"host": "*.example.com", "redirect": "http://example.com{uri}"}, MAIN),
    "to TLS that ends elsewhere": redirect("https://example.com{uri}"),
    "to another port": redirect("http://example.com:8443{uri}"),
    "to one page": redirect("http://example.com/page", {"exact": "/page", "respond": 204}),
    "to what the edge answers itself": redirect("http://example.com/health"),
    "below, where a service answers": stack({"prefix": "/new", "service": "api", "port": 1}, {"prefix": "/", "redirect": "/new{uri}"}),
    "to a path that is refused": redirect("/a/./b"),
    "twice, to an end": stack(to(prefix="/c"), {"prefix": "/b", "redirect": "/c{uri}"}, {"prefix": "/a", "redirect": "/b{uri}"}),
    "www to apex": stack({"host": "www.example.com", "redirect": "https://example.com{uri}"}, MAIN, edge={**NGINX, "tls": {"kind": "acme"}}),
}


@pytest.mark.parametrize("declared", GOOD.values(), ids=GOOD)
def test_what_can_answer_has_no_problem(declared):
    assert judged(copy.deepcopy(declared)) == []


def test_other_stacks_are_judged_only_where_they_are_known():
    assert target_problems(across()[0], []) == []
    assert [problem.routes for problem in target_problems(stack(to("nobody"), to(stack="cms")), [])] == [(1,)]


# -- the reference systems -----------------------------------------------------------------------------------------


def app(*names, **keys):
    return {name: {"image": "{0}:1".format(name), **keys} for name in names}


SELFLINK = {
    "name": "selflink",
    "services": app("api", "asgi", "realtime", "media", "worker", "beat"),
    "secrets": {"tunnel_json": {}},
    "exposure": {"api": "loopback"},
    "routes": [
        {"path": "/ws*", "service": "realtime", "port": 8001, "stream": "websocket"},
        {"path": "/api/v1/mentor/stream*", "service": "asgi", "port": 8001, "stream": "sse"},
        {"path": "/media/*", "service": "media", "port": 8080},
        {"path": "/api*", "service": "api", "port": 8000},
        {"service": "api", "port": 8000},
    ],
}
SELFLINK["services"]["realtime"]["ports"] = [{"target": 8001, "published": 8002}]
APPSTACK = {
    "name": "appstack",
    "services": {**app("db", "redis", "celery", networks=["back"]), **app("frontend", "backend", networks=["front", "back"])},
    "networks": {"front": {}, "back": {"internal": True}},
    "secrets": {"tunnel_json": {}},
    "exposure": {},
    "routes": [
        *({"path": path + "*", "service": "backend", "port": 8000} for path in ("/api/", "/admin/", "/static/", "/media/")),
        {"prefix": "/ws", "service": "frontend", "port": 5173, "stream": "websocket"},
        {"path": "/@vite/*", "service": "frontend", "port": 5173},
        {"prefix": "/", "service": "frontend", "port": 5173},
    ],
}
HOST = {"host": "lcl.example.com", "stack": "website"}
SITE = {
    "name": "website",
    "services": app("example-web", "example-api", "example-celery-worker", networks=["bndventures-network", "default"]),
    "networks": {"bndventures-network": {"external": True}},
}
GATE = {
    "name": "shared",
    "services": app("postgres", "redis", networks=["bndventures-network"]),
    "networks": {"bndventures-network": {"name": "bndventures-network"}},
    "secrets": {"tunnel_json": {}},
    "exposure": {},
    "routes": [
        *({**HOST, "prefix": path, "service": "example-api", "port": 8000} for path in ("/api/", "/admin/", "/media/", "/static/")),
        {**HOST, "service": "example-web", "port": 3000},
    ],
}


@pytest.mark.parametrize("edge", [NGINX, CLOUDFLARED, {**CLOUDFLARED, "kind": "nginx"}], ids=["nginx", "cloudflared", "both"])
@pytest.mark.parametrize(("declared", "others"), [(GATE, [SITE]), (APPSTACK, []), (SELFLINK, [])], ids=["system 2", "system 3", "system 5"])
def test_the_reference_systems_have_no_problem_with_either_edge(declared, others, edge):
    public = {} if edge.get("tunnel") else {"edge": "public"}
    declared = with_edge({**declared, "edge": edge, "exposure": {**declared["exposure"], **public}})
    assert target_problems(declared, [declared, *others]) == []
    found = []
    edge_problems(Report(declared["name"], found), declared, model.services_of(declared))
    assert found == []


def test_the_site_behind_the_shared_edge_is_asked_by_the_name_that_it_has_there():
    declared = with_edge({**GATE, "edge": NGINX})
    routes = parse_routes(declared["routes"])[0]
    assert upstream(declared, routes[0]) == "http://example-api.website:8000"


# -- anything ------------------------------------------------------------------------------------------------------

ROUTE = st.fixed_dictionaries(
    {"port": st.just(80)},
    optional={"service": st.sampled_from(["api", "edge", "site"]), "stack": st.sampled_from(["shop", "cms", "x"]), "host": st.sampled_from(["a.b", "*.b"])},
)
GONE = st.fixed_dictionaries({}, optional={"redirect": st.sampled_from(["http://a.b{uri}", "https://a.b:443{uri}", "/x", "http://a.b:99999{uri}"])})
KEYS = ["ports", "expose", "networks", "network_mode", "deploy", "restart", "profiles", "extra_hosts", "depends_on"]
SERVICE = st.dictionaries(st.sampled_from(KEYS), ANYTHING)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(ROUTE | GONE | ANYTHING, max_size=4), SERVICE, ANYTHING, ANYTHING)
def test_anything_is_borne(routes, service, networks, anything):
    services = {name: service for name in ("api", "edge", "site")}
    declared = {"name": "shop", "services": services, "edge": {"kind": "nginx"}, "routes": routes, "networks": networks, "profiles": anything}
    for one, stacks in (
        (declared, [declared, {**declared, "name": "cms"}]),
        ({**declared, "services": anything}, [anything]),
        (declared, [{"name": "cms", "services": anything, "networks": anything}]),
        (anything, anything),
    ):
        assert all(problem.message and problem.level == "error" for problem in target_problems(one, stacks))
