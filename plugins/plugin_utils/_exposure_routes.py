# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches a service by way of the edges: what is routed to is as exposed as the edge that leads there.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import INTERNAL, PUBLIC, REACHES
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# Where a tunnel finds the nginx behind it, as in edges.front_upstream.
_FRONT_PORT = 80


class Lead(t.NamedTuple):
    """A way through an edge to a port of a service."""

    service: str
    port: int
    # The route in its normal form; empty for a tunnel's way to the nginx behind it.
    text: str
    reach: str
    # The service at which the requests come in, with its stack where that is another one; or the proxy of the host.
    via: str


class _Entrance(t.NamedTuple):
    """Who reaches an edge, and where the requests come in."""

    reach: str = INTERNAL
    stack: str = ""
    service: str = ""

    def seen_from(self, stack: str) -> str:
        return self.service if self.stack in ("", stack) else "{0}/{1}".format(self.stack, self.service)


# Whom the ports that an edge itself publishes reach.
OwnReach = t.Callable[[model.Mapping, str], str]


def leads(stack: model.Mapping, stacks: t.Sequence[model.Mapping], own_reach: OwnReach) -> t.List[Lead]:
    """All ways into the services of a stack, through its own edge and those of the others. All are ``with_edge``."""
    name = _name(stack)
    # Its own routes first, and as they are given here.
    everything = {name: stack, **{_name(one): one for one in stacks if _name(one) != name}}
    entrances = _entrances(everything, own_reach)
    found = []
    for other, one in everything.items():
        for route in edges.routes_of(one):
            if route.service and (route.stack or other) == name:
                entrance = entrances.get(other, _Entrance())
                found.append(Lead(route.service, route.port, _text(route, other, name), entrance.reach, entrance.seen_from(name)))
    if edges.nginx_service(stack) and edges.tunnel_service(stack) in model.active_services(stack):
        found.append(Lead(edges.nginx_service(stack), _FRONT_PORT, "", PUBLIC, edges.tunnel_service(stack)))
    return found


def recorded_routes(stack: model.Mapping) -> t.List[model.Mapping]:
    """Where the stack's edge leads to, for who looks at the host later. A url may name what only the edge is to know: its host is told."""
    name, via = _name(stack), edges.edge_service(stack) or edges.external_name(stack)
    found = []
    for route in edges.routes_of(stack):
        if route.service:
            found.append({"via": via, "text": _text(route, name, name), "service": route.service, "stack": route.stack or name, "port": route.port})
        elif route.url:
            found.append({"via": via, "text": _text(route, name, name), "url": urlsplit(route.url).netloc.rpartition("@")[2]})
    return found


def _entrances(everything: t.Dict[str, model.Mapping], own_reach: OwnReach) -> t.Dict[str, _Entrance]:
    found = {name: _own_entrance(name, one, own_reach) for name, one in everything.items() if edges.edge_service(one) or edges.external_edge(one)}
    # An edge may lead to another stack's edge: until nobody is reached by more.
    while True:
        raised = {}
        for name in found:
            for route in edges.routes_of(everything[name]):
                behind = route.stack or name
                if behind in found and route.service == edges.edge_service(everything[behind]) and wider(found[name].reach, found[behind].reach):
                    raised[behind] = found[name]
        if not raised:
            return found
        found.update(raised)


def _own_entrance(name: str, stack: model.Mapping, own_reach: OwnReach) -> _Entrance:
    if edges.external_edge(stack):
        # It is there to be reached; of no stack, whoever looks.
        return _Entrance(PUBLIC, "", edges.external_name(stack))
    active, edge, tunnel = model.active_services(stack), edges.edge_service(stack), edges.tunnel_service(stack)
    reach = own_reach(stack, edge) if edge in active else INTERNAL
    if reach != PUBLIC and tunnel in active:
        return _Entrance(PUBLIC, name, tunnel)
    return _Entrance(reach, name, edge)


def wider(reach: str, other: str) -> bool:
    """Whether one lets in more than the other."""
    return REACHES.index(reach) > REACHES.index(other)


def _text(route: Route, other: str, name: str) -> str:
    whose = "" if other == name else " (stack {0})".format(other)
    return "{0}{1} {2}{3}".format(route.host + " " if route.host else "", route.kind, route.path, whose)


def _name(stack: model.Mapping) -> str:
    return str(stack.get("name"))
