# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the order of routes: those that nothing reaches, and those that the programs take differently.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._route_language import Matched, TooCostly, explore
from ansible_collections.portside.stack.plugins.plugin_utils._route_locations import Differing, differing
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import encoded_path, route_node, sample_host, server_routes
from ansible_collections.portside.stack.plugins.plugin_utils._route_targets import target_problems
from ansible_collections.portside.stack.plugins.plugin_utils._route_values import written
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Problem, Route, described, host_pattern, parse_routes


def route_problems(given: t.Any, hosts: t.Any = (), stacks: t.Any = ()) -> t.List[t.Dict[str, t.Any]]:
    """Everything about a list of routes, or about those of a whole stack, as plain data."""
    found = _stack_problems(given, stacks) if isinstance(given, dict) else _listed_problems(given, hosts)
    return [dict(problem._asdict(), routes=list(problem.routes)) for problem in found]


def stack_route_problems(stack: t.Mapping[str, t.Any], stacks: t.Any = ()) -> t.List[Problem]:
    """The problems of a stack's routes; with the host's other stacks also of what leads to them.

    What has no position, a bad list of routes or hosts, is an error of the stack or of its edge, and told there.
    """
    return [problem for problem in _stack_problems(stack, stacks) if problem.routes or problem.level == "warning"]


def _stack_problems(stack: t.Mapping[str, t.Any], stacks: t.Any) -> t.List[Problem]:
    edge = stack.get("edge")
    found = _listed_problems(stack.get("routes"), edge.get("hosts") if isinstance(edge, dict) else (), "edge.hosts")
    return found + target_problems(stack, stacks)


def order_problems(routes: t.Sequence[Route], hosts: t.Sequence[str]) -> t.List[Problem]:
    """The problems of well-formed routes, on an edge that answers to these hosts besides those of the routes."""
    return _Order(routes, hosts).problems()


def _listed_problems(given: t.Any, hosts: t.Any, key: str = "hosts") -> t.List[Problem]:
    routes, found = parse_routes(given)
    known: t.List[str] = []
    if not isinstance(hosts, (list, tuple, type(None))):
        found.append(Problem((), "invalid", "error", "{0}: {1} is not a list; write [example.com]".format(key, written(hosts))))
        hosts = ()
    for host in hosts or ():
        try:
            known.append(host_pattern(host))
        except StackError as error:
            found.append(Problem((), "invalid", "error", "{0}: {1}.".format(key, error)))
            continue
        if known[-1] != host:
            text = "{0}: host {1} is {2} in requests, and taken as that; write it so.".format(key, written(host), written(known[-1]))
            found.append(Problem((), "normalised", "warning", text))
    return found + order_problems(routes, known)


class _Answered(t.NamedTuple):
    """Paths of one server that the same routes match, the first of which answers: the shortest of them."""

    server: str
    path: str
    routes: t.List[Route]


class _Order:
    def __init__(self, routes: t.Sequence[Route], hosts: t.Sequence[str]) -> None:
        self._routes = routes
        self._servers = server_routes(routes, hosts)
        self._regions: t.Dict[str, t.List[Matched]] = {}
        self._undecided: t.Set[Route] = set()
        self._found: t.List[Problem] = []

    def problems(self) -> t.List[Problem]:
        for server, routes in self._servers.items():
            self._look_at(server, routes)
        answered = [
            _Answered(server, region.path, [self._servers[server][own] for own in sorted(region.patterns)])
            for server, regions in self._regions.items()
            for region in regions
            if region.patterns
        ]
        reached = {one.routes[0] for one in answered}
        dead = [route for route in self._routes if route not in reached and route not in self._undecided]
        self._found += self._dead(dead, answered)
        known = {problem.routes for problem in self._found}
        for server in self._servers:
            for problem in self._overlaps(server, set(dead)):
                if problem.routes not in known:
                    known.add(problem.routes)
                    self._found.append(problem)
        return self._found

    def _look_at(self, server: str, routes: t.List[Route]) -> None:
        regexes = [route for route in routes if route.kind == "regex"]
        try:
            self._regions[server] = explore([route_node(route) for route in routes])
            differences = differing(routes)
        except TooCostly:
            # What holds without the regexes still holds with them.
            self._servers[server] = routes = [route for route in routes if route.kind != "regex"]
            self._regions[server] = explore([route_node(route) for route in routes])
            self._undecided.update(regexes)
            where = tuple(route.index for route in regexes)
            if not any(problem.kind == "undecided" and problem.routes == where for problem in self._found):
                self._found.append(Problem(where, "undecided", "error", _undecided(regexes)))
            return
        for one in differences:
            pair = (one.listed.index, one.located.index)
            if not any(problem.kind == "ambiguous" and problem.routes == pair for problem in self._found):
                example = self._example(server, one.path)
                self._found.append(Problem(pair, "ambiguous", "error", _ambiguous(one, example), example))

    def _dead(self, dead: t.List[Route], answered: t.List[_Answered]) -> t.Iterator[Problem]:
        matching: t.Dict[Route, t.List[_Answered]] = defaultdict(list)
        for one in answered:
            for route in one.routes:
                matching[route].append(one)
        everywhere = Counter(one.routes[0] for one in answered)
        for route in dead:
            covering = Counter(one.routes[0] for one in matching[route])
            above = sorted(covering, key=lambda one: one.index)
            # Moving it up helps if those above then still have requests of their own.
            helps = all(everywhere[one] > covering[one] for one in above)
            example = matching[route][0]
            request = self._example(example.server, example.path)
            text = _dead(route, above, helps, request, example)
            yield Problem((route.index,) + tuple(one.index for one in above), "dead", "error", text, request)

    def _overlaps(self, server: str, dead: t.Set[Route]) -> t.Iterator[Problem]:
        """Regexes that have a part of another route's paths, and that route has others of its own."""
        routes = self._servers[server]
        where: t.Dict[int, t.Set[int]] = defaultdict(set)
        shared: t.Dict[t.Tuple[int, int], str] = {}
        for number, region in enumerate(self._regions[server]):
            for own in region.patterns:
                where[own].add(number)
            for low in sorted(region.patterns)[1:]:
                shared.setdefault((min(region.patterns), low), region.path)
        for (high, low), path in sorted(shared.items()):
            first, second = routes[high], routes[low]
            if "regex" in (first.kind, second.kind) and second not in dead and where[high] - where[low] and where[low] - where[high]:
                request = self._example(server, path)
                yield Problem((first.index, second.index), "overlap", "warning", _overlap(first, second, request), request)

    def _example(self, server: str, path: str) -> str:
        """A request that is answered there: the host, if it is a certain one, and the target."""
        return sample_host(self._servers, server) + encoded_path(path)


def _dead(route: Route, above: t.List[Route], helps: bool, request: str, example: _Answered) -> str:
    them = _and([described(one) for one in above])
    places = _and(["routes[{0}]".format(one.index) for one in above])
    takes = "which stands above it, takes all its paths" if len(above) == 1 else "which stand above it, take all its paths together"
    answering = example.routes[0]
    text = "{0}: no request reaches it: {1}, {2}; GET {3} goes to routes[{4}]".format(described(route), them, takes, request, answering.index)
    prefixes = [one for one in example.routes if one.kind == "prefix"]
    longest = max(prefixes, key=lambda one: (len(one.path), -one.index), default=None)
    if longest == route and answering.kind == "prefix":
        text += " on cloudflared, which takes the first match, while nginx by itself takes the longest prefix, routes[{0}]".format(route.index)
    if helps:
        return "{0}. Move it above {1}.".format(text, places)
    return "{0}. It adds nothing to {1}: remove one of them, or give it other paths.".format(text, places)


def _ambiguous(one: Differing, request: str) -> str:
    text = "{0}: GET {1} is its by the order of the list, and nginx gives it to {2}: within a prefix it tries all regexes or none, "
    text += "and here it has to try routes[{3}]. Move routes[{4}] above routes[{5}], or narrow it so that they share no path."
    return text.format(described(one.listed), request, described(one.located), one.opening.index, one.located.index, one.listed.index)


def _overlap(first: Route, second: Route, request: str) -> str:
    text = "{0}: it shares some paths with {1}, and each has others of its own; GET {2} goes to routes[{3}], which stands above. "
    return (text + "If it is to go to routes[{4}], swap them.").format(described(first), described(second), request, first.index, second.index)


def _undecided(regexes: t.List[Route]) -> str:
    text = "{0}: what {1} with other routes cannot be decided within bounds, so requests could be misrouted; use prefixes or exact paths, "
    text += "or regexes with fewer .* and [^/]*, and without counts after them."
    return text.format(_and([described(one) for one in regexes]), "it shares" if len(regexes) == 1 else "they share")


def _and(texts: t.Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
