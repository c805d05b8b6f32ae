# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of the host that a service of a rendered document has: said once, for those who judge and for the firewall.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import is_loopback, is_wildcard
from ansible_collections.portside.stack.plugins.module_utils._ports import Port, parse_ports


class DeclaredPort(t.NamedTuple):
    """A port that a service publishes; without an address to all of them, and 0 to 0 where the engine chooses it."""

    address: str
    first: int
    last: int
    protocol: str
    target: int

    @property
    def public(self) -> bool:
        return not is_loopback(self.address)

    def covers(self, protocol: str, port: int, target: int) -> bool:
        if self.protocol != protocol:
            return False
        return self.first <= port <= self.last if self.last else self.target == target

    def allows(self, address: str) -> bool:
        """Whether it may be bound to that address."""
        return is_loopback(address) or is_wildcard(self.address) or self.address == address


def rendered_ports(service: t.Mapping[str, t.Any]) -> t.Tuple[DeclaredPort, ...]:
    """What a service of a rendered document publishes.

    In the host's network nothing is published: there the port of the host is the one that the container has.
    """
    on_host = service.get("network_mode") == "host"
    return tuple(_declared(port, on_host) for port in parse_ports(service.get("ports") or []))


def _declared(port: Port, on_host: bool) -> DeclaredPort:
    first, _dash, last = (str(port.target) if on_host else port.published or "0").partition("-")
    return DeclaredPort(_plain(port.host_ip), int(first), int(last or first), port.protocol, port.target)


def _plain(address: str) -> str:
    """An address as the kernel writes it, an IPv4 one that is written as IPv6 as what it is."""
    if not address:
        return ""
    given = ipaddress.ip_address(address)
    return str(getattr(given, "ipv4_mapped", None) or given)
