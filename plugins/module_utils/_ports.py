# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of Compose's `ports`, short and long, and what YAML makes of it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Errors say what is wrong with the value and the remedy; the caller, who knows
them, puts stack, service and key in front.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

PROTOCOLS = ("tcp", "udp", "sctp")
MODES = ("host", "ingress")
LONG_KEYS = ("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol")
EXAMPLE = "{target: 8000, published: 8000}"
HIGHEST = 65535


class Port(t.NamedTuple):
    """One entry as Compose resolves it; what was not given is an empty string."""

    target: int
    published: str = ""
    host_ip: str = ""
    protocol: str = "tcp"
    extra: t.Tuple[t.Tuple[str, t.Any], ...] = ()

    @property
    def fixed(self) -> bool:
        """Whether exactly one host port can answer for this entry."""
        return self.published.isdigit() and int(self.published) > 0

    def entry(self, host_ip: str) -> t.Dict[str, t.Any]:
        """Compose's long form, bound to that address."""
        entry: t.Dict[str, t.Any] = dict(self.extra)
        entry.update(target=self.target, published=self.published, protocol=self.protocol)
        if host_ip:
            entry["host_ip"] = host_ip
        return entry


def parse_ports(ports: t.Any) -> t.List[Port]:
    """All entries of `ports`; the first bad one is the error."""
    if not isinstance(ports, list):
        raise StackError("value {0!r} is not a list; write a list such as [{1}]".format(ports, EXAMPLE))
    return [port for value in ports for port in parse_port(value)]


def parse_port(value: t.Any) -> t.List[Port]:
    """One entry of `ports`: several when it is a range."""
    if isinstance(value, dict):
        return [_long(value)]
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise StackError(_bare_integer(value))
    raise StackError("value {0!r} is neither text nor a mapping; write {1}".format(value, EXAMPLE))


def _bare_integer(value: int) -> str:
    guess = " (this one may have been {0}:{1:02d})".format(*divmod(value, 60)) if value >= 60 else ""
    return (
        "value {0} is a bare YAML integer, and YAML 1.1 reads an unquoted 22:22 as 1342 and 8080:22 as 484822{1}, in base 60, "
        'so what was meant is a guess; quote it as "HOST:CONTAINER" or write {2}'.format(value, guess, EXAMPLE)
    )


def _short(value: str) -> t.List[Port]:
    spec, slash, protocol = value.partition("/")
    protocol = protocol.lower() if slash and protocol else "tcp"
    if protocol not in PROTOCOLS:
        raise StackError("value {0!r} has protocol {1!r}; use one of {2}".format(value, protocol, ", ".join(PROTOCOLS)))
    rest, _colon, target = spec.rpartition(":")
    address, _colon, published = rest.rpartition(":")
    if rest and not published and not address:
        address, published = "", ""
    elif rest and "." in published:
        raise StackError('value {0!r} has an address but no host port; write "ADDRESS:HOST_PORT:CONTAINER_PORT" or {1}'.format(value, EXAMPLE))
    host_ip = _address(value, address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address)
    targets = _range(value, target)
    if not published:
        return [Port(number, "", host_ip, protocol) for number in targets]
    numbers = _range(value, published, lowest=0)
    if len(numbers) == len(targets):
        return [Port(number, str(host), host_ip, protocol) for number, host in zip(targets, numbers)]
    if len(targets) == 1:
        return [Port(targets[0], "{0}-{1}".format(numbers[0], numbers[-1]), host_ip, protocol)]
    raise StackError("value {0!r} pairs {1} host ports with {2} container ports; give both ranges the same length".format(value, len(numbers), len(targets)))


def _long(value: t.Mapping[str, t.Any]) -> Port:
    given = {key: item for key, item in value.items() if item is not None}
    for key in given:
        if key not in LONG_KEYS and not str(key).startswith("x-"):
            near = difflib.get_close_matches(str(key), LONG_KEYS, 1)
            hint = "did you mean {0!r}?".format(near[0]) if near else "use {0}".format(", ".join(LONG_KEYS))
            raise StackError("{0!r} is not a key of a port; {1}".format(key, hint))
    if "target" not in given:
        raise StackError("value {0!r} has no target; add the container port, as in {1}".format(dict(given), EXAMPLE))
    targets = _range(given["target"], _text("target", given["target"]))
    if len(targets) != 1:
        raise StackError("target {0!r} is a range; write one entry a port".format(given["target"]))
    # Compose passes it on as it is written, and leaves the judging to the engine.
    published = _text("published", given.get("published", ""))
    if published:
        _range(given["published"], published, lowest=0)
    protocol = given.get("protocol", "tcp")
    if not isinstance(protocol, str) or protocol.lower() not in PROTOCOLS:
        raise StackError("protocol {0!r} is unknown; use one of {1}".format(protocol, ", ".join(PROTOCOLS)))
    if given.get("mode", "ingress") not in MODES:
        raise StackError("mode {0!r} is unknown; leave it out".format(given["mode"]))
    host_ip = given.get("host_ip", "")
    if not isinstance(host_ip, str) or (not host_ip and "host_ip" in given):
        raise StackError("host_ip {0!r} is no address; write one, such as 127.0.0.1, or leave it out".format(host_ip))
    for key in ("name", "app_protocol"):
        if not isinstance(given.get(key, ""), str):
            raise StackError("{0} {1!r} is not text; quote it".format(key, given[key]))
    known = ("target", "published", "host_ip", "protocol")
    extra = tuple((key, item) for key, item in given.items() if key not in known)
    return Port(targets[0], published, _address(host_ip, host_ip), protocol.lower(), extra)


def _text(key: str, value: t.Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise StackError("{0} {1!r} is not a port; write a number from 1 to {2}".format(key, value, HIGHEST))
    return str(value)


def _address(value: str, address: str) -> str:
    if address and not _is_address(address):
        text = "value {0!r} has {1!r} where Compose takes an IP address only; write one, such as 127.0.0.1, or leave it out"
        raise StackError(text.format(value, address))
    return address


def _is_address(address: str) -> bool:
    """As Go reads them. Python takes zones and, in old versions, leading zeros as well."""
    quad = address.rpartition(":")[2]
    try:
        ipaddress.ip_address(address)
        return "%" not in address and ("." not in quad or str(ipaddress.IPv4Address(quad)) == quad)
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """Whether only this host reaches what is bound to an address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _range(value: t.Any, text: str, lowest: int = 1) -> t.List[int]:
    found = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text)
    first, last = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (-1, -1)
    if not lowest <= first <= last <= HIGHEST:
        raise StackError(
            "value {0!r}: {1!r} is not a port or a range of ports from {2} to {3}; write for example {4}".format(value, text, max(lowest, 1), HIGHEST, EXAMPLE)
        )
    return list(range(first, last + 1))
