# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of an nginx edge: one for each name that it knows, one for all others, one that leads to HTTPS.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _edge_places as places
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import is_address
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import parse_ports
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_route import DEFAULTS, location
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block, comment, plain, value
from ansible_collections.portside.stack.plugins.plugin_utils._route_locations import locations
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import server_routes
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# Where the digest of the whole text stands in the end: no declared text gets here with this character.
DIGEST = "\0"
_HTTPS = 443
_HTTP2_DIRECTIVE = (1, 25, 1)
_REFUSAL = ["if ($edge_refused) {", "    return 400;", "}"]

Blocks = t.List[t.List[str]]


class _Listener(t.NamedTuple):
    """Where servers listen; the one without a name takes what no other one does."""

    port: int
    options: str
    ipv6: bool
    settings: t.Sequence[str] = ()

    def lines(self, names: t.Sequence[str] = ()) -> t.List[str]:
        words = [self.options, *([] if names else ["default_server"])]
        addresses = ["{0}{1}".format(address, self.port) for address in (("", "[::]:") if self.ipv6 else ("",))]
        listens = [" ".join(["listen", address, *filter(None, words)]) + ";" for address in addresses]
        return [*listens, *self.settings, *(["server_name {0};".format(" ".join(map(plain, names)))] if names else [])]


def servers(stack: model.Mapping, nginx: t.Tuple[int, ...]) -> Blocks:
    """All servers of the edge of a stack."""
    by_host = server_routes(edges.routes_of(stack), edges.edge_hosts(stack))
    named = [host for host in by_host if host]
    tls, ipv6 = bool(model.mapping(edges.edge_of(stack).get("tls"))), _has_ipv6(stack)
    secure = _Listener(_HTTPS, "ssl" if nginx >= _HTTP2_DIRECTIVE else "ssl http2", ipv6, ["http2 on;"] if nginx >= _HTTP2_DIRECTIVE else [])
    plain_one = _Listener(80, "", ipv6)
    listener = secure if tls else plain_one
    found: Blocks = []
    if tls:
        leading = _plain_answers(stack) + [block("location /", ["return 308 {0};".format(_https_address(stack))])]
        if "" in by_host:
            found.append(_server("Every host: on to HTTPS.", plain_one.lines(), leading))
        else:
            found += [_server("Declared hosts: on to HTTPS.", plain_one.lines(named), leading)] if named else []
            found.append(_nobody(stack, plain_one, named))
    if "" not in by_host:
        found.append(_nobody(stack, listener, named))
    for names, routes, settings in _groups(stack, by_host, tls):
        title = "Every host that has no server of its own." if names == [""] else "For " + ", ".join(names)
        found.append(_server(title, [*listener.lines([name for name in names if name]), *settings], _answers(stack, routes, not tls)))
    return found


def _groups(stack: model.Mapping, by_host: t.Dict[str, t.List[Route]], tls: bool) -> t.List[t.Tuple[t.List[str], t.List[Route], t.List[str]]]:
    """Hosts that differ in nothing, with their routes and settings; the one for any other host stays alone."""
    found: t.List[t.Tuple[t.List[str], t.List[Route], t.List[str]]] = []
    for host, routes in by_host.items():
        settings = _certificate(stack, host) if tls else []
        same = next((names for names, *rest in found if host and rest == [routes, settings]), None)
        if same is None:
            found.append(([host], routes, settings))
        else:
            same.append(host)
    return found


def _nobody(stack: model.Mapping, listener: _Listener, named: t.Sequence[str]) -> t.List[str]:
    """The server for hosts that nobody declared."""
    # Hung up on, cloudflared would answer 502, as if something were broken.
    refused = block("location /", ["return {0};".format(404 if edges.edge_of(stack).get("tunnel") else 444)])
    if listener.port == _HTTPS:
        title, settings = "Other hosts with TLS: not even a certificate is shown.", ["ssl_reject_handshake on;"]
        address = next((host for host in named if is_address(host)), "")
        if address:
            title, settings = "Other hosts with TLS, and the handshakes of those who ask by address, which have no name.", _certificate(stack, address)
        return _server(title, [*listener.lines(), *settings], [*_own(), refused])
    return _server("Other hosts: nothing but what deployments and authorities ask for.", listener.lines(), _plain_answers(stack) + [refused])


def _server(title: str, opening: t.List[str], parts: Blocks, defaults: t.Sequence[str] = DEFAULTS) -> t.List[str]:
    inside = [*opening, *_REFUSAL, *defaults]
    for part in parts:
        inside += ["", *part]
    return [comment(title), *block("server", inside)]


def challenge_server(stack: model.Mapping) -> t.List[str]:
    """The one server of an edge that has no certificate yet."""
    waiting = block("location /", ["add_header Retry-After 30 always;", "return 503;"])
    opening = _Listener(80, "", _has_ipv6(stack)).lines()
    return _server("Every host: a certificate is on its way.", opening, _plain_answers(stack) + [waiting], [])


def _has_ipv6(stack: model.Mapping) -> bool:
    """Whether the edge has an address of IPv6: where the kernel knows none, nginx would not start."""
    networks = model.sections(stack, "networks")
    return any(networks.get(name, {}).get("enable_ipv6") is True for name in edges.edge_networks(stack))


def _https_address(stack: model.Mapping) -> str:
    """Where a plain request goes on: to the port of the host that leads to this server's TLS."""
    service = model.services_of(stack).get(edges.edge_service(stack), {})
    try:
        published = [int(port.published) for port in parse_ports(service.get("ports", [])) if port.target == _HTTPS and port.fixed]
    except StackError:
        # stack_problems tells it.
        published = []
    port = "" if not published or _HTTPS in published else ":{0}".format(published[0])
    return "https://$host{0}$request_uri".format(port)


def _certificate(stack: model.Mapping, host: str) -> t.List[str]:
    """The file with the key and the chain for the host; the first one where none is for it."""
    found = edges.certificate_for(stack, host) or next(iter(edges.certificates(stack)), None)
    if found is None:
        raise StackError("stack {0!r}, key 'edge.tls': there is no certificate for it; declare `kind`".format(stack.get("name")))
    path = plain("{0}/{1}/{2}".format(places.MOUNT, places.CERTIFICATES, found.file))
    return ["ssl_certificate {0};".format(path), "ssl_certificate_key {0};".format(path)]


def _plain_answers(stack: model.Mapping) -> Blocks:
    """What every server without TLS answers by itself."""
    return [_challenges(), *_own(), *_health(stack)]


def _answers(stack: model.Mapping, routes: t.Sequence[Route], is_plain: bool) -> Blocks:
    """What a server answers by itself, then its routes."""
    health = edges.health_path(stack)
    taken = any(route.path == health and route.kind != "regex" for route in routes)
    found = [one for one in locations(routes) if taken or (one.modifier, one.pattern) != ("=", health)]
    own = ([_challenges()] if is_plain else []) + _own() + ([] if taken else _health(stack))
    rest = [] if any(one.pattern == "/" and one.modifier in ("", "^~") for one in found) else [block("location /", ["return 404;"])]
    # nginx looks at the order of regexes alone, and people at that of the routes.
    found.sort(key=lambda one: (one.route is None, one.route.index if one.route else 0))
    return own + [location(stack, one) for one in found] + rest


def _challenges() -> t.List[str]:
    inside = ["root {0}/{1};".format(places.MOUNT, places.WEBROOT), "types { }", "default_type text/plain;", "try_files $uri =404;"]
    return block("location ^~ " + places.CHALLENGES, inside)


def _own() -> Blocks:
    """By which the deployment sees that nginx serves this very text, and the container's check every few seconds that it is up."""
    answered = block("location = {0}{1}".format(places.OWN, DIGEST), ["access_log off;", "return 204;"])
    return [answered, block("location ^~ " + places.OWN, ["access_log off;", "return 404;"])]


def _health(stack: model.Mapping) -> Blocks:
    path = edges.health_path(stack)
    inside = ["access_log off;", "types { }", "default_type text/plain;", "return 200 {0};".format(value("ok\n"))]
    return [block("location = {0}".format(plain(path)), inside)] if path else []
