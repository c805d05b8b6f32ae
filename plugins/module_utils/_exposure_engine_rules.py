# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging the engine, the firewall, and containers that can open more by themselves.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._container_escape import has_engine, strong_capabilities
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import major_of
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import (
    HIGH,
    MEDIUM,
    Finding,
    finding,
    listed,
    named,
    shown,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_port_rules import is_engine_port
from ansible_collections.portside.stack.plugins.module_utils._exposure_reach import Situation
from ansible_collections.portside.stack.plugins.module_utils._exposure_tunnels import is_proxy, tunnel_called, tunnel_of

_HOST: t.Dict[str, t.Any] = {}
_ROLE = "/etc/portside/exposure.json"
_DROPS = re.compile(r"-j (DROP|REJECT)\b")
_PORT = re.compile(r"(?<![\w-])--dports? (\S+)")


def engine_setting(at: Situation) -> t.Iterator[Finding]:
    """Way 14, and the engine's own API on the network: settings that take away what protects containers."""
    for says, what, why, remedy in (
        (
            not at.engine["iptables"],
            'The engine runs with "iptables": false.',
            "It makes no rules for its networks: nothing keeps who routes to containers from ports that are not published.",
            'Take "iptables" out of daemon.json (or off dockerd\'s command line), then restart the engine.',
        ),
        (
            at.engine["iptables"] and not at.engine["ip6tables"] and _major_has_ip6tables(at) and any(one["ipv6"] for one in at.facts["networks"]),
            'The engine runs with "ip6tables": false, and has networks with IPv6: {0}.'.format(
                listed(one["name"] for one in at.facts["networks"] if one["ipv6"])
            ),
            "It makes no rules for IPv6: who routes to a container's address reaches all its ports.",
            'Take "ip6tables" out of daemon.json (or off dockerd\'s command line), then restart the engine.',
        ),
        (
            at.engine["no_iptables_raw"],
            "The engine runs with DOCKER_INSECURE_NO_IPTABLES_RAW in its environment.",
            "It does not drop what comes for ports on loopback, and for containers' addresses, from elsewhere.",
            "Take the variable from the unit docker.service (systemctl edit docker), then restart the engine.",
        ),
    ):
        if at.engine["running"] and says:
            yield finding("engine_setting", _HOST, what, why, remedy, HIGH, None, at.guarded)
    for one in at.facts["endpoints"]:
        if is_engine_port(at, one) and at.outside(one["address"]):
            tls = at.engine["tlsverify"]
            yield finding(
                "engine_setting",
                one["owner"],
                "The engine's API listens on {0}{1}.".format(shown(one["address"], one["port"]), ", for clients with a certificate" if tls else ""),
                "Who gets to it starts containers with the whole host mounted: it is root on this host{0}.".format("" if tls else ", without a password"),
                'Take tcp:// out of "hosts" in daemon.json (or off dockerd\'s command line) and reach the engine over ssh (DOCKER_HOST=ssh://…).',
                MEDIUM if tls else HIGH,
                one,
                at.blocked("tcp", one["port"]),
            )


def _major_has_ip6tables(at: Situation) -> bool:
    # Before, off is what an engine is by itself: then the containers concerned are told of one by one.
    return major_of(at.engine["version"]) >= 27


def firewall_gone(at: Situation) -> t.Iterator[Finding]:
    """Way 15: rules that are to be there are not."""
    table = at.firewall["portside"]
    if at.declared.firewall and at.firewall["seen"] and not table["in_place"]:
        yield finding(
            "firewall_gone",
            _HOST,
            "The firewall of the collection is not in place: {0}.".format(table["reason"] or "there is no table inet portside in nftables"),
            "Something flushed or changed the rules (nft flush ruleset, another firewall's start, an edit by hand): nothing is dropped as {0} says.".format(
                _ROLE
            ),
            "Put it back with systemctl restart portside-firewall, or run the role firewall again, and find out what did it.",
        )
    bridges = any(one["driver"] == "bridge" and one["attached"] for one in at.facts["networks"])
    if not at.engine["running"] or not at.engine["iptables"] or not bridges:
        return
    if at.engine["firewall_backend"] == "nftables":
        gone = ["the tables docker-bridges"] if at.firewall["docker_tables"] is False else []
    else:
        rules = at.firewall["ipv4"] or {"docker_forward": True, "docker_nat": True}
        gone = [name for name, there in (("in filter FORWARD", rules["docker_forward"]), ("in nat PREROUTING", rules["docker_nat"])) if not there]
    if gone:
        yield finding(
            "firewall_gone",
            _HOST,
            "The engine's own rules are gone: {0}.".format(listed(gone)),
            "Something flushed them (iptables -F, a reload of ufw, firewalld or netfilter-persistent). Containers' networks are not kept apart, and "
            "a port on all addresses still answers through docker-proxy.",
            "Restart the engine (systemctl restart docker) and find out what flushed them.",
        )


def firewall_ineffective(at: Situation) -> t.Iterator[Finding]:
    """Ways 16 and 17: rules in DOCKER-USER that do not do what they look like."""
    rules = {family: (at.firewall[family] or {"docker_user": []})["docker_user"] for family in ("ipv4", "ipv6")}
    if at.engine["firewall_backend"] == "nftables":
        if rules["ipv4"] or rules["ipv6"]:
            yield finding(
                "firewall_ineffective",
                _HOST,
                "The rules in DOCKER-USER ({0}) do nothing.".format(len(rules["ipv4"]) + len(rules["ipv6"])),
                "The engine uses nftables itself: it has no chain DOCKER-USER any more, and what is left of the old one goes with the next boot.",
                "Use the role firewall, or put the rules in a table of nftables of your own, with a base chain on the hook forward.",
                MEDIUM,
            )
        return
    published = {port["published"] for port in at.facts["published"]}
    targets = {port["target"] for port in at.facts["published"]}
    for family, found in rules.items():
        for rule in found:
            numbers = _ports_of(rule)
            if numbers & published and not numbers & targets:
                yield finding(
                    "firewall_ineffective",
                    _HOST,
                    "The rule in DOCKER-USER ({0}) matches nothing: {1}.".format(family, rule),
                    "There the engine's NAT has been passed: --dport is the port in the container, and {0} is one of the host.".format(
                        listed(str(number) for number in sorted(numbers & published))
                    ),
                    "Match with -m conntrack --ctorigdstport {0} --ctdir ORIGINAL, or use the role firewall.".format(min(numbers & published)),
                    MEDIUM,
                )
    over_ipv6 = [port for port in at.facts["published"] if port["family"] == "ipv6" and at.outside(port["address"])]
    if _drops(rules["ipv4"]) and not _drops(rules["ipv6"]) and over_ipv6 and not at.guarded:
        yield finding(
            "firewall_ineffective",
            _HOST,
            "DOCKER-USER drops over IPv4 alone, and over IPv6 there is {0}.".format(
                listed(shown(port["address"], port["published"]) for port in over_ipv6)
            ),
            "What comes over IPv6 meets ip6tables, and where docker-proxy answers, its INPUT chain; no rule is in DOCKER-USER there.",
            "Have the same rules in ip6tables, in DOCKER-USER and in INPUT, or use the role firewall.",
            MEDIUM,
        )


def _ports_of(rule: str) -> t.Set[int]:
    found: t.Set[int] = set()
    for text in _PORT.findall(rule):
        for part in text.split(","):
            first, _colon, last = part.partition(":")
            if first.isdigit():
                found.update(range(int(first), int(last if last.isdigit() else first) + 1))
    return found


def _drops(rules: t.Iterable[str]) -> bool:
    return any(_DROPS.search(rule) for rule in rules)


def docker_control(at: Situation) -> t.Iterator[Finding]:
    """Way 23: a container that can publish whatever it likes, as it can have the engine or the host."""
    for one in at.facts["containers"]:
        ways = ["it is privileged"] if one["privileged"] else []
        sockets = [path for path in one["mounts"] if has_engine(path)]
        if sockets:
            ways.append("it has {0} mounted, with the engine's socket".format(listed(sockets)))
        if one["host_pids"]:
            ways.append("it sees the host's processes (pid: host)")
        strong = strong_capabilities(one["capabilities"])
        # There, with this one as well: it changes the host's firewall.
        strong += [name for name in one["capabilities"] if name == "NET_ADMIN" and one["network_mode"] == "host"]
        if strong:
            ways.append("it has the capabilities {0}{1}".format(listed(strong), " in the host's network" if "NET_ADMIN" in strong else ""))
        if ways:
            yield finding(
                "docker_control",
                one,
                "{0} can open whatever it likes: {1}.".format(named(one), listed(ways)),
                "Who takes it over starts containers with any port published, or is root on the host; a socket that is mounted read-only is no less open.",
                "Take that away from it, or put a proxy between that lets through what it needs; if it must have it, waive docker_control with a reason.",
                MEDIUM,
            )


def orphan(at: Situation) -> t.Iterator[Finding]:
    """Way 25: a container of a stack that its release does not have."""
    for one in at.facts["containers"]:
        if one["stack"] in at.declared.stacks and not one["oneoff"] and at.declared.service(one) is None:
            yield finding(
                "orphan",
                one,
                "{0} runs, and the release of stack {1} has no service {2}.".format(named(one), one["stack"], one["service"] or "of that name"),
                "It is left over from an earlier release, or was started by hand with Compose's labels. It is on the networks of the stack, and nothing "
                "says what of it others may reach.",
                "Deploy stack {0} again, or remove it (docker rm -f {1}).".format(one["stack"], one["name"]),
                MEDIUM,
            )


def tunnel(at: Situation) -> t.Iterator[Finding]:
    """Way 21: requests are led in by what nothing is published of."""
    remedy = "Stop it, or declare it as the stack's edge with its routes; if it is meant, waive tunnel with a reason."
    why = "It asks to be led to from outside and needs no open port: who may reach what is decided in its own configuration, or at its provider."
    for one in at.facts["containers"]:
        service = at.declared.service(one)
        if tunnel_of(one) and not (service and service.tunnel):
            what = "{0} is a tunnel ({1}) that no declared edge explains.".format(named(one), tunnel_of(one))
            yield finding("tunnel", one, what, why, remedy, MEDIUM)
    trusted = any(name.startswith("tailscale") for name in at.declared.trusted_interfaces)
    for one in at.facts["tunnels"]:
        if not (one["process"] == "tailscaled" and trusted):
            what = "{0} is a tunnel ({1}) that nothing declares.".format(named(one), tunnel_called(one["process"]))
            yield finding("tunnel", one, what, why, remedy, MEDIUM)
    proxies = [one for one in at.facts["containers"] if is_proxy(one)]
    for one in at.facts["containers"] if proxies else ():
        if one["proxied"] and one not in proxies:
            yield finding(
                "tunnel",
                one,
                "{0} asks a proxy to lead requests to it, by {1}.".format(named(one), listed(one["proxied"])),
                "That is read and done by {0}, whatever is declared here.".format(named(proxies[0])),
                "Take these labels or variables away and declare a route; if it is meant, waive tunnel with a reason.",
                MEDIUM,
            )
