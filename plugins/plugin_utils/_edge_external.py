# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge that somebody else runs on the host: what the stack has to have for it, and the files that it includes.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import Port, parse_port
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._caddy_snippet import caddy_snippet
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_snippet import nginx_snippet
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import server_routes
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# What nothing is declared of here: somebody else has it in their hands.
_THEIRS = {
    "service": "no service is made; write name: ..., what people call the proxy",
    "tls": "certificates are the proxy's own; take it out",
    "headers": "security headers are added by the proxy; write them into its configuration, or let the services add them",
    "max_body": "write max_body at the routes, or the limit for all into the proxy's configuration",
    "real_ip": "whom to believe is the proxy's to know; write it into its configuration",
    "health": "nothing but the routes is answered; let a service answer it",
    "tunnel": "a tunnel is a service of the stack; use kind: cloudflared, or nginx with a tunnel",
    "credentials": "they belong to a tunnel; use kind: cloudflared, or nginx with a tunnel",
}
# What a file cannot say that is included within a server: key, why, and whether the route has it.
_NOT_INCLUDED: t.Tuple[t.Tuple[str, str, t.Callable[[Route], bool]], ...] = (
    ("rate_limit", "nginx counts outside its servers, and Caddy not at all; limit it in the proxy's own configuration", lambda route: bool(route.rate)),
    ("url", "what is elsewhere, the proxy leads to by itself; write that into its own configuration", lambda route: bool(route.url)),
    ("stack", "give that stack an edge of kind external itself; the proxy then includes the files of both", lambda route: bool(route.stack)),
    ("strip_prefix", "Caddy takes braces for a name of its own; let the service have the whole path", lambda route: route.strip_prefix and "{" in route.path),
    ("respond", "write a status alone, or let a service answer", lambda route: bool(route.body)),
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9])?")


def external_edge_problems(report: Report, stack: model.Mapping, edge: model.Mapping, routes: t.Sequence[Route]) -> model.Mapping:
    """Judges such an edge; answers with what of it is like that of other kinds."""
    for key, why in _THEIRS.items():
        if key in edge:
            report.add("edge." + key, "it says nothing with kind: external: " + why)
    if "name" in edge and not _NAME.fullmatch(edge["name"]):
        report.add("edge.name", "value {0} is not what people call a proxy; write a word such as caddy".format(shown(edge["name"])))
    proxy = edges.external_name(stack)
    unreached: t.Dict[t.Tuple[str, int], t.List[int]] = {}
    for route in [one._replace(stack="") if one.stack == stack.get("name") else one for one in routes]:
        for key, why, has in _NOT_INCLUDED:
            if has(route):
                report.add("routes[{0}].{1}".format(route.index, key), "it says nothing with edge.kind: external: " + why)
        if route.service and not route.stack and _published(stack, route) is None and not _is_told(stack, route):
            unreached.setdefault((route.service, route.port), []).append(route.index)
    services = model.services_of(stack)
    for (name, port), positions in unreached.items():
        if name in services and "network_mode" not in services[name]:
            others = " (and so for {0})".format(", ".join("routes[{0}]".format(other) for other in positions[1:])) if positions[1:] else ""
            text = "port {0} of service {1!r} is not published on the host, where {2!r} would ask for it{3}; write exposure: {{{1}: loopback}}, "
            hint = "and at the service ports: [{{target: {0}, published: NUMBER}}]"
            report.add("routes[{0}]".format(positions[0]), (text + hint).format(port, name, proxy, others))
    return {key: edge[key] for key in ("kind", "hosts") if key in edge}


def _published(stack: model.Mapping, route: Route) -> t.Optional[int]:
    """The port of the host that leads to the route's."""
    if not _is_exposed(stack, route):
        return None
    leading = (port for port in _ports(stack, route) if port.fixed and (port.target, port.protocol) == (route.port, "tcp"))
    return next((int(port.published) for port in leading), None)


def _is_told(stack: model.Mapping, route: Route) -> bool:
    """Whether what is wrong is told of the ports themselves: that the engine picks it, or that it is one of the host."""
    ports = _ports(stack, route)
    picked = _is_exposed(stack, route) and any(port.target == route.port and not port.fixed for port in ports)
    mistaken = any(port.fixed and int(port.published) == route.port for port in ports) and all(port.target != route.port for port in ports)
    return picked or mistaken


def _is_exposed(stack: model.Mapping, route: Route) -> bool:
    return model.mapping(stack.get("exposure")).get(route.service) in ("loopback", "public")


def _ports(stack: model.Mapping, route: Route) -> t.List[Port]:
    """All that can be read; what cannot is told elsewhere."""
    found: t.List[Port] = []
    for value in model.sequence(model.services_of(stack).get(route.service, {}).get("ports")):
        try:
            found += parse_port(value)
        except StackError:
            continue
    return found


def external_files(stack: model.Mapping) -> t.Dict[str, str]:
    """The files that the proxy includes, by their path in the release: for each host that the routes tell apart, one of nginx's and one of Caddy's."""
    found = {}
    for host, routes in server_routes(edges.routes_of(stack), edges.edge_hosts(stack)).items():
        upstreams = {route: _upstream(stack, route) for route in routes if route.service}
        base = "edge/routes" + ("." + host.replace("*", "_") if host else "")
        found[base + ".nginx.conf"] = nginx_snippet(stack["name"], host, routes, upstreams)
        found[base + ".caddy"] = caddy_snippet(stack["name"], host, routes, upstreams)
    return found


def _upstream(stack: model.Mapping, route: Route) -> str:
    port = _published(stack, route)
    if port is None:
        text = "stack {0!r}, key 'routes[{1}]': port {2} of service {3!r} is not published on the host; write exposure: {{{3}: loopback}}, and ports there"
        raise StackError(text.format(stack.get("name"), route.index, route.port, route.service))
    return "127.0.0.1:{0}".format(port)
