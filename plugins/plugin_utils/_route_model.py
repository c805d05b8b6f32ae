# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the routes of a stack answer: the one meaning that nginx's and cloudflared's configurations are made from.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache
from urllib.parse import quote

from ansible_collections.portside.stack.plugins.plugin_utils._route_language import Machine, exact_node, tree_node
from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import Node, parse_regex
from ansible_collections.portside.stack.plugins.plugin_utils._route_values import UNRESOLVED
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# Not half an escape, no slash and no dot in disguise.
_REFUSED_RAW = re.compile(rb"%(?![0-9A-Fa-f]{2})|%2[EeFf]|[ #]")
# No control character, no backslash, which some services take for a slash, nothing that stands for broken text.
_REFUSED = re.compile("[\x00-\x1f\x7f\\\\\ufffd]")
_UNENCODED = "/!$&'()*+,;=:@~-._"
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


class Answer(t.NamedTuple):
    """Who answers a request: a ``route``; or it is ``refused`` (400), for an ``unknown_host``, or for ``nothing`` (404)."""

    kind: str
    route: t.Optional[Route] = None


def decoded_path(target: str) -> t.Optional[str]:
    """The path that routes are compared with; none where the two programs would read the target differently."""
    raw = target.encode("utf-8", "surrogateescape").partition(b"?")[0]
    if not raw.startswith(b"/") or _REFUSED_RAW.search(raw):
        return None
    try:
        path = _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), raw).decode("utf-8")
    except UnicodeDecodeError:
        # Overlong forms of a slash are such.
        return None
    return None if UNRESOLVED.search(path) or _REFUSED.search(path) else path


def encoded_path(path: str) -> str:
    """A decoded path as browsers ask for it."""
    return quote(path, safe=_UNENCODED)


def matches(route: Route, path: str) -> bool:
    """Whether a decoded path is the route's, whatever stands above it."""
    if route.kind == "exact":
        return path == route.path
    if route.kind == "regex":
        return _machine(route.path).takes(path)
    return path.startswith(route.path) if route.path.endswith("/") else path == route.path or path.startswith(route.path + "/")


@lru_cache(maxsize=4096)
def _machine(regex: str) -> Machine:
    # Python's own would try all ways in which the pattern can match, which may be without end.
    return Machine([parse_regex(regex)])


class Matcher:
    """Which route of a list has a path, the first one, found without asking each of them."""

    def __init__(self, routes: t.Iterable[Route]) -> None:
        self._exacts: t.Dict[str, Route] = {}
        self._prefixes: t.Dict[str, Route] = {}
        self._regexes: t.List[Route] = []
        for route in routes:
            if route.kind == "regex":
                self._regexes.append(route)
            else:
                (self._exacts if route.kind == "exact" else self._prefixes).setdefault(route.path, route)

    def first(self, path: str) -> t.Optional[Route]:
        """The first route that has a decoded path."""
        ends = [place for place, char in enumerate(path) if char == "/"]
        above = [path, *(path[:end] for end in ends), *(path[: end + 1] for end in ends)]
        found = [self._prefixes[one] for one in above if one in self._prefixes]
        found += [self._exacts[path]] if path in self._exacts else []
        plain = min(found, key=lambda route: route.index, default=None)
        regexes = (route for route in self._regexes if plain is None or route.index < plain.index)
        return next((route for route in regexes if matches(route, path)), plain)


def route_node(route: Route) -> Node:
    """The paths of a route, for the decision what they share with others'."""
    if route.kind == "exact":
        return exact_node(route.path)
    if route.kind == "regex":
        return parse_regex(route.path)
    if route.path.endswith("/"):
        return tree_node(route.path)
    return Node("alt", parts=(exact_node(route.path), tree_node(route.path + "/")))


def covers(pattern: str, host: str) -> bool:
    """Whether a host pattern takes every host that the other one (a name or a pattern) takes."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return pattern in ("", host)


def known_hosts(routes: t.Sequence[Route], hosts: t.Sequence[str]) -> t.List[str]:
    """The host patterns that the edge answers to; the empty one, last, is any other host."""
    found = list(dict.fromkeys([*hosts, *(route.host for route in routes if route.host)]))
    return found + [""] if not hosts and any(not route.host for route in routes) else found


def server_routes(routes: t.Sequence[Route], hosts: t.Sequence[str]) -> t.Dict[str, t.List[Route]]:
    """By known host pattern, the routes that its requests can reach, in their order."""
    return {known: [route for route in routes if covers(route.host, known)] for known in known_hosts(routes, hosts)}


def server_of(known: t.Iterable[str], host: str) -> t.Optional[str]:
    """The known pattern that is closest to the host of a request; none when the edge does not know it."""
    host = re.sub(r":[0-9]*\Z", "", host.lower())
    host = host[:-1] if host.endswith(".") else host
    fitting = [pattern for pattern in known if covers(pattern, host)]
    return max(fitting, key=lambda pattern: (pattern == host, len(pattern))) if fitting else None


def sample_host(known: t.Iterable[str], pattern: str) -> str:
    """A host to which of all known patterns this one is closest."""
    if not pattern.startswith("*."):
        return pattern
    known = list(known)
    names = ["www", "a", "b"] + ["host{0}".format(number) for number in range(len(known))]
    return next(host for host in (name + pattern[1:] for name in names) if server_of(known, host) == pattern)


def answer(routes: t.Sequence[Route], hosts: t.Sequence[str], host: str, target: str) -> Answer:
    """What a request for that host and target gets."""
    path = decoded_path(target)
    if path is None:
        return Answer("refused")
    servers = server_routes(routes, hosts)
    server = server_of(servers, host)
    if server is None:
        return Answer("unknown_host")
    route = next((route for route in servers[server] if matches(route, path)), None)
    return Answer("route", route) if route else Answer("nothing")
