# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where an address and a port of a host can be reached, as far as the host itself can tell.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

NAT, a provider's firewall and whatever else stands in front of the host is only seen from outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import major_of
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import (
    Facts,
    family_of,
    is_loopback,
    is_wildcard,
    listed,
    shown,
)

# From this one on the engine drops what comes for loopback ports, and for containers' addresses, from elsewhere.
RAW_RULES_SINCE = 28


class Situation:
    """The facts of a host and what is declared on it, asked together."""

    def __init__(self, facts: Facts, declared: Declared) -> None:
        self.facts, self.declared = facts, declared
        self.engine, self.firewall = facts["engine"], facts["firewall"]
        self.containers: t.Dict[str, Facts] = {one["id"]: one for one in facts["containers"]}
        self.networks: t.Dict[str, Facts] = {one["name"]: one for one in facts["networks"]}
        self._interface = {
            address["address"]: interface["name"] for interface in facts["interfaces"] for address in interface["addresses"]
        }
        self._bridges = {one["interface"]: one["name"] for one in facts["networks"] if one["interface"]}

    @property
    def guarded(self) -> bool:
        """Whether the collection's firewall is in place, and everything not let through is dropped."""
        return self.firewall["portside"]["in_place"]

    def blocked(self, protocol: str, port: int) -> bool:
        """Whether the firewall keeps a port of the host from outside."""
        return self.guarded and port not in self.firewall["portside"]["public"].get(protocol, ())

    @property
    def unprotected(self) -> bool:
        """Whether the engine leaves loopback ports and containers' addresses to who routes to them."""
        return major_of(self.engine["version"]) < RAW_RULES_SINCE or self.engine["no_iptables_raw"]

    def outside(self, address: str) -> bool:
        """Whether anything but this host reaches that address, or is said not to."""
        return not is_loopback(address) and self._interface.get(address) not in self.declared.trusted_interfaces

    def bridge(self, address: str) -> str:
        """The network of the engine whose bridge has that address, empty for others."""
        return self._bridges.get(self._interface.get(address, ""), "")

    def why(self, protocol: str, port: int, addresses: t.Sequence[str], nat: bool) -> str:
        """Why a port is reachable at these addresses; ``nat`` where the engine leads it to a container."""
        bridge = next((self.bridge(one) for one in addresses if self.bridge(one)), "")
        if any(is_wildcard(one) for one in addresses):
            # Asked for none, the engine binds both families; over IPv4 alone it may have been asked for 0.0.0.0.
            every = nat and len({family_of(one) for one in addresses}) > 1
            bound = "It was published without an address, so it is" if every else "It is"
            bound += " bound to all addresses of the host"
            own = [one for family in ("ipv4", "ipv6") for one in self.facts["addresses"][family]]
            bound += " ({0})".format(listed(own)) if own else ""
        elif bridge:
            bound = (
                "It is bound to the address of the engine's network {0}, which is not loopback: every container reaches it, "
                "and so does a neighbour who sends what is for that address to this host"
            ).format(bridge)
        else:
            bound = "It is bound to {0}, which is not loopback".format(listed(addresses))
        guard = " The firewall of the collection drops it, for as long as that is in place." if self.blocked(protocol, port) else ""
        return "{0}{1}.{2}".format(bound, self._passes(addresses) if nat else self._filtered(), guard)

    def _passes(self, addresses: t.Sequence[str]) -> str:
        named = "ufw" if self.firewall["ufw"] else "firewalld" if self.firewall["firewalld"] else "a firewall such as ufw"
        if all(":" in one for one in addresses):
            return ". Where docker-proxy answers for IPv6, INPUT rules see it; where the engine has rules for IPv6, they do not"
        return ", and the engine's NAT takes it past the INPUT rules, so {0} does not see it".format(named)

    def _filtered(self) -> str:
        active = [name for name in ("ufw", "firewalld") if self.firewall[name]]
        if active:
            return "; {0} is active, but whether its rules let this in was not judged".format(listed(active))
        return ", and neither ufw nor firewalld is active"


def places(ports: t.Iterable[Facts]) -> str:
    """Where something is bound, in a sentence."""
    return listed(shown(one["address"], one.get("published") or one["port"]) for one in ports)
