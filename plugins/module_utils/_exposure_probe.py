# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be tried from outside, by what is declared and what listens: the options of port_probe.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import Facts, is_client, is_global, is_loopback, named

Port = t.Tuple[str, int]


def probe_of(facts: Facts, declared: Declared) -> t.Dict[str, t.Any]:
    """The ports that have to answer, those that must not, and the addresses that are the same for everybody.

    A port that the host shows to some sources alone is in neither: whether the controller is one of them is not known here.
    """
    wanted = _wanted(declared)
    some = {(one["protocol"], one["port"]) for one in declared.open if one["sources"]}
    ssh = {("tcp", port) for port in declared.ssh_ports}
    found: t.Dict[Port, t.List[str]] = {}
    for one in facts["endpoints"]:
        key = one["protocol"], one["port"]
        if not is_loopback(one["address"]) and not is_client(facts, one) and key not in wanted and key not in some | ssh:
            found.setdefault(key, []).append(named(one["owner"]))
    return {
        # A private address may be somebody else's where the controller is.
        "addresses": [one for family in ("ipv4", "ipv6") for one in facts["addresses"][family] if is_global(one)],
        "open": _ports(wanted),
        "closed": _ports(found),
        "control": sorted(declared.ssh_ports),
    }


def _wanted(declared: Declared) -> t.Dict[Port, t.List[str]]:
    """What is declared for everybody. Of a range the engine picks one, so that none of it has to answer."""
    found: t.Dict[Port, t.List[str]] = {}
    for service in declared.services.values():
        for port in service.ports:
            if port.public and port.first == port.last and port.first and port.protocol in ("tcp", "udp"):
                found.setdefault((port.protocol, port.first), []).append("stack {0}: service {1}".format(service.stack, service.name))
    for one in declared.open:
        if not one["sources"]:
            found.setdefault((one["protocol"], one["port"]), []).append(one["reason"])
    return found


def _ports(found: t.Mapping[Port, t.Sequence[str]]) -> t.List[t.Dict[str, t.Any]]:
    return [
        {"port": port, "protocol": protocol, "owner": " and ".join(dict.fromkeys(owners))}
        for (protocol, port), owners in sorted(found.items())
    ]
