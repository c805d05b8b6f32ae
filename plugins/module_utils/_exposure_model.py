# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of exposure: addresses, owners, and what is said about them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import typing as t

Facts = t.Mapping[str, t.Any]
Finding = t.Dict[str, t.Any]

# In the order in which findings are told: what is open by itself, then what opens more, then what is not as it should be.
RULES = (
    "undeclared_port",
    "undeclared_listener",
    "wider_than_declared",
    "host_network",
    "shared_network",
    "own_address",
    "routed_network",
    "ipv6_unfiltered",
    "forward_accept",
    "loopback_unprotected",
    "engine_setting",
    "firewall_gone",
    "firewall_ineffective",
    "swarm_mesh",
    "extra_network",
    "docker_control",
    "orphan",
    "tunnel",
    "missing",
)
HIGH, MEDIUM, LOW = "high", "medium", "low"
SEVERITIES = (HIGH, MEDIUM, LOW)
OPEN_LIST = "firewall_open (the role firewall writes it to /etc/portside/exposure.json), with a reason"

_NOBODY = {
    "kind": "unknown",
    "stack": "",
    "service": "",
    "container": "",
    "container_id": "",
    "since": "",
    "process": "",
    "pid": 0,
    "user": "",
    "routes": [],
}


def owner(kind: str = "unknown", **known: t.Any) -> t.Dict[str, t.Any]:
    """Who has a socket or a published port; what does not apply is empty."""
    return dict(_NOBODY, kind=kind, **known)


def family_of(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"


def _parsed(address: str) -> t.Any:
    return ipaddress.ip_address(address.partition("%")[0] or "0.0.0.0")


def is_loopback(address: str) -> bool:
    return _parsed(address).is_loopback


def is_wildcard(address: str) -> bool:
    """Whether it stands for all addresses; so does none at all."""
    return _parsed(address).is_unspecified


def is_global(address: str) -> bool:
    """Whether the whole Internet has a way to it."""
    return _parsed(address).is_global


def is_client(facts: Facts, one: Facts) -> bool:
    """Whether a socket looks like a client: an unconnected one of UDP, at a port that the kernel chose.

    A resolver, an NTP or a QUIC client that waits for an answer cannot be told from a server there, so it is only warned of.
    """
    first, last = facts["ephemeral"]
    return one["protocol"] == "udp" and first <= one["port"] <= last


def shown(address: str, port: int) -> str:
    """An address and a port as people write them."""
    return "{0}:{1}".format("[{0}]".format(address) if ":" in address else address, port)


def listed(words: t.Iterable[str]) -> str:
    """Words in a sentence."""
    words = list(dict.fromkeys(words))
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def named(who: t.Mapping[str, t.Any]) -> str:
    """An owner, or a container of the facts, in a sentence."""
    container = "container {0}".format(who.get("container") or who.get("name") or "")
    if who.get("stack") and who.get("service"):
        return "stack {0}: service {1}: {2}".format(who["stack"], who["service"], container)
    if who.get("container") or who.get("name"):
        return container
    if not who.get("process"):
        return "a process that cannot be seen from here"
    if not who.get("pid"):
        return "the kernel itself, as for WireGuard or VXLAN,"
    user = ", user {0}".format(who["user"]) if who.get("user") else ""
    return "process {0} (pid {1}{2})".format(who["process"], who.get("pid", 0), user)


def endpoint(protocol: str, address: str, port: int) -> t.Dict[str, t.Any]:
    return {"protocol": protocol, "family": family_of(address), "address": address, "port": port}


def finding(
    rule: str,
    who: t.Mapping[str, t.Any],
    what: str,
    why: str,
    remedy: str,
    severity: str = HIGH,
    where: t.Optional[t.Mapping[str, t.Any]] = None,
    blocked: bool = False,
) -> Finding:
    """What one rule has to say; ``who`` is an owner or a container of the facts, or empty for the host as a whole."""
    return {
        "rule": rule,
        "what": what,
        "why": why,
        "since": who.get("since", ""),
        "remedy": remedy,
        "stack": who.get("stack", ""),
        "service": who.get("service", ""),
        "container": who.get("container") or who.get("name") or "",
        "process": who.get("process", ""),
        "endpoint": where and {key: where[key] for key in ("protocol", "family", "address", "port")},
        "severity": severity,
        "blocked": blocked,
    }
