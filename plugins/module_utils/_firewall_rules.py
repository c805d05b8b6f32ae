# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firewall lets in, as the text of an nftables table of its own.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A published port is in none of the chains that people look at: DNAT comes before routing, so its packets are forwarded to a
bridge and never meet "input"; over IPv6 the engine's proxy often listens instead, and that one does meet it. So both chains
ask the same one, `declared`, about the port that the client asked for: conntrack keeps it whatever DNAT made of it.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

TABLE = "portside"
# What nft takes in a comment, less what it might count differently.
_COMMENT = 100
_SETS = ("tcp", "udp")


class Opening(t.NamedTuple):
    """Ports that may be reached from outside: from anywhere unless there are sources, at any address unless one is given."""

    protocol: str
    first: int
    last: int
    why: str
    address: str = ""
    sources: t.Tuple[str, ...] = ()


class Wanted(t.NamedTuple):
    """All that the rules are made from."""

    ssh_ports: t.Sequence[int]
    trusted: t.Sequence[str] = ()
    # Bridges that lead outside, so that what comes from them is not from a container.
    uplinks: t.Sequence[str] = ()
    openings: t.Sequence[Opening] = ()


def ruleset(wanted: Wanted) -> str:
    """The table as a file for nft, which replaces the one of before in one transaction."""
    return _TEXT.format(
        tcp=_elements(_ports(wanted, "tcp")),
        udp=_elements(_ports(wanted, "udp")),
        ssh=_elements([str(port) for port in sorted(set(wanted.ssh_ports))]),
        trusted=_elements(['"{0}"'.format(name) for name in sorted(set(wanted.trusted))]),
        uplinks=_elements(['"{0}"'.format(name) for name in sorted(set(wanted.uplinks))]),
        rules="".join("        {0}\n".format(rule) for rule in _rules(wanted)),
    )


def lets_in(wanted: Wanted, protocol: str, port: int) -> bool:
    """Whether somebody outside may reach a port."""
    if protocol == "tcp" and port in wanted.ssh_ports:
        return True
    return any(one.protocol == protocol and one.first <= port <= one.last for one in wanted.openings)


def _elements(elements: t.Sequence[str]) -> str:
    return "\n        elements = {{\n            {0}\n        }}".format(",\n            ".join(elements)) if elements else ""


def _plain(one: Opening) -> bool:
    return one.protocol in _SETS and not one.address and not one.sources


def _ports(wanted: Wanted, protocol: str) -> t.List[str]:
    """The elements of a set; ranges that overlap become one, which nft would refuse otherwise."""
    merged: t.List[t.Tuple[int, int, t.List[str]]] = []
    for one in sorted(one for one in set(wanted.openings) if _plain(one) and one.protocol == protocol):
        if merged and one.first <= merged[-1][1]:
            first, last, why = merged.pop()
            merged.append((first, max(last, one.last), why + [one.why]))
        else:
            merged.append((one.first, one.last, [one.why]))
    return ["{0} {1}".format(_range(first, last), _comment(", ".join(why))) for first, last, why in merged]


def _rules(wanted: Wanted) -> t.List[str]:
    """A rule for each opening that is not for everybody at every address."""
    found = []
    for one in sorted(one for one in set(wanted.openings) if not _plain(one)):
        port = "meta l4proto {0} ct original proto-dst {1}".format(one.protocol, _range(one.first, one.last))
        verdict = "accept {0}".format(_comment(one.why))
        for condition in _conditions(one):
            found.append(" ".join([*condition, port, verdict]))
    return found


def _conditions(one: Opening) -> t.List[t.List[str]]:
    address = ipaddress.ip_address(one.address) if one.address else None
    at = ["ct original {0} daddr {1}".format(_family(address.version), address)] if address else []
    if not one.sources:
        return [at]
    networks = [ipaddress.ip_network(source, strict=False) for source in one.sources]
    found = []
    for version in (4, 6):
        # What overlaps may not stand in one set.
        of_it = ipaddress.collapse_addresses([network for network in networks if network.version == version])
        names = [str(network) for network in of_it]
        if names and (address is None or address.version == version):
            found.append([*at, "{0} saddr {{ {1} }}".format(_family(version), ", ".join(names))])
    return found


def _family(version: int) -> str:
    return "ip" if version == 4 else "ip6"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else "{0}-{1}".format(first, last)


def _comment(text: str) -> str:
    plain = re.sub(r"[^ !#-~]", "?", text)
    return 'comment "{0}"'.format(plain if len(plain) <= _COMMENT else plain[: _COMMENT - 3] + "...")


# "iifkind" and "oifkind" are only ever asked whether they are something: of a physical interface, which is of no kind, the
# kernel does not even answer that it is not a bridge.
_TEXT = """\
# What this host lets in. Made by the collection portside.stack from what is declared: what is changed here by hand is undone.
add table inet portside
delete table inet portside
table inet portside {{
    comment "what this host lets in, by the collection portside.stack"

    set public_tcp {{
        type inet_service
        flags interval{tcp}
    }}

    set public_udp {{
        type inet_service
        flags interval{udp}
    }}

    set ssh {{
        type inet_service{ssh}
    }}

    set trusted {{
        type ifname{trusted}
    }}

    set uplink_bridges {{
        type ifname{uplinks}
    }}

    chain prerouting {{
        type filter hook prerouting priority raw; policy accept;
        iifname != "lo" ip daddr 127.0.0.0/8 counter drop comment "loopback is for this host alone, which engines before 28 forget"
        iifname != "lo" ip6 daddr ::1 counter drop comment "the same over IPv6"
    }}

    chain input {{
        type filter hook input priority filter; policy drop;
        iifname "lo" accept comment "this host itself"
        ct state established,related accept comment "answers"
        ct state invalid counter drop comment "belongs to no connection"
        tcp dport @ssh accept comment "ssh, from anywhere and always"
        iifname @trusted accept comment "trusted interfaces"
        meta iifkind "bridge" iifname != @uplink_bridges accept comment "containers reach their host, as with Docker alone"
        icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} accept comment "what is wrong on the way"
        icmp type echo-request limit rate 50/second burst 100 packets accept comment "ping"
        icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} accept comment "what is wrong on the way"
        icmpv6 type {{
            nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, 141, 142, 148, 149
        }} ip6 hoplimit 255 accept comment "neighbours and routers"
        icmpv6 type {{
            mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, 151, 152, 153
        }} ip6 saddr fe80::/10 accept comment "multicast"
        icmpv6 type echo-request limit rate 50/second burst 100 packets accept comment "ping"
        udp sport 67 udp dport 68 accept comment "DHCP"
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCPv6"
        jump declared
        counter comment "dropped"
    }}

    chain forward {{
        type filter hook forward priority filter - 5; policy accept;
        meta oifkind "bridge" jump to_containers comment "all else that is forwarded is not ours"
    }}

    chain to_containers {{
        ct state established,related accept comment "answers"
        iifname @trusted accept comment "trusted interfaces"
        oifname @trusted accept comment "guests of others"
        oifname @uplink_bridges accept comment "not to containers"
        meta iifkind "bridge" iifname != @uplink_bridges accept comment "among containers it is Docker that decides"
        ct status dnat jump declared comment "published ports"
        counter drop comment "not declared, or not by a published port"
    }}

    chain declared {{
        meta l4proto tcp ct original proto-dst @public_tcp accept comment "tcp from anywhere"
        meta l4proto udp ct original proto-dst @public_udp accept comment "udp from anywhere"
{rules}    }}
}}
"""
