# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said of the ports of a host, from what trying them came to.

That a port does not answer says something only where the same address answers on another one, before and after.
This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

WORDS = {"ipv4": "IPv4", "ipv6": "IPv6"}

# Errors of a connection that was there: whoever accepted it let go of it before it was looked at, as docker-proxy without
# anything behind it does.
_ACCEPTED = (errno.ECONNRESET, errno.EPIPE)
# What a router or a firewall that rejects makes of it, apart from a reset.
_REJECTED = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPROTO, errno.ENOPROTOOPT)


class Port(t.NamedTuple):
    """A port as it is declared: open, closed, or control, which is only there to answer."""

    port: int
    protocol: str
    owner: str
    declared: str


class Address(t.NamedTuple):
    """An address, as sockets take it; ``obstacle`` is why it cannot be judged from here, or none."""

    text: str
    family: str
    place: t.Any = None
    obstacle: str = ""


class Seen(t.NamedTuple):
    """What a try came to: open, refused, silent, rejected, unsent (the fault is here) or untried."""

    what: str
    said: str = ""
    seconds: float = 0.0


class Controls(t.NamedTuple):
    """The TCP ports of one address that have to answer, and those that did, before and after all others were tried."""

    tried: t.Sequence[int] = ()
    before: t.Sequence[int] = ()
    after: t.Sequence[int] = ()


def ports_of(
    declared_open: t.Iterable[t.Mapping[str, t.Any]], closed: t.Iterable[t.Mapping[str, t.Any]], control: t.Iterable[int]
) -> t.List[Port]:
    """Each port once. What may answer wins: it is declared by port, and something else may have it on another address."""
    found: t.Dict[t.Tuple[str, int], Port] = {}
    problems = []
    entries = [Port(one["port"], one["protocol"], one["owner"].strip(), "open") for one in declared_open]
    entries += [Port(port, "tcp", "", "control") for port in control]
    entries += [Port(one["port"], one["protocol"], one["owner"].strip(), "closed") for one in closed]
    for entry in entries:
        if not 1 <= entry.port <= 65535:
            problems.append("{0}: port {1} is none. Remedy: give one of 1 to 65535.".format(entry.declared, entry.port))
        key = entry.protocol, entry.port
        other = found.setdefault(key, entry)
        owners = list(filter(None, other.owner.split(" and ")))
        if other.declared == entry.declared and entry.owner and entry.owner not in owners:
            found[key] = other._replace(owner=" and ".join([*owners, entry.owner]))
    if problems:
        raise StackError("\n".join(problems))
    return list(found.values())


def obstacle(text: str, source: str) -> str:
    """Why nothing that an address answers says what others see of it; ``source`` is where a packet to it leaves from."""
    plain = ipaddress.ip_address(text.partition("%")[0])
    if getattr(plain, "ipv4_mapped", None):
        return "it is an IPv4 address written as an IPv6 one, and as such says nothing of IPv6; give {0}".format(plain.ipv4_mapped)
    if plain.is_loopback or plain.is_unspecified:
        return (
            "it is a loopback address, so the controller is the host itself, or is forwarded to it: this says nothing of "
            "what others reach"
        )
    if source == text:
        return "it is an address of the controller itself: this says nothing of what others reach"
    return ""


def seen_of(error: t.Optional[BaseException]) -> Seen:
    """What an error of a try means; none for an answer."""
    if error is None:
        return Seen("open")
    # Before Python 3.11 this is not an OSError.
    if isinstance(error, asyncio.TimeoutError):
        return Seen("silent")
    number, said = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
    if number in _ACCEPTED:
        return Seen("open")
    if number == errno.ECONNREFUSED:
        return Seen("refused")
    if number == errno.ETIMEDOUT:
        return Seen("silent")
    return Seen("rejected" if number in _REJECTED else "unsent", said)


def judged(address: Address, port: Port, seen: Seen, controls: Controls) -> t.Tuple[str, str]:
    """The outcome, and why. Never closed or filtered where the address had not to answer as well."""
    if address.obstacle:
        return "not_checked", address.obstacle
    if seen.what == "open":
        return "open", "it accepts connections" if port.protocol == "tcp" else "it answers"
    if seen.what == "unsent":
        return "not_checked", "the controller could not try it: {0}".format(seen.said)
    if not controls.tried:
        return "not_checked", "no TCP port was given that has to answer, so that others do not says nothing"
    if not controls.before:
        return "not_checked", (
            "no port of {0} answers from here, and {1} should: there is no way to it, or everything is filtered on the way, "
            "so nothing can be said"
        ).format(address.text, listed("tcp", controls.tried))
    if not controls.after:
        return "not_checked", (
            "no port of {0} answers from here any more, {1} did at first: the host may have blocked the controller, so "
            "nothing can be said"
        ).format(address.text, listed("tcp", controls.before))
    if seen.what == "refused":
        return "closed", "it is refused, while {0} answers".format(listed("tcp", controls.after))
    if seen.what == "rejected":
        return "filtered", "it is rejected on the way ({0}), while {1} answers".format(seen.said, listed("tcp", controls.after))
    if port.protocol == "udp":
        return "not_checked", "no answer came, and over UDP one need not come from an open port"
    return "filtered", "no answer came, while {0} answers".format(listed("tcp", controls.after))


def entry_of(address: Address, port: Port, seen: Seen, controls: Controls) -> t.Dict[str, t.Any]:
    """One result, as the task returns it."""
    outcome, why = judged(address, port, seen, controls)
    return dict(
        address=address.text,
        family=address.family,
        port=port.port,
        protocol=port.protocol,
        owner=port.owner,
        declared=port.declared,
        outcome=outcome,
        why=why,
        seconds=round(seen.seconds, 3),
    )


def violation_of(entry: t.Mapping[str, t.Any]) -> t.Optional[t.Dict[str, t.Any]]:
    """What a result breaks, if it does."""
    place = where(entry)
    subject = entry["owner"] or "what listens there"
    if entry["declared"] == "closed" and entry["outcome"] == "open":
        rule, severity = "reachable_from_outside", "high"
        what = "{0}: {1} is reachable from outside.".format(place, subject)
        why = "It is not declared open, and {0} from the controller.".format(entry["why"])
        remedy = (
            "publish it with host_ip: 127.0.0.1, or have it listen there; or declare it open; or have a firewall keep it in, "
            "such as the role firewall"
        )
    elif entry["declared"] == "open" and entry["outcome"] in ("closed", "filtered"):
        rule, severity = "not_reachable_from_outside", "medium"
        what = "{0}: {1} is declared open, and is not reachable from outside.".format(place, subject)
        why = "Seen from the controller, {0}.".format(entry["why"])
        firewalls = "let it in at the firewall of the provider, and at that of the host, such as the role firewall"
        listens = "see that the service runs, and listens on this address and not only on 127.0.0.1"
        first, then = (firewalls, listens) if entry["outcome"] == "filtered" else (listens, firewalls)
        remedy = "{0}; or else {1}".format(first, then)
    else:
        return None
    endpoint = {key: entry[key] for key in ("protocol", "family", "address", "port")}
    nobody = {"since": "", "stack": "", "service": "", "container": "", "process": ""}
    told = {"rule": rule, "what": what, "why": why, "remedy": _sentence(remedy) + "."}
    return dict(told, endpoint=endpoint, severity=severity, blocked=False, **nobody)


def where(entry: t.Mapping[str, t.Any]) -> str:
    """Protocol, address and port, as people write them."""
    address = "[{0}]".format(entry["address"]) if ":" in entry["address"] else entry["address"]
    return "{0} {1}:{2}".format(entry["protocol"], address, entry["port"])


def gaps(results: t.Iterable[t.Mapping[str, t.Any]], addresses: t.Sequence[Address]) -> t.List[str]:
    """A sentence for everything that was not checked: one per address and reason."""
    groups: t.Dict[t.Tuple[str, str], t.Dict[str, t.List[int]]] = {}
    for entry in results:
        if entry["outcome"] == "not_checked":
            ports = groups.setdefault((entry["address"], entry["why"]), {})
            ports.setdefault(entry["protocol"], []).append(entry["port"])
    told = []
    for (address, why), ports in groups.items():
        told_ports = ", ".join(listed(protocol, ports[protocol]) for protocol in sorted(ports))
        told.append("{0}: {1} not checked: {2}.".format(address, told_ports, why))
    there = {address.family for address in addresses}
    # What has no family is a name that was not looked up, of which it is told above.
    for family in sorted(set(WORDS) - there if "" not in there else ()):
        told.append("{0}: not checked: the host was given no address of this family, and its names have none.".format(WORDS[family]))
    return told


def listed(protocol: str, ports: t.Iterable[int]) -> str:
    return "{0} {1}".format(protocol, ", ".join(str(port) for port in sorted(ports)))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def report(
    results: t.List[t.Dict[str, t.Any]], addresses: t.Sequence[Address], controls: t.Mapping[str, Controls]
) -> t.Dict[str, t.Any]:
    """All that the task returns."""
    violations = [violation for violation in map(violation_of, results) if violation]
    not_checked = gaps(results, addresses)
    answering = {one.family for one in addresses if not one.obstacle and controls[one.text].before and controls[one.text].after}
    counts = {name: sum(entry["outcome"] == name for entry in results) for name in ("open", "closed", "filtered", "not_checked")}
    head = "From the controller: {open} open, {closed} closed, {filtered} filtered, {not_checked} not checked.".format(**counts)
    lines = [head] + ["{what} {why} Remedy: {remedy}".format(**violation) for violation in violations]
    return dict(
        results=results,
        violations=violations,
        not_checked=not_checked,
        checked_families=sorted(answering),
        text="\n".join(lines + not_checked),
    )
