# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locations by which nginx answers as the list of routes does.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

nginx does not take the first match: an exact location wins, else the longest tree is remembered, and regexes in their
order win over it unless it is marked ^~. So every exact location gets the route that the list gives to that very path,
a tree that a route above takes whole gets none, and ^~ is left out just where a regex is to win.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._route_language import TooCostly, exact_node, explore, tree_node
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import Matcher, route_node
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# A path, the first route in the list that has it, and the first regex.
Regions = t.List[t.Tuple[str, t.Optional[Route], t.Optional[Route]]]


class Location(t.NamedTuple):
    """A location of nginx: ``=``, ``^~``, ``~`` (a route's path, not yet anchored) or none of them; no route is 404."""

    modifier: str
    pattern: str
    route: t.Optional[Route]


class Differing(t.NamedTuple):
    """A path that the list gives to one route and nginx to another one, and the regex for which its tree has no ^~."""

    path: str
    listed: Route
    located: Route
    opening: Route


def locations(routes: t.Sequence[Route]) -> t.List[Location]:
    """Those of one server: exact ones, trees and regexes, each in the order of the routes."""
    trees = _trees(routes)
    try:
        opened: t.Collection[str] = _opened(_regions(routes, trees), trees)
    except TooCostly:
        # Such a list is refused as undecided.
        opened = trees
    if not _regexes(routes):
        # Nothing to stop: as people write it.
        opened = [tree for tree in trees if tree == "/"]
    matcher = Matcher(routes)
    found = [Location("=", path, matcher.first(path)) for path in _exacts(routes, trees)]
    found += [Location("" if tree in opened else "^~", tree, route) for tree, route in trees.items()]
    return found + [Location("~", route.path, route) for route in _regexes(routes)]


def differing(routes: t.Sequence[Route]) -> t.List[Differing]:
    """Where nginx with these locations answers unlike the list, once for each two routes; raises TooCostly.

    That is only where a regex is tried for the sake of another one, so there is always a route on either side.
    """
    trees = _trees(routes)
    regions = _regions(routes, trees)
    opened = _opened(regions, trees)
    found: t.Dict[t.Tuple[Route, Route], Differing] = {}
    for path, first, regex in regions:
        tree = _tree_of(path, trees)
        if first is not None and tree in opened:
            located = regex or trees[tree]
            if located != first:
                found.setdefault((first, located), Differing(path, first, located, opened[tree]))
    return list(found.values())


def _regexes(routes: t.Sequence[Route]) -> t.List[Route]:
    return [route for route in routes if route.kind == "regex"]


def _trees(routes: t.Sequence[Route]) -> t.Dict[str, Route]:
    """The trees that no other one above takes whole."""
    found: t.Dict[str, Route] = {}
    for route in routes:
        tree = route.path if route.path.endswith("/") else route.path + "/"
        if route.kind == "prefix" and _tree_of(tree, found) is None:
            found[tree] = route
    return found


def _exacts(routes: t.Sequence[Route], trees: t.Mapping[str, Route]) -> t.List[str]:
    """The paths with a location of their own: those of routes, and each that nginx would redirect to one with a slash more.

    It does so to trees and to exact locations alike, as soon as they hand requests on.
    """
    paths = [route.path for route in routes if route.kind == "exact"]
    paths += [route.path for route in routes if route.kind == "prefix" and not route.path.endswith("/")]
    redirected = [path[:-1] for path in (*paths, *trees) if path.endswith("/") and path != "/"]
    return list(dict.fromkeys(paths + redirected))


def _tree_of(path: str, trees: t.Container[str]) -> t.Optional[str]:
    ends = [place for place, char in enumerate(path, 1) if char == "/"]
    return next((path[:end] for end in reversed(ends) if path[:end] in trees), None)


def _opened(regions: Regions, trees: t.Mapping[str, Route]) -> t.Dict[str, Route]:
    """The trees in which a regex is to win, each with the first such one."""
    found: t.Dict[str, Route] = {}
    for path, first, _regex in regions:
        tree = _tree_of(path, trees)
        if tree is not None and first is not None and first.kind == "regex":
            found.setdefault(tree, first)
    return found


def _regions(routes: t.Sequence[Route], trees: t.Mapping[str, Route]) -> Regions:
    """A path for each way in which routes, trees and exact locations can match together, and the first route that does."""
    if not _regexes(routes):
        return []
    exacts = _exacts(routes, trees)
    nodes = [route_node(route) for route in routes] + [tree_node(tree) for tree in trees] + [exact_node(path) for path in exacts]
    found: Regions = []
    apart = len(routes) + len(trees)
    for path, matched in explore(nodes):
        # Those with a location of their own are right by themselves.
        if not any(index >= apart for index in matched):
            having = [routes[index] for index in sorted(matched) if index < len(routes)]
            found.append((path, next(iter(having), None), next(iter(_regexes(having)), None)))
    return found
