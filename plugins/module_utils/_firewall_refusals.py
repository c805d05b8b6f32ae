# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firewall must not be switched on over: another firewall, the operator's own connection, and what works today.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_bridges import bridges, uplink_bridges
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Wanted, lets_in
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

_UFW = "/etc/ufw/ufw.conf"
_SSHD = "sshd"
# What clients of DHCP listen on is let in by rules of its own.
_DHCP = (("udp", 68), ("udp", 546))
_PROXY = "docker-proxy"


def others(run: Run, fs: FileSystem, root: str = "") -> t.List[str]:
    """Other firewalls that rule this host, a sentence and a remedy for each."""
    found = []
    if fs.lstat(root + _UFW) and re.search(rb"(?m)^ENABLED=yes\b", fs.read(root + _UFW)):
        found.append(
            "ufw is active, and two firewalls would have to agree. Remedy: declare in firewall_open what 'ufw status' lets in for "
            "programs of the host (what stacks publish is let in by itself), then 'ufw disable'"
        )
    # Tells of units that are not there too.
    _code, out, _err = run(["systemctl", "show", "--property=ActiveState,UnitFileState", "firewalld.service"], None)
    if re.search(r"(?m)^(ActiveState=active|UnitFileState=enabled)$", out):
        found.append(
            "firewalld is active, and two firewalls would have to agree. Remedy: declare in firewall_open what "
            "'firewall-cmd --list-all-zones' lets in for programs of the host, then 'systemctl disable --now firewalld' and "
            "'systemctl restart docker'"
        )
    return found


def neighbours(run: Run) -> t.List[str]:
    """What else on this host has rules of its own, which still count: to be told."""
    command = ["systemctl", "show", "--property=ActiveState,UnitFileState", "netfilter-persistent.service"]
    if re.search(r"(?m)^(ActiveState=active|UnitFileState=enabled)$", run(command, None)[1]):
        return [
            "netfilter-persistent loads rules of its own at boot: what they drop stays dropped, whatever is declared here, and "
            "reloading it takes Docker's own rules away."
        ]
    return []


def ssh_ports(given: t.Sequence[int], listeners: t.Sequence[Listener], used: int) -> t.List[int]:
    """The ports of ssh: as given, or else those that sshd has; refused unless the operator's own is among them."""
    served = {one.port for one in listeners if one.process == _SSHD and not ipaddress.ip_address(one.address).is_loopback}
    if not given:
        # A socket unit listens in its place until somebody connects.
        return sorted(served | ({used} if used else set())) or [22]
    if used and used not in given:
        raise StackError(
            "firewall_ssh_ports: {0} does not have port {1}, by which this very connection came to the host. Nothing was changed. "
            "Remedy: add {1}.".format(_list(given), used)
        )
    if not used and served and not served & set(given):
        raise StackError(
            "firewall_ssh_ports: {0} has no port that sshd listens on; it does on {1}. Nothing was changed. "
            "Remedy: add {1}.".format(_list(given), _list(sorted(served)))
        )
    return sorted(set(given))


def inside_addresses(run: Run, fs: FileSystem, trusted: t.Sequence[str], root: str = "") -> t.Set[str]:
    """The host's addresses at interfaces that the rules let everything in by."""
    inside = set(trusted).union(bridges(fs, root)).difference(uplink_bridges(fs, root))
    code, out, _err = run(["ip", "-json", "address"], None)
    interfaces = json.loads(out) if not code else []
    return {one["local"] for link in interfaces if link.get("ifname") in inside for one in link.get("addr_info") or ()}


def cut(
    wanted: Wanted,
    listeners: t.Sequence[Listener],
    containers: t.Sequence[t.Mapping[str, t.Any]],
    guests: t.Sequence[str],
    inside: t.Container[str],
    clients_from: int,
) -> t.List[str]:
    """What answers from outside today and would not any more: what, and whose it is.

    Containers are as the engine lists them; ports of UDP from ``clients_from`` on are those of clients.
    """
    owners: t.Dict[t.Tuple[str, int], t.Set[str]] = {}
    for one in listeners:
        client = one.protocol == "udp" and one.port >= clients_from
        if _outside(one.address, inside) and not client and (one.protocol, one.port) not in _DHCP:
            who = {"process {0}".format(one.process or "unknown")} if one.process != _PROXY else set()
            owners.setdefault((one.protocol, one.port), set()).update(who)
    for container in containers:
        name = (container.get("Names") or [container["Id"][:12]])[0].lstrip("/")
        for port in container.get("Ports") or ():
            if port.get("PublicPort") and _outside(port.get("IP") or "0.0.0.0", inside):
                owners.setdefault((port["Type"], port["PublicPort"]), set()).add("container {0}".format(name))
    found = [
        "{0}/{1} ({2})".format(port, protocol, ", ".join(sorted(who)) or "published by Docker")
        for (protocol, port), who in sorted(owners.items())
        if not lets_in(wanted, protocol, port)
    ]
    return found + ["guests behind bridge {0}".format(name) for name in guests if name not in wanted.trusted]


def refuse_cut(found: t.Sequence[str]) -> None:
    """Refuse to cut what works, unless it was asked for."""
    if found:
        raise StackError(
            "firewall: switched on, it would cut what can be reached from outside today and is not declared: {0}. Nothing was "
            "changed. Remedy: declare in firewall_open, with a reason, what is to stay reachable; name in "
            "firewall_trusted_interfaces the bridges of guests; stop what should not be there; or accept that all of it is cut, "
            "with -e firewall_cut=true.".format("; ".join(found))
        )


def _outside(address: str, inside: t.Container[str]) -> bool:
    return not ipaddress.ip_address(address).is_loopback and address not in inside


def _list(ports: t.Iterable[int]) -> str:
    return ", ".join(str(port) for port in ports)


def check_opening(one: t.Mapping[str, t.Any]) -> None:
    """Refuse what no rule can be made from."""
    if not 1 <= one["port"] <= 65535:
        raise StackError("firewall_open: port {0} is not a port: write a number from 1 to 65535.".format(one["port"]))
    if not one["reason"].strip():
        raise StackError("firewall_open: port {0} has no reason: say who needs it, and why.".format(one["port"]))
    for source in one["sources"]:
        try:
            ipaddress.ip_network(source, strict=False)
        except ValueError:
            raise StackError(
                "firewall_open: port {0}: {1!r} in sources is neither an address nor a network. Remedy: write for example "
                "10.20.0.5 or 2001:db8::/64; names are not looked up.".format(one["port"], source)
            ) from None


def check_interface(name: str) -> None:
    """Refuse what no interface is called."""
    if not re.match(r"[A-Za-z0-9_.:@-]{1,15}\Z", name):
        raise StackError("firewall_trusted_interfaces: {0!r} is not the name of an interface, as 'ip link' tells it.".format(name))
