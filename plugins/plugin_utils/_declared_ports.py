# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a stack's service as its Compose document will have them, and what a firewall must let in for them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import is_loopback, parse_port
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import (
    INTERNAL,
    LOOPBACK,
    OF_THE_HOST,
    PUBLIC,
    Reach,
    network_reach,
    published_ports,
    read_ports,
)
from ansible_collections.portside.stack.plugins.plugin_utils._report import shown

_ADDRESSES = {PUBLIC: "", LOOPBACK: "127.0.0.1"}


class Declared(t.NamedTuple):
    """What the declaration says of one service."""

    exposure: str
    reach: Reach
    # What is published, as `published_ports` has it.
    entries: t.Tuple[model.Mapping, ...]
    # Every port that it names, published or not, with its protocol.
    targets: t.Tuple[t.Tuple[int, str], ...]

    def host_port(self, entry: model.Mapping) -> str:
        """Where the host has it, with the address unless that is all; 0 is a port that the engine picks."""
        if self.reach.wide == OF_THE_HOST:
            return str(entry["target"])
        address = entry["host_ip"] or self.reach.address
        return (address + ":" if address else "") + (entry["published"] or "0") if self.reach.translated else ""


def declared_ports(stack: model.Mapping, name: str, service: model.Mapping) -> Declared:
    """One service of a stack. The stack is ``with_edge``."""
    exposure = str(model.mapping(stack.get("exposure")).get(name, INTERNAL))
    networks = model.sections(stack, "networks")
    try:
        reach = network_reach(service, networks)
        ports = [port for _index, _value, port in read_ports(service)]
        # Addresses are given by the exposure alone; what has none is not published.
        written = [port.entry(_ADDRESSES[exposure]) for port in ports] if exposure in _ADDRESSES else []
        entries = published_ports({**service, "ports": written}, networks)
    except StackError as error:
        raise StackError("stack {0!r}, service {1!r}, {2}".format(stack.get("name"), name, error)) from error
    targets = [(port.target, port.protocol) for port in ports] + _exposed(service)
    return Declared(exposure, reach, tuple(entries), tuple(dict.fromkeys(targets)))


def _exposed(service: model.Mapping) -> t.List[t.Tuple[int, str]]:
    """What `expose` names; what it cannot mean is told elsewhere."""
    found = []
    for value in model.sequence(service.get("expose")):
        try:
            found += [(port.target, port.protocol) for port in parse_port(str(value))]
        except StackError:
            continue
    return found


def open_ports(stacks: t.Any) -> t.List[model.Mapping]:
    """What a firewall must let in for the stacks: each port that is declared public, ranges written out."""
    if not isinstance(stacks, list):
        raise StackError("stacks: value {0} is not a list; give the list of stacks.".format(shown(stacks)))
    # As keys, so that each is there once.
    found: t.Dict[t.Tuple[t.Any, ...], None] = {}
    for one in stacks:
        stack = with_edge(model.mapping(one))
        for name, service in model.active_services(stack).items():
            declared = declared_ports(stack, name, service)
            for entry in declared.entries if declared.exposure == PUBLIC else ():
                found.update({(str(stack.get("name")), name, number, entry["protocol"]): None for number in _numbers(declared.reach, entry)})
    return [dict(zip(("stack", "service", "port", "protocol"), key), exposure=PUBLIC) for key in found]


def _numbers(reach: Reach, entry: model.Mapping) -> t.List[int]:
    """By which numbers the world asks for it; none that is known where the engine picks the port."""
    if reach.wide == OF_THE_HOST:
        return [entry["target"]]
    found = [entry["target"]] if reach.routed else []
    if reach.translated and not is_loopback(reach.address):
        first, _dash, last = entry["published"].partition("-")
        found += range(int(first or 0), int(last or first or 0) + 1)
    return [number for number in dict.fromkeys(found) if number]
