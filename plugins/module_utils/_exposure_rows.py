# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of the stacks' services is reached where, as it is: the rows that the filter exposure_table makes of the declaration.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared, DeclaredService, Proxy
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import Facts, is_loopback

INTERNAL, LOOPBACK, PUBLIC = REACHES = ("internal", "loopback", "public")

# A published port, or one that a process of the service listens on in the host's network, with its addresses.
_Bound = t.Dict[t.Tuple[int, int, str], t.List[str]]


def exposure_of(addresses: t.Sequence[str]) -> str:
    """Whom addresses of the host reach."""
    if not addresses:
        return INTERNAL
    return LOOPBACK if all(is_loopback(one) for one in addresses) else PUBLIC


def with_routes(facts: t.Dict[str, t.Any], declared: Declared) -> t.Dict[str, t.Any]:
    """The facts, where each owner that is an edge has its routes."""

    def known(one: Facts) -> t.Dict[str, t.Any]:
        service = declared.service(one["owner"])
        return dict(one, owner=dict(one["owner"], routes=_behind(service) if service else []))

    return dict(facts, **{key: [known(one) for one in facts[key]] for key in ("endpoints", "published")})


def _behind(service: DeclaredService) -> t.List[str]:
    """Where an edge leads to."""
    return ["{0} -> {1}".format(one["text"], one.get("url") or _target(one, service.stack)) for one in service.routes]


def _target(route: t.Mapping[str, t.Any], stack: str) -> str:
    whose = "" if route["stack"] == stack else route["stack"] + "/"
    return "{0}{1}:{2}".format(whose, route["service"], route["port"])


def observed_rows(facts: Facts, declared: Declared) -> t.List[t.Dict[str, t.Any]]:
    """One row for each port that is bound or led to, and one for a service without any. Routes count as far as their edge is reached."""
    bound = {key: _bound(facts, service) for key, service in declared.services.items()}
    rows = []
    for key, service in declared.services.items():
        leading = [
            (edge, route)
            for edge in (*declared.services.values(), *declared.proxies)
            for route in edge.routes
            if route.get("service") and (route["stack"], route["service"]) == key
        ]
        ports: t.List[t.Tuple[t.Any, t.Any, str, t.List[str]]] = [(*port, addresses) for port, addresses in sorted(bound[key].items())]
        targets = {(target, protocol) for _published, target, protocol, _addresses in ports}
        routed = dict.fromkeys(route["port"] for _edge, route in leading)
        ports += [("", target, "tcp", []) for target in routed if (target, "tcp") not in targets]
        for published, target, protocol, addresses in ports or [("", None, "", [])]:
            here = [(edge, route) for edge, route in leading if (route["port"], "tcp") == (target, protocol)]
            own, (reach, via) = exposure_of(addresses), _through([edge for edge, _route in here], declared, bound)
            wider = REACHES.index(reach) > REACHES.index(own)
            rows.append(
                {
                    "stack": service.stack,
                    "service": service.name,
                    "exposure": own,
                    "addresses": addresses,
                    "published": str(published),
                    "target": target,
                    "protocol": protocol,
                    "routes": list(dict.fromkeys(route["text"] for _edge, route in here)),
                    "reach": reach if wider else own,
                    "via": via if wider else "",
                    "behind": _behind(service) if addresses else [],
                }
            )
    return rows


def _bound(facts: Facts, service: DeclaredService) -> _Bound:
    places: _Bound = {}
    for one in [*facts["published"], *[one for one in facts["endpoints"] if not one["published"]]]:
        if (one["owner"]["stack"], one["owner"]["service"]) == (service.stack, service.name):
            port = one.get("published") or one["port"]
            places.setdefault((port, one.get("target") or port, one["protocol"]), []).append(one["address"])
    return places


def _through(edges: t.Sequence[t.Union[DeclaredService, Proxy]], declared: Declared, bound: t.Mapping[t.Any, _Bound]) -> t.Tuple[str, str]:
    """Who gets in by the edges, and by which the most."""
    found = [_entrance(edge, declared, bound) for edge in edges]
    return max(found, key=lambda one: REACHES.index(one[0]), default=(INTERNAL, ""))


def _entrance(edge: t.Union[DeclaredService, Proxy], declared: Declared, bound: t.Mapping[t.Any, _Bound]) -> t.Tuple[str, str]:
    if isinstance(edge, Proxy):
        return PUBLIC, edge.name
    tunnels = [one.name for one in declared.services.values() if one.tunnel and one.stack == edge.stack]
    reach = exposure_of([address for addresses in bound[(edge.stack, edge.name)].values() for address in addresses])
    return (PUBLIC, tunnels[0]) if tunnels and reach != PUBLIC else (reach, edge.name)
