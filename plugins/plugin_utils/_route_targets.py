# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of where routes lead: services that are not there, or that the edge cannot reach.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import parse_port
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import did_you_mean
from ansible_collections.portside.stack.plugins.plugin_utils._route_loops import loop_problems
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import known_hosts
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Problem, Route, described, parse_routes

Services = t.Dict[str, model.Mapping]
# Kind of problem and its text.
Found = t.Iterator[t.Tuple[str, str]]
_UNKNOWN, _INVALID = "unknown", "invalid"
_HOST_NAME = "host.docker.internal"
_PORTS = {"http": 80, "https": 443}


class _Edge(t.NamedTuple):
    """What is asked of each route."""

    stack: model.Mapping
    others: t.Dict[str, model.Mapping]
    routes: t.List[Route]
    hosts: t.List[str]


def target_problems(stack: t.Any, stacks: t.Any) -> t.List[Problem]:
    """Every problem of a target. Without ``stacks`` nothing is known of other stacks, and they are not judged."""
    stack = edges.with_edge(model.mapping(stack))
    others = {str(one.get("name")): edges.with_edge(model.mapping(one)) for one in model.sequence(stacks) if isinstance(one, dict)}
    routes, told = parse_routes(stack.get("routes"))
    about = _Edge(stack, others, routes, edges.edge_hosts(stack))
    found = []
    for route in about.routes:
        for kind, text in _route_problems(route, about):
            ended = text if text.endswith("?") else text + "."
            found.append(Problem((route.index,), kind, "error", "{0}: {1}".format(described(route), ended)))
    # A route that is not understood yet may end what seems to be a loop.
    return found if any(problem.level == "error" for problem in told) else found + loop_problems(about.stack, about.routes, about.hosts)


def _route_problems(route: Route, about: _Edge) -> Found:
    if route.url:
        yield from _url_problems(route, about)
    elif route.service and route.stack in ("", str(about.stack.get("name"))):
        yield from _own_problems(route, about.stack)
    elif route.service and about.others:
        yield from _foreign_problems(route, about.stack, about.others)


# -- services of the stack itself ----------------------------------------------------------------------------------


def _own_problems(route: Route, stack: model.Mapping) -> Found:
    services = model.services_of(stack)
    if route.service not in services:
        known = ", ".join(sorted(services)) or "none"
        hint = did_you_mean(route.service, services) or "declared are {0}; where another stack's is meant, say which with `stack`".format(known)
        yield _UNKNOWN, "{0!r} is not a service of this stack; {1}".format(route.service, hint)
        return
    edge = edges.edge_service(stack)
    if route.service in (edge, edges.tunnel_service(stack)):
        yield _INVALID, "{0!r} is the edge itself, which would ask itself for ever; name the service that is to answer".format(route.service)
        return
    faults = list(_service_problems(route, route.service, services, model.active_services(stack), "this stack"))
    yield from faults
    joined = model.service_networks(services[route.service])
    at_edge = model.service_networks(services.get(edge, {}))
    if edge in services and "network_mode" not in services[edge] and joined and not set(joined) & set(at_edge):
        text = "{0!r} is on {1}, and the edge {2!r} on {3}, so it cannot reach it; add one to the other's `networks`, or leave `networks` of {2!r} out"
        yield _UNKNOWN, text.format(route.service, _listed(joined), edge, _listed(at_edge))


def _service_problems(route: Route, name: str, services: Services, active: t.Container[str], whose: str) -> Found:
    """What keeps a service from answering, whoever asks."""
    service = services[name]
    if name not in active:
        profiles = ", ".join(str(item) for item in model.sequence(service.get("profiles")))
        yield _UNKNOWN, "{0!r} does not run, because no profile of it is enabled in {1}; add one of {2} to `profiles` there".format(name, whose, profiles)
    if name in model.one_shots(services):
        yield _INVALID, "{0!r} runs once and ends, so that nothing would answer; lead to a service that goes on".format(name)
    count = model.replicas(service)
    if grammar.is_count(count) and int(count) < 1:
        yield _INVALID, "{0!r} has {1} containers, so that nothing would answer; give it one".format(name, count)
    mode = service.get("network_mode")
    if isinstance(mode, str) and mode.startswith("service:"):
        text = "{0!r} lives in the network of {1!r}, and has no name of its own; lead to {1}:{2}"
        yield _UNKNOWN, text.format(name, mode[len("service:") :], route.port)
    elif "network_mode" in service:
        text = "{0!r} has network_mode {1}, so it is on no network that the edge can join; leave network_mode out there"
        yield _UNKNOWN, text.format(name, mode)
    yield from _port_problems(route, name, service)


def _port_problems(route: Route, name: str, service: model.Mapping) -> Found:
    """A port of the container need not be declared. But one that only the host has is taken for the container's by mistake."""
    targets, published = set(), {}
    for value in model.sequence(service.get("ports")):
        try:
            for port in parse_port(value):
                targets.add(port.target)
                if port.fixed:
                    published[int(port.published)] = port.target
        except StackError:
            continue
    exposed = {str(item).partition("/")[0] for item in model.sequence(service.get("expose"))}
    if route.port in published and route.port not in targets and str(route.port) not in exposed:
        text = "{0} is the port of the host that leads to port {1} of {2!r}, and a route names the container's own; write port: {1}"
        hint = ', or expose: ["{0}"] at the service if it does listen there'.format(route.port)
        yield _UNKNOWN, text.format(route.port, published[route.port], name) + hint


# -- services of other stacks --------------------------------------------------------------------------------------


def _foreign_problems(route: Route, stack: model.Mapping, others: t.Dict[str, model.Mapping]) -> Found:
    if route.stack not in others:
        hint = did_you_mean(route.stack, others) or "declared are {0}".format(", ".join(sorted(others)))
        yield _UNKNOWN, "{0!r} is not a declared stack; {1}".format(route.stack, hint)
        return
    other = others[route.stack]
    services = model.services_of(other)
    if route.service not in services:
        hint = did_you_mean(route.service, services) or "declared there are {0}".format(", ".join(sorted(services)) or "none")
        yield _UNKNOWN, "{0!r} is not a service of stack {1!r}; {2}".format(route.service, route.stack, hint)
        return
    yield from _service_problems(route, route.service, services, model.active_services(other), "stack {0!r}".format(route.stack))
    if "network_mode" in services[route.service]:
        return
    edge = edges.edge_service(stack)
    mine = _real_networks(stack, model.services_of(stack).get(edge, {}))
    theirs = _real_networks(other, services[route.service])
    met = [name for name in theirs if name in mine]
    if edge and not met:
        text = "{0!r} of stack {1!r} is on {2}, and the edge {3!r} on {4}, so it cannot reach it; have both join one network that has a name, "
        hint = "networks: {{shared: {{name: shared}}}} in stack {1!r} and {{shared: {{external: true}}}} in this one"
        yield _UNKNOWN, (text + hint).format(route.service, route.stack, _listed(theirs), edge, _listed(mine))
    elif edge and not any(theirs[name] for name in met):
        text = "the edge meets {0!r} of stack {1!r} on {2}, which that stack gives no name, so that {0} is no name of it alone there; write name: {2} there"
        yield _UNKNOWN, text.format(route.service, route.stack, met[0])


def _real_networks(stack: model.Mapping, service: model.Mapping) -> t.Dict[str, bool]:
    """The networks of a service as the engine calls them, and whether it has a name there that is its own among all stacks."""
    declared = model.sections(stack, "networks")
    found = {}
    for key in model.service_networks(service):
        options = declared.get(key, {})
        found[model.real_name(str(stack.get("name")), key, options)] = edges.is_shared(options)
    return found


# -- URLs ----------------------------------------------------------------------------------------------------------


def _url_problems(route: Route, about: _Edge) -> Found:
    host, port = _place(route.url)
    services, others = model.services_of(about.stack), about.others
    name, _dot, of_stack = host.partition(".")
    extra = _extra_hosts(services.get(edges.edge_service(about.stack), {}))
    if _is_loopback(host):
        text = "{0} is the edge's own container, where nothing else listens; write service: NAME and port for a service, "
        yield _INVALID, text.format(host) + "or for a program of the host an address of the host on which it listens"
    elif host in extra or host == _HOST_NAME:
        yield from _hosts_file_problems(host, about.stack, extra)
    elif route.url.startswith("https:") and edges.nginx_service(about.stack) and _address(host):
        # https://github.com/nginx/nginx/issues/1237
        text = "nginx compares a certificate with names alone, never with an address such as {0}, and would answer 502; write a name that is in "
        yield _INVALID, text.format(host) + "the certificate and in DNS, or http:// if nothing is to be encrypted"
    elif host in services:
        text = "{0!r} is a service of this stack; write service: {0}, port: {1}, by which it is waited for and found again"
        yield _INVALID, text.format(host, port)
    elif of_stack in others and name in model.services_of(others[of_stack]):
        text = "{0!r} is service {1!r} of stack {2!r}; write service: {1}, stack: {2}, port: {3}, so that its networks are judged"
        yield _INVALID, text.format(host, name, of_stack, port)
    elif host and port in _PORTS.values() and host in known_hosts(about.routes, about.hosts):
        yield _INVALID, "{0} is a name of this edge, which would ask itself for ever; name what is to answer".format(host)


def _extra_hosts(service: model.Mapping) -> t.List[str]:
    """The names that Docker writes into the container's /etc/hosts."""
    given = service.get("extra_hosts")
    if isinstance(given, dict):
        return [str(name).lower() for name in given]
    return [re.split("[:=]", item)[0].lower() for item in model.sequence(given) if isinstance(item, str)]


def _hosts_file_problems(host: str, stack: model.Mapping, extra: t.List[str]) -> Found:
    """nginx asks Docker's DNS alone, which does not have the names of /etc/hosts; cloudflared reads both."""
    if edges.nginx_service(stack):
        text = "nginx looks names up in DNS alone, and {0} is one of /etc/hosts; write the address itself, such as that of the gateway of a network"
        yield _INVALID, text.format(host)
    elif host not in extra:
        text = 'the edge {0!r} does not know {1}; declare extra_hosts: ["{1}:host-gateway"] for it'
        yield _UNKNOWN, text.format(edges.edge_service(stack), host)


def _place(url: str) -> t.Tuple[str, int]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return bool(address) and (address.is_loopback or address.is_unspecified)


def _address(host: str) -> t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _listed(names: t.Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
