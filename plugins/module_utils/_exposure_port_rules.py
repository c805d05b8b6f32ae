# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging what is bound on the host: published ports and listening sockets that nothing declares.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import (
    HIGH,
    LOW,
    MEDIUM,
    OPEN_LIST,
    Facts,
    Finding,
    endpoint,
    finding,
    is_client,
    listed,
    named,
    shown,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_reach import Situation, places
from ansible_collections.portside.stack.plugins.module_utils._rendered_ports import DeclaredPort

Group = t.List[Facts]

_SSH = ("sshd", "dropbear", "ssh.socket", "sshd.socket", "systemd", "")
# Sockets that a host has without serving anybody, by protocol and port, and of which programs (as the kernel cuts their
# names; none where processes cannot be seen): clients of DHCP; mDNS and LLMNR, which answer on the link alone; ntpd, which
# asks from the port that it would serve on. chronyd is not among them: it has port 123 only where it was told to serve.
_DHCP = ("dhclient", "dhcpcd", "systemd-network", "NetworkManager", "udhcpc", "connmand", "")
_LINK_NAMES = ("avahi-daemon", "systemd-resolve", "")
_ORDINARY = {
    ("udp", 68): _DHCP,
    ("udp", 546): _DHCP,
    ("udp", 5353): _LINK_NAMES,
    ("udp", 5355): _LINK_NAMES[1:],
    ("tcp", 5355): _LINK_NAMES[1:],
    ("udp", 123): ("ntpd",),
}
_ENGINE_PORTS = (2375, 2376)


def _grouped(found: t.Iterable[Facts], key: t.Callable[[Facts], t.Any]) -> t.List[Group]:
    groups: t.Dict[t.Any, Group] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _published(at: Situation) -> t.List[Group]:
    """The published ports that are reachable from outside; both families of a port belong together."""
    reachable = [one for one in at.facts["published"] if at.outside(one["address"])]
    return _grouped(reachable, lambda one: (one["owner"]["container_id"], one["protocol"], one["published"], one["target"]))


def _declared_ports(at: Situation, one: Facts) -> t.List[DeclaredPort]:
    service = at.declared.service(one["owner"])
    ports = service.ports if service else ()
    return [port for port in ports if port.covers(one["protocol"], one["published"], one["target"])]


def undeclared_port(at: Situation) -> t.Iterator[Finding]:
    """Ways 1 to 6, 20 and 25: the engine publishes what nothing declares."""
    for group in _published(at):
        one, who = group[0], group[0]["owner"]
        known = at.declared.service(who)
        if _declared_ports(at, one) or not known and at.declared.is_open(one["protocol"], one["published"]):
            continue
        what = "{0} publishes {1} ({2}, port {3} in the container), which nothing declares".format(
            named(who), places(group), one["protocol"], one["target"]
        )
        if known:
            remedy = "{2}: its release does not publish that; or declare it: stacks: {0}.exposure.{1}: public, with {1}'s ports".format(
                who["stack"], who["service"], _made_again(who)
            )
        else:
            origin = "Compose project {0}, which is no stack here".format(who["stack"]) if who["stack"] not in ("", *at.declared.stacks) else ""
            what += "; it was started outside of the stacks" + (", by {0}".format(origin) if origin else "")
            remedy = "stop it (docker rm -f {0}), or publish it on loopback alone (-p 127.0.0.1:{1}:{2}); if it is meant, put the port in {3}".format(
                who["container"], one["published"], one["target"], OPEN_LIST
            )
        yield finding(
            "undeclared_port",
            who,
            what + ".",
            at.why(one["protocol"], one["published"], [port["address"] for port in group], nat=True),
            remedy[0].upper() + remedy[1:] + ".",
            HIGH,
            endpoint(one["protocol"], one["address"], one["published"]),
            at.blocked(one["protocol"], one["published"]),
        )


def _made_again(who: Facts) -> str:
    # A deploy leaves a container alone that has the release's label, as one from an override file has.
    return "Remove it (docker rm -f {0}) and deploy stack {1} again".format(who["container"], who["stack"])


def wider_than_declared(at: Situation) -> t.Iterator[Finding]:
    """A port that is declared, but for fewer than reach it."""
    for group in _published(at):
        one, who = group[0], group[0]["owner"]
        declared = _declared_ports(at, one)
        if not declared or all(any(port.allows(bound["address"]) for port in declared) for bound in group):
            continue
        meant = listed(port.address for port in declared)
        yield finding(
            "wider_than_declared",
            who,
            "{0} is bound to {1} ({2}), and declared for {3} alone.".format(
                named(who), places(group), one["protocol"], "loopback ({0})".format(meant) if not declared[0].public else meant
            ),
            at.why(one["protocol"], one["published"], [port["address"] for port in group], nat=True),
            "{2}, so that it is made as its release says; if all are to reach it, declare stacks: {0}.exposure.{1}: public.".format(
                who["stack"], who["service"], _made_again(who)
            ),
            HIGH,
            endpoint(one["protocol"], one["address"], one["published"]),
            at.blocked(one["protocol"], one["published"]),
        )


def _listening(at: Situation) -> t.List[Group]:
    """The sockets of processes that are reachable from outside and are not there for a published port."""
    reachable = [one for one in at.facts["endpoints"] if not one["published"] and at.outside(one["address"])]
    return _grouped(reachable, lambda one: (one["owner"]["container_id"], one["owner"]["process"], one["protocol"], one["port"]))


def undeclared_listener(at: Situation) -> t.Iterator[Finding]:
    """Way 22: a process of the host listens to others."""
    mesh = {(one["protocol"], one["published"]) for one in at.facts["mesh"]}
    for group in _listening(at):
        one, who = group[0], group[0]["owner"]
        port, protocol = one["port"], one["protocol"]
        ssh = (protocol == "tcp") and port in at.declared.ssh_ports and who["process"] in _SSH
        ordinary = who["process"] in _ORDINARY.get((protocol, port), ())
        engine = is_engine_port(at, one) or who["process"] == "dockerd" and (protocol, port) in mesh
        if who["container_id"] or ssh or ordinary or engine or at.declared.is_open(protocol, port):
            continue
        yield finding(
            "undeclared_listener",
            who,
            "{0} listens on {1} ({2}), which nothing declares{3}.".format(named(who), places(group), protocol, _of_ssh(at, who)),
            at.why(protocol, port, [bound["address"] for bound in group], nat=False),
            _listener_remedy(at, who),
            _listener_severity(at, one),
            one,
            at.blocked(protocol, port),
        )


def _of_ssh(at: Situation, who: Facts) -> str:
    if who["process"] in ("sshd", "dropbear", "ssh.socket", "sshd.socket"):
        return "; the host's ssh_ports are {0}".format(listed(str(port) for port in at.declared.ssh_ports) or "none")
    return ""


def _listener_remedy(at: Situation, who: Facts) -> str:
    if who["process"] == "docker-proxy":
        return "No container that runs has this port any more: restart the engine (systemctl restart docker) to end what is left over."
    return "Stop it, or have it listen on 127.0.0.1 alone; if others are to reach it, put the port in {0}.".format(OPEN_LIST)


def _listener_severity(at: Situation, one: Facts) -> str:
    if is_client(at.facts, one):
        return LOW
    # Others' rules are not read here: they may well keep it from outside.
    filtered = at.firewall["ufw"] or at.firewall["firewalld"]
    return MEDIUM if filtered or at.bridge(one["address"]) else HIGH


def is_engine_port(at: Situation, one: Facts) -> bool:
    """Whether it is the engine's own API, which is judged as a setting of the engine."""
    told = any(host.startswith("tcp://") and host.rpartition(":")[2] == str(one["port"]) for host in at.engine["hosts"])
    return one["protocol"] == "tcp" and one["owner"]["process"] == "dockerd" and (told or one["port"] in _ENGINE_PORTS)


def host_network(at: Situation) -> t.Iterator[Finding]:
    """Way 7: a container in the host's network listens, and is not declared to."""
    for group in _listening(at):
        one, who = group[0], group[0]["owner"]
        port, protocol = one["port"], one["protocol"]
        if not who["container_id"] or at.declared.is_open(protocol, port):
            continue
        service = at.declared.service(who)
        declared = [own for own in (service.ports if service else ()) if (own.protocol, own.target) == (protocol, port)]
        if any(own.public for own in declared):
            continue
        meant = "is declared for loopback alone" if declared else "nothing declares"
        yield finding(
            "host_network",
            who,
            "{0} runs in the host's network, where its process {1} listens on {2} ({3}), which {4}.".format(
                named(who), who["process"], places(group), protocol, meant
            ),
            at.why(protocol, port, [bound["address"] for bound in group], nat=False),
            "Take network_mode: host away from it and publish the port on loopback, or have the process listen on 127.0.0.1; if others are "
            "to reach it, declare the port with exposure public, or put it in {0}.".format(OPEN_LIST),
            LOW if is_client(at.facts, one) else HIGH,
            one,
            at.blocked(protocol, port),
        )


def missing(at: Situation) -> t.Iterator[Finding]:
    """What is declared to be open, and nothing listens: nothing is reachable too much, but something is not as it was meant."""
    bound = {(one["protocol"], one["port"]) for one in at.facts["endpoints"] if at.outside(one["address"])}
    bound |= {(one["protocol"], one["published"]) for one in at.facts["published"] if at.outside(one["address"])}
    for service in at.declared.services.values():
        for port in service.ports:
            numbers = range(port.first, port.last + 1)
            if port.public and port.last and not any((port.protocol, number) in bound for number in numbers):
                yield finding(
                    "missing",
                    {"stack": service.stack, "service": service.name},
                    "stack {0}: service {1}: nothing listens on {2} ({3}), which is declared public.".format(
                        service.stack, service.name, shown(port.address or "0.0.0.0", port.first), port.protocol
                    ),
                    "Its container does not run, or was made otherwise than its release says.",
                    "Deploy stack {0} again.".format(service.stack),
                    LOW,
                    endpoint(port.protocol, port.address or "0.0.0.0", port.first),
                )
    for one in at.declared.open:
        if (one["protocol"], one["port"]) not in bound:
            yield finding(
                "missing",
                {},
                "Nothing listens on port {0} ({1}), which the host declares open: {2}.".format(
                    one["port"], one["protocol"], one["reason"] or "no reason given"
                ),
                "A port that is open for nobody is open for whoever takes it next.",
                "Start what is to listen there, or take the port out of firewall_open and run the role firewall.",
                LOW,
            )
