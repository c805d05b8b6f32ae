# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of a stack: what its declaration means, and the services that it makes.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What the user writes under `services` for the edge wins over what is made here. Everything bears any input: an edge of
which problems are told is left as it is.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _edge_places as places
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._certificate_names import certificate_index, certificate_names
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import known_hosts
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route, host_pattern, parse_routes

NGINX, CLOUDFLARED = "nginx", "cloudflared"
KINDS = (NGINX, CLOUDFLARED)
# Somebody else's, on the host: no service of the stack.
EXTERNAL = "external"
TLS_KINDS = ("self_signed", "files", "acme")
TUNNEL = "tunnel"
# Where the tunnel finds its files.
CLOUDFLARED_CONFIG = "/etc/cloudflared/config.yml"
CREDENTIALS = "tunnel.json"
_METRICS = "127.0.0.1:20241"
_IMAGES = {NGINX: "nginx:1.28", CLOUDFLARED: "cloudflare/cloudflared:2026.8.2"}
# The user of cloudflared's image: https://github.com/cloudflare/cloudflared/blob/master/Dockerfile
_CLOUDFLARED_USER = "65532"
# For requests. Both programs take no new ones from the moment they are told to end, and would wait for open streams.
_GRACE = "2s"

Routes = t.Sequence[Route]


def edge_of(stack: model.Mapping) -> model.Mapping:
    """The declared edge; empty where there is none of a kind that is known."""
    edge = model.mapping(stack.get("edge"))
    known = edge.get("kind") in KINDS and isinstance(edge.get("service", "edge"), str) and edge.get("service", "edge")
    return edge if known else {}


def edge_service(stack: model.Mapping) -> str:
    """The name of the service that is the edge, empty without one."""
    edge = edge_of(stack)
    return edge.get("service", "edge") if edge else ""


def external_edge(stack: model.Mapping) -> model.Mapping:
    """The declared edge where somebody else runs it; empty without one."""
    edge = model.mapping(stack.get("edge"))
    return edge if edge.get("kind") == EXTERNAL else {}


def external_name(stack: model.Mapping) -> str:
    """What people call that one; empty without one."""
    return str(external_edge(stack).get("name", "proxy")) if external_edge(stack) else ""


def unmade_service(stack: model.Mapping) -> str:
    """The name of the service that an edge would be that is of no known kind, which edge_problems tells; empty without one."""
    if stack.get("edge") is None or edge_of(stack) or external_edge(stack):
        return ""
    return str(model.mapping(stack["edge"]).get("service", "edge"))


def nginx_service(stack: model.Mapping) -> str:
    """The same, where the edge is nginx."""
    return edge_service(stack) if edge_of(stack).get("kind") == NGINX else ""


def tunnel_service(stack: model.Mapping) -> str:
    """The name of the service that runs cloudflared, empty without one."""
    edge = edge_of(stack)
    if edge.get("kind") == CLOUDFLARED:
        return edge_service(stack)
    return TUNNEL if edge.get("tunnel") else ""


def health_path(stack: model.Mapping) -> str:
    """The path that an nginx edge answers by itself, unless a route is exactly that; empty for none."""
    return str(edge_of(stack).get("health", "/health") or "")


def edge_hosts(stack: model.Mapping) -> t.List[str]:
    """The names that the edge answers to beside those of its routes."""
    found = []
    for text in model.sequence((edge_of(stack) or external_edge(stack)).get("hosts")):
        try:
            found.append(host_pattern(text))
        except StackError:
            continue
    return found


def routes_of(stack: model.Mapping) -> t.List[Route]:
    """The routes that are in order."""
    return parse_routes(stack.get("routes") or [])[0]


def with_edge(stack: t.Any) -> t.Any:
    """The declaration with the services of its edge made explicit. What is explicit already stays."""
    if not isinstance(stack, dict) or not edge_of(stack) or not isinstance(stack.get("services"), dict):
        return stack
    services, routes = dict(stack["services"]), routes_of(stack)
    nginx, tunnel = nginx_service(stack), tunnel_service(stack)
    for name, made in ((nginx, _nginx), (tunnel, _cloudflared)):
        if name and isinstance(services.get(name) or {}, dict):
            declared = model.mapping(services.get(name))
            services[name] = {**declared, **{key: value for key, value in made(stack, routes).items() if key not in declared}}
    if isinstance(services.get(tunnel), dict):
        secret = model.mapping(stack["edge"]).get("credentials")
        # One that is not declared is told once, as the edge's.
        if isinstance(secret, str) and secret in model.sections(stack, "secrets"):
            services[tunnel] = _with_credentials(services[tunnel], secret)
    return {**stack, "services": services}


def _nginx(stack: model.Mapping, routes: Routes) -> model.Mapping:
    edge = edge_of(stack)
    ports = [{"target": port, "published": port} for port in ((80, 443) if edge.get("tls") else (80,))]
    return {
        "image": _IMAGES[NGINX],
        "command": ["nginx", "-c", "{0}/{1}".format(places.MOUNT, places.CONFIG), "-g", "daemon off;"],
        **({} if edge.get("tunnel") else {"ports": ports}),
        **_joined(stack, routes),
        **_needs(stack, routes),
        # The image says so as well; others need not.
        "stop_signal": "SIGQUIT",
        "stop_grace_period": _GRACE,
        # Any answer shows that it is up; a path of its own, as a route may take the place of /health.
        "healthcheck": _check("curl", "-sS", "-o", "/dev/null", "http://127.0.0.1" + places.OWN),
    }


def _cloudflared(stack: model.Mapping, routes: Routes) -> model.Mapping:
    front = nginx_service(stack)
    return {
        "image": _IMAGES[CLOUDFLARED],
        "command": ["tunnel", "--no-autoupdate", "--config", CLOUDFLARED_CONFIG, "--metrics", _METRICS, "run"],
        **_joined(stack, routes),
        **({"depends_on": [front]} if front else _needs(stack, routes)),
        "stop_grace_period": _GRACE,
        "healthcheck": _check("cloudflared", "tunnel", "--metrics", _METRICS, "ready"),
    }


def _check(*command: str) -> model.Mapping:
    return {"test": ["CMD", *command], "interval": "3s", "timeout": "5s", "retries": 20}


def _needs(stack: model.Mapping, routes: Routes) -> model.Mapping:
    """The edge starts when what it leads to is healthy; what is of another stack has been started by that one's deploy."""
    active = model.active_services(stack)
    names = [name for name in own_targets(stack, routes) if name in active and name != edge_service(stack)]
    return {"depends_on": names} if names else {}


def _with_credentials(service: model.Mapping, secret: str) -> model.Mapping:
    if secret in {reference["source"] for reference in model.references(service, "secrets")}:
        return service
    reference = {"source": secret, "target": CREDENTIALS, "uid": _CLOUDFLARED_USER, "gid": _CLOUDFLARED_USER}
    return {**service, "secrets": [*model.sequence(service.get("secrets")), reference]}


# -- networks ------------------------------------------------------------------------------------------------------


def own_targets(stack: model.Mapping, routes: Routes) -> t.List[str]:
    """The stack's own services that routes lead to, in their order."""
    found = [route.service for route in routes if route.service and route.stack in ("", stack.get("name"))]
    return list(dict.fromkeys(found))


def is_shared(options: model.Mapping) -> bool:
    """Whether other stacks can join a network: it has a name that they can know."""
    return bool(options.get("external") or options.get("name"))


def _joined(stack: model.Mapping, routes: Routes) -> model.Mapping:
    """The fewest networks on which the edge meets the services that it leads to."""
    declared, services = model.sections(stack, "networks"), model.services_of(stack)
    chosen: t.List[str] = []
    if any(route.stack not in ("", stack.get("name")) for route in routes):
        chosen += [name for name, options in declared.items() if is_shared(options)]
    for name in own_targets(stack, routes):
        joined = model.service_networks(services.get(name, {}))
        if joined and not set(joined) & set(chosen):
            chosen.append("default" if "default" in joined else joined[0])
    # Nothing of an internal network reaches the world, nor the other way round.
    if all(declared.get(name, {}).get("internal") is True for name in chosen):
        chosen.append("default")
    return {} if chosen == ["default"] else {"networks": sorted(set(chosen))}


def alias(service: str, stack: str) -> str:
    """The name of a service where services of several stacks meet."""
    return "{0}.{1}".format(service, stack)


def with_aliases(stack: model.Mapping) -> model.Mapping:
    """The stack with a name of their own for services on networks where other stacks' services may be called the same.

    Where the edge is on such a network, the services that it leads to have theirs wherever it meets them; and so has the
    edge for a tunnel in front of it. The stack is ``with_edge``.
    """
    declared, services = model.sections(stack, "networks"), model.services_of(stack)
    shared = {name for name, options in declared.items() if is_shared(options)}
    # Who asks, and whom.
    asking = [(edge_service(stack), own_targets(stack, routes_of(stack)))]
    if nginx_service(stack) and tunnel_service(stack):
        asking.append((tunnel_service(stack), [nginx_service(stack)]))
    aliased = {}
    for name, service in services.items():
        joined = model.service_networks(service)
        met = [set(_networks(stack, who)) for who, asked in asking if name in asked]
        where = [one for one in joined if one in shared or any(one in networks and networks & shared for networks in met)]
        if where:
            given = service.get("networks")
            options = {one: model.mapping(given.get(one)) if isinstance(given, dict) else {} for one in joined}
            for one in where:
                options[one] = {**options[one], "aliases": [*model.sequence(options[one].get("aliases")), alias(name, stack["name"])]}
            aliased[name] = {**service, "networks": options}
    return {**stack, "services": {**stack["services"], **aliased}} if aliased else stack


def _networks(stack: model.Mapping, service: str) -> t.List[str]:
    return model.service_networks(model.services_of(stack).get(service, {}))


def edge_networks(stack: model.Mapping) -> t.List[str]:
    """The keys of the networks that the edge joins. The stack is ``with_edge``."""
    return _networks(stack, edge_service(stack))


def _own_name(stack: model.Mapping, asking: str, service: str) -> str:
    """By which name a service of the stack asks for another one of it: not by one that other stacks' services have as well."""
    declared = model.sections(stack, "networks")
    meets_others = any(is_shared(declared.get(one, {})) for one in _networks(stack, asking))
    return alias(service, stack["name"]) if meets_others else service


def upstream(stack: model.Mapping, route: Route) -> str:
    """Where the edge sends the requests of a route, as a URL without a path. The stack is ``with_edge``."""
    if route.url:
        return route.url
    if route.stack not in ("", stack["name"]):
        return "http://{0}:{1}".format(alias(route.service, route.stack), route.port)
    return "http://{0}:{1}".format(_own_name(stack, edge_service(stack), route.service), route.port)


def front_upstream(stack: model.Mapping) -> str:
    """Where a tunnel in front of nginx sends all requests. The stack is ``with_edge``."""
    return "http://{0}:80".format(_own_name(stack, tunnel_service(stack), nginx_service(stack)))


# -- certificates --------------------------------------------------------------------------------------------------


class Certificate(t.NamedTuple):
    """A file with a key and a chain, and the host patterns that it is for."""

    file: str
    hosts: t.Tuple[str, ...]


def certificates(stack: model.Mapping) -> t.List[Certificate]:
    """The certificates of the edge, in the order of the declaration."""
    tls = model.mapping(edge_of(stack).get("tls"))
    if tls.get("kind") == "files":
        given = [model.mapping(one) for one in model.sequence(tls.get("certificates"))]
        return [Certificate("{0}.pem".format(index), tuple(certificate_names(one.get("certificate")))) for index, one in enumerate(given)]
    names = {"self_signed": places.SELF_SIGNED, "acme": "acme.pem"}
    return [Certificate(names[tls["kind"]], tuple(certificate_hosts(stack)))] if tls.get("kind") in names else []


def certificate_for(stack: model.Mapping, host: str) -> t.Optional[Certificate]:
    """The certificate that a host pattern gets."""
    found = certificates(stack)
    index = certificate_index([one.hosts for one in found], host)
    return None if index is None else found[index]


def certificate_hosts(stack: model.Mapping) -> t.List[str]:
    """The names that certificates have to be for."""
    return [host for host in known_hosts(routes_of(stack), edge_hosts(stack)) if host]


def certificate_keys(stack: model.Mapping) -> t.List[str]:
    """The secrets with the keys of certificates that the user brings, in the order of the certificates."""
    tls = model.mapping(edge_of(stack).get("tls"))
    given = model.sequence(tls.get("certificates")) if tls.get("kind") == "files" else []
    return [one["key"] for one in given if isinstance(one, dict) and isinstance(one.get("key"), str)]
