# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx does with the requests of one route.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block, comment, plain, value
from ansible_collections.portside.stack.plugins.plugin_utils._route_locations import Location
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# What is set in each server, so that a location has to say only where it differs: nginx inherits headers all or none.
DEFAULTS = (
    "# What locations change where they differ.",
    "set $edge_upstream_host $edge_host;",
    'set $edge_upgrade "";',
    "set $edge_connection close;",
    'set $edge_allow "";',
)
MAX_BODY = "1m"
STREAM_TIMEOUT = 3600
# Larger bodies go to the service as they come in. Smaller ones are kept until they are whole, so that
# a client with a slow line does not hold a worker of the service.
_KEPT = 10 << 20
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def location(stack: model.Mapping, found: Location) -> t.List[str]:
    """One location of a server."""
    return located(found, lambda route: _handled(stack, found, route))


def located(found: Location, handled: t.Callable[[Route], t.List[str]]) -> t.List[str]:
    """A location with what it does for its route; without one nothing is there."""
    pattern = "^(?:{0})\\z".format(found.pattern) if found.modifier == "~" else found.pattern
    head = " ".join(["location", *([found.modifier] if found.modifier else []), plain(pattern)])
    if found.route is None:
        return [comment("no route answers this path"), *block(head, ["return 404;"])]
    return [comment(label(found.route)), *block(head, handled(found.route))]


def label(route: Route) -> str:
    """Which route it is, for people."""
    return "routes[{0}]: {1}{2} {3} -> {4}".format(route.index, route.host and route.host + " ", route.kind, route.path, route.target)


def edge_max_body(edge: model.Mapping) -> str:
    """The largest body where a route says nothing."""
    return str(edge.get("max_body", MAX_BODY))


def zone(route: Route) -> str:
    """The memory in which nginx counts the requests of each client for the route."""
    return "limit_req_zone $binary_remote_addr zone=route_{0}:10m rate={1};".format(route.index, route.rate)


def _handled(stack: model.Mapping, found: Location, route: Route) -> t.List[str]:
    lines = []
    if route.methods:
        allowed = allowed_methods(route)
        refused = ["set $edge_allow {0};".format(plain(", ".join(allowed))), "return 405;"]
        lines += block('if ($request_method !~ "^(?:{0})$")'.format("|".join(allowed)), refused)
    if route.max_body:
        lines.append("client_max_body_size {0};".format(route.max_body))
    if route.redirect:
        return [*lines, redirection(route)]
    if route.status:
        return [*lines, *_response(route)]
    return lines + _proxied(stack, found, route)


def allowed_methods(route: Route) -> t.List[str]:
    """The methods that pass: who may GET may ask for the head of it."""
    return [*route.methods, *(["HEAD"] if "GET" in route.methods and "HEAD" not in route.methods else [])]


def redirection(route: Route) -> str:
    """Where a route leads that answers by itself."""
    return "return {0} {1};".format(route.status, value(route.redirect, {"{uri}": "request_uri"}))


def _response(route: Route) -> t.List[str]:
    lines = []
    if route.body:
        # The type is what is declared, whatever the path ends in.
        lines += ["types { }", "default_type {0};".format(plain(route.content_type or "text/plain"))]
    body = " " + value(route.body) if route.body else ""
    return [*lines, "return {0}{1};".format(route.status, body)]


def _proxied(stack: model.Mapping, found: Location, route: Route) -> t.List[str]:
    lines = ["set $edge_upstream {0};".format(value(edges.upstream(stack, route)))]
    if route.url:
        lines.append("set $edge_upstream_host {0};".format(value(urlsplit(route.url).netloc)))
        # It may be far away.
        lines.append("proxy_connect_timeout 10s;")
    if route.stream == "websocket":
        lines += ["set $edge_upgrade $edge_websocket;", "set $edge_connection $edge_connection_upgrade;"]
    if route.rate:
        lines.append("limit_req zone=route_{0}{1};".format(route.index, " burst={0} nodelay".format(route.burst) if route.burst else ""))
    lines += transfer(route, route.max_body or edge_max_body(edges.edge_of(stack)))
    if route.url.startswith("https:"):
        lines += ["proxy_ssl_server_name on;", "proxy_ssl_verify on;", "proxy_ssl_verify_depth 5;"]
        lines.append("proxy_ssl_trusted_certificate {0};".format(_AUTHORITIES))
    return [*lines, *stripped(found, route), "proxy_pass $edge_upstream;"]


def transfer(route: Route, max_body: str) -> t.List[str]:
    """How bodies and streams pass, and how long the service may be silent."""
    lines = ["proxy_request_buffering off;"] if _streamed_body(max_body) else []
    if route.stream == "sse":
        lines += ["proxy_buffering off;", "proxy_cache off;", "gzip off;"]
    timeout = route.timeout or (STREAM_TIMEOUT if route.stream else 0)
    if timeout:
        lines += ["proxy_read_timeout {0}s;".format(timeout), "proxy_send_timeout {0}s;".format(timeout)]
    return lines


def stripped(found: Location, route: Route) -> t.List[str]:
    """The path without the prefix, where the route wants that; nginx encodes again what it had decoded."""
    prefix = route.path.rstrip("/")
    if not prefix or not route.strip_prefix:
        return []
    if found.modifier == "=" and found.pattern == prefix:
        return ["rewrite ^ / break;"]
    # No `?` in the replacement: CVE-2026-42945.
    return ["rewrite {0} $edge_rest break;".format(plain("^{0}(?<edge_rest>/.*)".format(re.escape(prefix))))]


def _streamed_body(size: str) -> bool:
    digits, unit = re.sub("[a-z]$", "", size.lower()), size.lower()[-1:]
    limit = int(digits) << _UNITS.get(unit if unit.isalpha() else "", 0)
    return limit == 0 or limit > _KEPT
