# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirects that lead back to where they came from, over however many routes and hosts of one edge.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Browsers give up on such a request, and nothing else tells. Which route answers does not depend on the scheme, and the edge
itself leads from http to https where it has certificates, so requests are told apart by host and path alone.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._route_language import TooCostly, explore
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import (
    Matcher,
    decoded_path,
    encoded_path,
    route_node,
    sample_host,
    server_of,
    server_routes,
)
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Problem, Route, described

# After as many redirects browsers give up as well.
_MOST = 20
_SHOWN = 3
_PORTS = {"http": 80, "https": 443}


class _Hop(t.NamedTuple):
    """A request that a route redirects."""

    host: str
    path: str  # decoded
    route: Route

    @property
    def text(self) -> str:
        """The request as people write it."""
        return self.host + encoded_path(self.path)


def loop_problems(stack: model.Mapping, routes: t.Sequence[Route], hosts: t.Sequence[str]) -> t.List[Problem]:
    """A problem for all routes that such a loop leads through. The stack is ``with_edge``."""
    if not (edges.nginx_service(stack) or edges.external_edge(stack)) or not any(route.redirect for route in routes):
        return []
    edge = _Edge(stack, routes, hosts)
    found: t.Dict[t.FrozenSet[Route], t.List[_Hop]] = {}
    for path in _paths(routes):
        for server in edge.servers:
            loop = edge.loop(sample_host(edge.servers, server), path)
            if loop:
                found.setdefault(frozenset(hop.route for hop in loop), loop)
    return [_problem(loop, bool(edges.edge_of(stack).get("tls"))) for loop in found.values()]


def _paths(routes: t.Sequence[Route]) -> t.List[str]:
    """One path for each way in which routes can match together, of whatever hosts they are."""
    try:
        return [one.path for one in explore([route_node(route) for route in routes])]
    except TooCostly:
        # What is found without the regexes is so all the same.
        return [one.path for one in explore([route_node(route) for route in routes if route.kind != "regex"])]


class _Edge:
    def __init__(self, stack: model.Mapping, routes: t.Sequence[Route], hosts: t.Sequence[str]) -> None:
        self.servers = server_routes(routes, hosts)
        self._matchers = {server: Matcher(listed) for server, listed in self.servers.items()}
        self._health = edges.health_path(stack) if edges.nginx_service(stack) else ""
        edge = edges.edge_of(stack)
        # Without either, https ends at somebody else's proxy, of which nothing is known.
        self._schemes = ("http", "https") if edge.get("tls") or edge.get("tunnel") else ("http",)

    def loop(self, host: str, path: str) -> t.List[_Hop]:
        """The redirects that a request is sent through for ever; none where it comes to an end."""
        hops: t.List[_Hop] = []
        while len(hops) < _MOST:
            route = self._answering(host, path)
            if route is None or not route.redirect:
                return []
            hop = _Hop(host, path, route)
            if hop in hops:
                return hops[hops.index(hop) :]
            hops.append(hop)
            following = self._following(hop)
            if following is None:
                return []
            host, path = following
        # It gets longer and longer.
        return hops

    def _answering(self, host: str, path: str) -> t.Optional[Route]:
        """The route that answers; none where the edge itself does."""
        server = server_of(self.servers, host)
        if server is None:
            return None
        if path == self._health and not any(route.path == path and route.kind != "regex" for route in self.servers[server]):
            return None
        return self._matchers[server].first(path)

    def _following(self, hop: _Hop) -> t.Optional[t.Tuple[str, str]]:
        """The host and path of the next request; none where it is refused, or not this edge's."""
        try:
            to = urlsplit(hop.route.redirect.replace("{uri}", encoded_path(hop.path)))
            is_own = not to.scheme or (to.scheme in self._schemes and (to.port or _PORTS[to.scheme]) == _PORTS[to.scheme])
        except ValueError:
            return None
        path = decoded_path(to.path or "/")
        return None if path is None or not is_own else ((to.hostname or hop.host).rstrip("."), path)


def _problem(loop: t.List[_Hop], tls: bool) -> Problem:
    start = min(range(len(loop)), key=lambda at: loop[at].route.index)
    hops = loop[start:] + loop[:start]
    first, route = hops[0], hops[0].route
    remedy = "put a route that answers {0} above routes[{1}], or narrow host or path of the redirect to what is to be left".format(first.text, route.index)
    if tls and len(loop) == 1 and route.redirect.startswith("https:"):
        remedy = "the edge leads from http to https by itself, so take routes[{0}] out, or {1}".format(route.index, remedy)
    message = "{0}: {1}, for ever; {2}.".format(described(route), ", ".join(_steps(hops)), remedy)
    positions = dict.fromkeys([route.index, *sorted(hop.route.index for hop in hops)])
    return Problem(tuple(positions), "invalid", "error", message, first.text)


def _steps(hops: t.List[_Hop]) -> t.Iterator[str]:
    if len(hops) == 1:
        yield "GET {0} is sent there again".format(hops[0].text)
        return
    yield "GET {0} is sent to {1}".format(hops[0].text, hops[1].text)
    for before, hop, after in list(zip(hops, hops[1:], hops[2:] + hops[:1]))[: _SHOWN - 1]:
        yield "from there by {0} to {1}".format("itself" if hop.route == before.route else described(hop.route), after.text)
    if len(hops) > _SHOWN:
        yield "and so on"
