# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of cloudflared for the routes of a stack.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

cloudflared takes the first rule that matches, as routes are meant, but its paths are Go's regexes without anchors, and
it sees the decoded path alone, without a fragment: an encoded slash, or a dot that was encoded without need, is the
character itself to it.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import covers, known_hosts
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

Rule = t.Dict[str, t.Any]

# An empty segment, or . or .. as one, also with parameters; a control character; a backslash; what is no UTF-8, which
# Go reads as U+FFFD.
REFUSED = r"^.*(?://|/;[^/]*/|/\.\.?(?:[/;]|\z)|[\x00-\x1f\x7f\\\x{FFFD}])"
_CREDENTIALS = model.SECRETS + edges.CREDENTIALS
# What is to answer is a container next door, or it is down. Of what remains, the defaults are right for streams too:
# http2Origin and disableChunkedEncoding, which break them, are off.
_CONNECT_TIMEOUT = "10s"
FRONT = "use kind: nginx, whose own `tunnel` and `credentials` put a tunnel in front of it"
# What of a route cloudflared has nothing for: key, what it would be, and whether the route has it.
ONLY_NGINX: t.Tuple[t.Tuple[str, str, t.Callable[[Route], bool]], ...] = (
    ("methods", "cannot tell methods apart", lambda route: bool(route.methods)),
    ("rate_limit", "cannot limit rates", lambda route: bool(route.rate)),
    ("max_body", "cannot limit bodies", lambda route: bool(route.max_body)),
    ("strip_prefix", "hands the path on as it is", lambda route: route.strip_prefix),
    ("redirect", "cannot redirect", lambda route: bool(route.redirect)),
    ("respond", "responds with a status alone", lambda route: bool(route.status and not route.redirect and (route.body or route.content_type))),
    ("timeout", "has no timeout of a route, Cloudflare waits 120 s between two reads", lambda route: bool(route.timeout)),
)


def cloudflared_ingress(stack: model.Mapping) -> t.Dict[str, t.Any]:
    """What cloudflared is to be told for a stack of which no problem is known."""
    if not edges.tunnel_service(stack):
        text = "stack {0!r}, key 'edge': it has no tunnel; declare edge: {{kind: cloudflared, tunnel: ID, credentials: SECRET}}"
        raise StackError(text.format(model.mapping(stack).get("name")))
    stack = edges.with_edge(stack)
    front = edges.nginx_service(stack)
    return {
        "tunnel": edges.edge_of(stack).get("tunnel"),
        "credentials-file": _CREDENTIALS,
        "originRequest": {"connectTimeout": _CONNECT_TIMEOUT},
        "ingress": [
            {"path": REFUSED, "service": "http_status:400"},
            *([{"service": edges.front_upstream(stack)}] if front else _routed(stack)),
        ],
    }


def _routed(stack: model.Mapping) -> t.List[Rule]:
    routes = edges.routes_of(stack)
    known = known_hosts(routes, edges.edge_hosts(stack))
    # One for all below it is enough.
    widest = [""] if "" in known else [host for host in known if not any(covers(other, host) for other in known if other != host)]
    rules: t.List[Rule] = []
    for route in routes:
        for host in [route.host] if route.host else widest:
            rules.append(_rule(stack, route, host))
            if not host and "path" not in rules[-1]:
                # Behind a rule for everything cloudflared wants no other.
                return rules
    return [*rules, {"service": "http_status:404"}]


def _rule(stack: model.Mapping, route: Route, host: str) -> Rule:
    for key, why, has in ONLY_NGINX:
        if has(route):
            text = "stack {0!r}, key 'routes[{1}].{2}': cloudflared {3}; take it out, or {4}"
            raise StackError(text.format(stack.get("name"), route.index, key, why, FRONT))
    path = path_regex(route)
    rule: Rule = {**({"hostname": host} if host else {}), **({"path": path} if path else {})}
    if route.status:
        return {**rule, "service": "http_status:{0}".format(route.status)}
    rule["service"] = edges.upstream(stack, route)
    if route.url:
        rule["originRequest"] = {"httpHostHeader": urlsplit(route.url).netloc}
    return rule


def path_regex(route: Route) -> str:
    """A regex of Go's for exactly the decoded paths of the route; empty for all of them."""
    literal = re.escape(route.path).replace("\\-", "-")
    if route.kind == "regex":
        return r"^(?:{0})\z".format(route.path)
    if route.kind == "exact":
        return r"^{0}\z".format(literal)
    if route.path.endswith("/"):
        return "" if route.path == "/" else "^" + literal
    return r"^{0}(?:/|\z)".format(literal)
