# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging the networks of containers: addresses that are reached past the host's own, and networks that nothing declares.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import (
    DIRECT,
    SINCE,
    TRUSTED,
    UNPROTECTED,
    gateway_modes,
    is_outside,
    knows,
    trusted_interfaces,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import (
    HIGH,
    LOW,
    MEDIUM,
    OPEN_LIST,
    Facts,
    Finding,
    finding,
    is_global,
    listed,
    named,
    shown,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_reach import RAW_RULES_SINCE, Situation, places


def _joined(at: Situation) -> t.Iterator[t.Tuple[Facts, Facts, t.List[str]]]:
    """Each container with each network that it is attached to, and its addresses there."""
    for one in at.facts["containers"]:
        for name, addresses in one["networks"].items():
            network = at.networks.get(name)
            if network is not None:
                yield one, network, [address for address in (addresses["ipv4"], addresses["ipv6"]) if address]


def own_address(at: Situation) -> t.Iterator[Finding]:
    """Way 9: a container is a machine of its own on the network outside."""
    for one, network, addresses in _joined(at):
        if is_outside(network):
            yield finding(
                "own_address",
                one,
                "{0} has an address of its own on the network outside, {1}, by the {2} network {3}.".format(
                    named(one), listed(addresses) or "given by others", network["driver"], network["name"]
                ),
                "All its ports are reachable there: the host does not route what comes for it, so neither `ports` nor any firewall "
                "of the host has a say.",
                "Attach it to a bridge network instead, and publish what others may reach; if it has to be there, waive own_address with a reason.",
            )


def shared_network(at: Situation) -> t.Iterator[Finding]:
    """Way 8: what a container listens on answers at the ports that another one publishes."""
    for one in at.facts["containers"]:
        kind, _colon, key = one["network_mode"].partition(":")
        leader = at.containers.get(key) if kind == "container" else None
        service = at.declared.service(one)
        if leader is None or service and service.network_mode in ("service:" + leader["service"], "container:" + leader["name"]):
            continue
        reached = [port for port in leader["ports"] if at.outside(port["address"])]
        if reached:
            yield finding(
                "shared_network",
                one,
                "{0} is in the network of container {1}, which publishes {2}; nothing declares that.".format(named(one), leader["name"], places(reached)),
                "Whatever it listens on at port {0} answers there as if it was {1}.".format(
                    listed(str(port["target"]) for port in reached), leader["name"]
                ),
                "Stop it (docker rm -f {0}), or declare it as a service with network_mode: service:{1}.".format(
                    one["name"], leader["service"] or leader["name"]
                ),
                HIGH,
                {**reached[0], "port": reached[0]["published"]},
                all(at.blocked(port["protocol"], port["published"]) for port in reached),
            )


def routed_network(at: Situation) -> t.Iterator[Finding]:
    """Way 10: containers are reached at their own addresses, as the options of a network or of the engine say.

    An engine that is older than an option does nothing with it.
    """
    version = at.engine["version"]
    for one, network, addresses in _joined(at):
        if network["driver"] != "bridge" or network["internal"]:
            continue
        modes = {family: mode for family, mode in gateway_modes(network).items() if knows(version, mode)}
        trusted = trusted_interfaces(network) if knows(version, TRUSTED) else ""
        reached = [address for address in addresses if modes.get("ipv6" if ":" in address else "ipv4")]
        if reached and (UNPROTECTED in modes.values() or one["asked"]):
            what = "{0} is reached at {1} itself: the gateway mode of network {2} is {3}".format(
                named(one), listed(reached), network["name"], listed(modes.values())
            )
            why = (
                "With nat-unprotected all its ports are open to who routes there."
                if UNPROTECTED in modes.values()
                else "With routed its published container ports ({0}) are open to who routes there; addresses such as 127.0.0.1 and ports of the "
                "host that they were to be bound to are ignored.".format(listed(one["asked"]))
            )
        elif trusted and one["asked"]:
            what = "{0} is reached at {1} itself from {2}, which network {3} trusts".format(
                named(one), listed(addresses), trusted, network["name"]
            )
            why = "Its published container ports ({0}) are open to who routes there, even those that are bound to loopback.".format(listed(one["asked"]))
        elif at.engine["allow_direct_routing"] and knows(version, DIRECT) and one["asked"]:
            what = "{0} is reached at {1} itself: the engine allows direct routing".format(named(one), listed(addresses))
            why = "Its published container ports ({0}) are open to who routes there, even those that are bound to loopback.".format(listed(one["asked"]))
        else:
            continue
        yield finding(
            "routed_network",
            one,
            what + ".",
            why,
            "Make network {0} again without that option (or take allow-direct-routing from the engine), or waive routed_network with a reason.".format(
                network["name"]
            ),
            HIGH,
            None,
            at.guarded,
        )
    yield from _ignored(at)


def _ignored(at: Situation) -> t.Iterator[Finding]:
    """Nobody is reached by these options now."""
    for network in at.facts["networks"]:
        given = [*gateway_modes(network).values(), *([TRUSTED] if trusted_interfaces(network) else [])]
        ignored = [option for option in given if not knows(at.engine["version"], option)]
        if ignored and network["driver"] == "bridge" and not network["internal"] and network["attached"]:
            yield finding(
                "routed_network",
                {},
                "Network {0} has the option {1}, with which engine {2} does nothing.".format(network["name"], listed(ignored), at.engine["version"]),
                "Engines have it from {0}.{1} on. Made again by one of these, the network has its containers reached at their own addresses, whatever "
                "address their ports are published at.".format(*min(SINCE[option] for option in ignored)),
                "Make network {0} again without that option.".format(network["name"]),
                LOW,
            )


def ipv6_unfiltered(at: Situation) -> t.Iterator[Finding]:
    """Way 11: nothing filters what is routed to containers over IPv6."""
    rules = at.firewall["ipv6"]
    filtered = at.engine["ip6tables"] if rules is None else rules["forward_policy"] == "DROP" or rules["docker_forward"]
    if filtered or at.guarded or not at.firewall["forwarding"]["ipv6"] or at.engine["firewall_backend"] == "nftables":
        return
    for one, network, addresses in _joined(at):
        reached = [address for address in addresses if ":" in address]
        if not reached or network["internal"] or network["driver"] != "bridge":
            continue
        anywhere = any(is_global(address) for address in reached)
        yield finding(
            "ipv6_unfiltered",
            one,
            "{0} has {1} on network {2}, and nothing filters what is routed there: all its ports are open, published or not.".format(
                named(one), listed(reached), network["name"]
            ),
            "The engine ({0}) has no rules for IPv6, as ip6tables is off in it, and the host's FORWARD policy is ACCEPT. {1}".format(
                at.engine["version"], "The address is a global one." if anywhere else "The address is a local one: neighbours reach it."
            ),
            'Set "ip6tables": true in the engine\'s daemon.json (before engine 27 with "experimental": true), or turn the role firewall on, or '
            "take IPv6 from the network.",
            HIGH if anywhere else MEDIUM,
        )


def forward_accept(at: Situation) -> t.Iterator[Finding]:
    """Way 12: neighbours who route to a container's address reach ports that are not published."""
    rules = at.firewall["ipv4"]
    if not rules or at.guarded or rules["forward_policy"] == "DROP" or not at.unprotected or not at.firewall["forwarding"]["ipv4"]:
        return
    reached = [one for one, network, addresses in _joined(at) if network["driver"] == "bridge" and not network["internal"] and addresses]
    for one in {one["id"]: one for one in reached}.values():
        addresses = [one["networks"][name]["ipv4"] for name in one["networks"] if one["networks"][name]["ipv4"]]
        yield finding(
            "forward_accept",
            one,
            "{0} can be reached at {1} by neighbours of the host, at all ports, published or not.".format(named(one), listed(addresses)),
            "The host routes for who asks it to: its FORWARD policy is ACCEPT, and engine {0} drops nothing of that. It sets the policy only "
            "where it turns forwarding on itself, and here that was on before.".format(at.engine["version"]),
            "Turn the role firewall on, or set the policy (iptables -P FORWARD DROP), or run engine {0} or later.".format(RAW_RULES_SINCE),
            MEDIUM,
        )


def loopback_unprotected(at: Situation) -> t.Iterator[Finding]:
    """Way 13: neighbours reach ports that are published on loopback."""
    rules = at.firewall["ipv4"]
    if not at.engine["running"] or at.guarded or not at.unprotected or rules and rules["loopback_drop"]:
        return
    cause = "has DOCKER_INSECURE_NO_IPTABLES_RAW" if at.engine["no_iptables_raw"] else "before {0}".format(RAW_RULES_SINCE)
    for one in at.facts["containers"]:
        ports = [port for port in one["ports"] if port["address"].startswith("127.")]
        if ports:
            yield finding(
                "loopback_unprotected",
                one,
                "{0} publishes {1}, which neighbours of the host can reach.".format(named(one), places(ports)),
                "The engine ({0}, {1}) leads what comes for 127.0.0.0/8 to the container whichever interface it came in by: a machine on the same "
                "network that routes 127.0.0.1 to this host gets an answer.".format(at.engine["version"], cause),
                "Turn the role firewall on, or drop it yourself (iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP), or run engine {0} or "
                "later.".format(RAW_RULES_SINCE),
                MEDIUM,
                {**ports[0], "port": ports[0]["published"]},
            )


def swarm_mesh(at: Situation) -> t.Iterator[Finding]:
    """Way 18: Swarm publishes on every node, whatever address was asked for."""
    for one in at.facts["mesh"]:
        if not at.declared.is_open(one["protocol"], one["published"]):
            yield finding(
                "swarm_mesh",
                {"service": one["service"], "since": one["since"]},
                "Swarm's service {0} is published on {1} ({2}, port {3} in its containers) of every node.".format(
                    one["service"], shown("0.0.0.0", one["published"]), one["protocol"], one["target"]
                ),
                "The routing mesh binds to all addresses of all nodes, also of those without a task; an address such as 127.0.0.1 in the stack's "
                "file is dropped with a warning only.",
                "Take the port from the service (docker service update --publish-rm {0} {1}), or put it in {2}.".format(
                    one["target"], one["service"], OPEN_LIST
                ),
                HIGH,
                {"protocol": one["protocol"], "family": "ipv4", "address": "0.0.0.0", "port": one["published"]},
                at.blocked(one["protocol"], one["published"]),
            )


def extra_network(at: Situation) -> t.Iterator[Finding]:
    """Way 19: a container was attached to a network that its release does not have."""
    for one in at.facts["containers"]:
        service = at.declared.service(one)
        if not service or service.network_mode or one["oneoff"]:
            continue
        for name in sorted(set(one["networks"]) - service.networks):
            network = at.networks.get(name) or {"internal": False}
            opened = not network["internal"] and all((at.networks.get(own) or {}).get("internal") for own in service.networks)
            yield finding(
                "extra_network",
                one,
                "{0} is attached to network {1}, which its release does not have.".format(named(one), name),
                "It was attached later, by hand or by another program (docker network connect). "
                + (
                    "Its own networks are all internal, and this one is not: with it, its `ports` are published."
                    if opened
                    else "Whoever is on that network reaches all its ports."
                ),
                "Take it off (docker network disconnect {0} {1}), or declare the network: stacks: {2}.services.{3}.networks.".format(
                    name, one["name"], service.stack, service.name
                ),
                HIGH if opened else MEDIUM,
            )
