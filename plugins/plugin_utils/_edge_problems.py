# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of how the edge of a stack is declared.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._brought_secret import brought_secret_problems
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import FRONT, ONLY_NGINX
from ansible_collections.portside.stack.plugins.plugin_utils._edge_external import external_edge_problems
from ansible_collections.portside.stack.plugins.plugin_utils._edge_header_problems import HEADER_NAME, header_problems
from ansible_collections.portside.stack.plugins.plugin_utils._edge_service_problems import edge_service_problems
from ansible_collections.portside.stack.plugins.plugin_utils._edge_tls_problems import tls_problems
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import covers
from ansible_collections.portside.stack.plugins.plugin_utils._route_values import host_pattern, size
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route, parse_routes
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems

# Each key with its type.
_KEYS: t.Dict[str, t.Union[type, t.Tuple[type, ...]]] = {
    "kind": str,
    "name": str,
    "service": str,
    "hosts": list,
    "tls": dict,
    "headers": dict,
    "max_body": (str, int),
    "real_ip": dict,
    "health": str,
    "tunnel": str,
    "credentials": str,
}
_SHAPES = {
    "hosts": "a list of names; write [example.com]",
    "tls": "a mapping; write {kind: acme}, {kind: files, certificates: [...]} or {kind: self_signed}",
    "headers": "a mapping; write {NAME: value}",
    "real_ip": "a mapping; write {from: [10.0.0.0/8]}",
    "max_body": "a size; write 20m, or 0 for no limit",
}
# What only an nginx edge does.
_NGINX_KEYS = {
    "tls": "TLS ends at Cloudflare, which has the certificate; take it out",
    "headers": "cloudflared adds no headers; have them added by the services, or " + FRONT,
    "max_body": "cloudflared limits no bodies; have the services do it, or " + FRONT,
    "real_ip": "cloudflared hands the client's address on as CF-Connecting-IP; have the services read it, or " + FRONT,
    "health": "cloudflared answers nothing by itself; take it out, its healthcheck asks whether the tunnel is up",
}
# What an nginx edge with a tunnel in front of it has no use for.
_TUNNEL_KEYS = {
    "tls": "TLS ends at Cloudflare, and the tunnel reaches nginx over plain HTTP inside the stack; take tls out, or the tunnel",
    "real_ip": "nobody but the tunnel reaches nginx, which believes it already what CF-Connecting-IP says; take real_ip out, or the tunnel",
}
_TUNNEL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What a URL and nginx hold as it is: nobody's health is asked for in other words.
_HEALTH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


def edge_problems(report: Report, stack: model.Mapping, services: t.Dict[str, model.Mapping]) -> None:
    """Judges `edge` and the services it makes; ``stack`` has been through ``with_edge``."""
    edge, routes = stack.get("edge"), stack.get("routes")
    if edge is None:
        if isinstance(routes, list) and routes:
            report.add("routes", "no edge is declared, so nothing would answer them; write edge: {kind: nginx}, or cloudflared")
        return
    if not isinstance(edge, dict):
        return
    text_problems(report, edge, "edge", interpolated=False)
    if not routes:
        report.add("edge", "no route leads anywhere, so it would answer nothing but 404; write routes: [{service: NAME, port: 8000}], or take it out")
    edge = _well_shaped(report, edge)
    parsed, broken = parse_routes(routes)
    kind = edge.get("kind")
    if kind == edges.EXTERNAL:
        edge = external_edge_problems(report, stack, edge, parsed)
    elif kind not in edges.KINDS:
        known = (*edges.KINDS, edges.EXTERNAL)
        if model.mapping(stack["edge"]).get("kind") is None:
            report.add("edge.kind", "it is missing; write kind: nginx, or one of {0}".format(", ".join(known[1:])))
        elif "kind" in edge:
            report.unknown("edge.kind", kind, known, "a kind of edge", "use one of " + ", ".join(known))
    else:
        _kind_problems(report, kind, edge, stack, parsed)
    _host_problems(report, edge, [] if any(one.level == "error" for one in broken) else parsed)
    _value_problems(report, edge)
    _tunnel_problems(report, edge, stack)
    if kind == edges.NGINX and "tls" in edge:
        tls_problems(report, stack, edge, parsed)
    if kind in edges.KINDS and "service" in edge and not grammar.NAME.fullmatch(edge["service"]):
        report.add("edge.service", "{0} is not a name for a service; use letters, digits, ., _ and -".format(shown(edge["service"])))
    elif kind in edges.KINDS:
        edge_service_problems(report, stack, services)


def _well_shaped(report: Report, edge: t.Dict[t.Any, t.Any]) -> model.Mapping:
    """The keys that are of the right type; the others are told, and those that are no text elsewhere."""
    found = {}
    for key, value in model.mapping(edge).items():
        if not isinstance(key, str):
            continue
        if key not in _KEYS:
            report.unknown("edge", key, _KEYS, "a key of the edge", "use " + ", ".join(_KEYS))
        elif not isinstance(value, _KEYS[key]):
            report.add("edge." + key, "value {0} is not {1}".format(shown(value), _SHAPES.get(key, "text; quote it")))
        else:
            found[key] = value
    return found


def _kind_problems(report: Report, kind: str, edge: model.Mapping, stack: model.Mapping, routes: t.List[Route]) -> None:
    """What the other kinds have, and what this one must have."""
    if "name" in edge:
        report.add("edge.name", "only a proxy that somebody else runs (kind: external) has a name; take it out, or write service: NAME for the service's")
    if kind == edges.NGINX:
        for key, other in (("tunnel", "credentials"), ("credentials", "tunnel")):
            if key in edge and other not in model.mapping(stack["edge"]):
                report.add("edge." + key, "a tunnel in front of nginx needs {0} too; add edge.{0}, or take {1} out".format(other, key))
        for key, why in _TUNNEL_KEYS.items():
            if "tunnel" in edge and key in edge:
                report.add("edge." + key, why)
        return
    for key in ("tunnel", "credentials"):
        if key not in model.mapping(stack["edge"]):
            what = "the tunnel's id, a UUID" if key == "tunnel" else "the name of the secret that is its credentials file"
            report.add("edge." + key, "cloudflared needs it; write {0}: ..., {1}".format(key, what))
    for key, why in _NGINX_KEYS.items():
        if key in edge:
            report.add("edge." + key, "it says nothing with kind: cloudflared: " + why)
    for route in routes:
        for key, why, has in ONLY_NGINX:
            if has(route):
                report.add("routes[{0}].{1}".format(route.index, key), "cloudflared {0}; take it out, or {1}".format(why, FRONT))


def _host_problems(report: Report, edge: model.Mapping, routes: t.List[Route]) -> None:
    seen: t.Set[str] = set()
    for index, text in enumerate(edge.get("hosts", ())):
        where = "edge.hosts[{0}]".format(index)
        try:
            host = host_pattern(text)
        except StackError as error:
            report.add(where, str(error).rstrip("."))
            continue
        if host in seen:
            report.add(where, "{0} is there a second time; take it out".format(host))
        elif routes and not any(covers(route.host, host) for route in routes):
            text = "no route is for {0}, so it would be answered with 404 alone; take it out, or leave `host` out of a route, which is then for all of `hosts`"
            report.add(where, text.format(host))
        seen.add(host)


def _value_problems(report: Report, edge: model.Mapping) -> None:
    if "headers" in edge:
        header_problems(report, edge["headers"])
    if "max_body" in edge:
        try:
            size("max_body", edge["max_body"])
        except StackError as error:
            report.add("edge.max_body", str(error))
    if "real_ip" in edge:
        _real_ip_problems(report, edge["real_ip"])
    health = edge.get("health", "")
    if health and not _HEALTH.fullmatch(health):
        text = "value {0} is not a path that the edge can answer; write one such as /health, of letters, digits, _ ~ - and . inside"
        report.add("edge.health", text.format(shown(health)))


def _real_ip_problems(report: Report, real_ip: t.Dict[t.Any, t.Any]) -> None:
    real_ip = model.mapping(real_ip)
    for key in real_ip:
        if key not in ("from", "header"):
            report.unknown("edge.real_ip", key, ("from", "header"), "a key of it", "use from and header")
    given = real_ip.get("from")
    if not isinstance(given, list) or not given:
        what = "missing" if given is None else "{0}, which is no list of networks".format(shown(given))
        report.add("edge.real_ip.from", "it is {0}; write those of the proxies in front, such as [10.0.0.0/8]".format(what))
    for index, text in enumerate(model.sequence(given)):
        reason = _network_problem(text)
        if reason:
            report.add("edge.real_ip.from[{0}]".format(index), "value {0} {1}".format(shown(text), reason))
    header = real_ip.get("header", "X-Forwarded-For")
    if not isinstance(header, str) or not HEADER_NAME.fullmatch(header):
        hint = "nginx does not speak the PROXY protocol here" if header == "proxy_protocol" else "write one such as X-Forwarded-For or CF-Connecting-IP"
        report.add("edge.real_ip.header", "value {0} is not the name of a header; {1}".format(shown(header), hint))


def _network_problem(text: t.Any) -> str:
    if not isinstance(text, str):
        return "is not text; quote it"
    if not re.fullmatch(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", text):
        return "is not a network; write an address or a network such as 10.0.0.0/8"
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            return "has bits set behind its length; write {0}".format(ipaddress.ip_network(text, strict=False))
        except ValueError:
            return "is not a network; write an address or a network such as 10.0.0.0/8"
    return "" if network.prefixlen else "is everybody, who could then claim any address; name the proxies in front alone"


def _tunnel_problems(report: Report, edge: model.Mapping, stack: model.Mapping) -> None:
    if "tunnel" in edge and not _TUNNEL.fullmatch(edge["tunnel"]):
        text = "value {0} is not the id of a tunnel; write the UUID that `cloudflared tunnel list` shows, in lower case"
        report.add("edge.tunnel", text.format(shown(edge["tunnel"])))
    if "credentials" in edge:
        brought_secret_problems(report, "edge.credentials", edge["credentials"], stack, "the JSON file that `cloudflared tunnel create` wrote")
