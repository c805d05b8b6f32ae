# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be known before anything is touched: published ports that somebody else holds.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, Port, Service, is_oneoff
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import overlap
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

# Who holds a container's published port on the engine's behalf.
_ENGINE = ("docker-proxy", "dockerd")
_REMEDY = (
    "Remedy: stop it or give it another port, or publish {service} elsewhere "
    "(stacks: {stack}.services.{service}.ports, or its exposure)."
)


def port_problems(
    stack: str,
    services: t.Iterable[Service],
    running: t.Iterable[t.Dict[str, t.Any]],
    listeners: t.Iterable[Listener],
) -> t.List[str]:
    """The ports of the services to start that a process or a foreign container holds.

    ``running`` are the engine's list entries of all running containers.
    """
    own, foreign = _published(stack, running)
    engines = [port for port, _name in own + foreign]
    held = [(port, "the container {0}".format(name)) for port, name in foreign]
    for listener in listeners:
        port = Port(listener.address, listener.port, listener.port, listener.protocol)
        if listener.process in _ENGINE and any(overlap(port, other) for other in engines):
            continue
        held.append((port, _owner(listener)))
    problems = []
    for service in services:
        for port in service.ports:
            holders = _holders(port, held)
            if holders:
                problems.append(_problem(stack, service, port, holders))
    return problems


def held_ports(
    stack: str,
    services: t.Iterable[Service],
    engine: t.Optional[EngineClient],
    listeners: t.Callable[[], t.List[Listener]],
) -> t.List[str]:
    """The same, of the host as it is; without an engine, of its processes alone."""
    services = [service for service in services if service.ports]
    if not services:
        return []
    running = engine.containers(stopped=False) if engine else []
    return port_problems(stack, services, running, listeners())


def _published(
    stack: str, running: t.Iterable[t.Dict[str, t.Any]]
) -> t.Tuple[t.List[t.Tuple[Port, str]], t.List[t.Tuple[Port, str]]]:
    own, foreign = [], []
    for entry in running:
        labels = entry.get("Labels") or {}
        mine = labels.get(LABEL_PROJECT) == stack and not is_oneoff(labels)
        name = (entry.get("Names") or [entry["Id"][:12]])[0].lstrip("/")
        for bound in entry.get("Ports") or ():
            if bound.get("PublicPort"):
                number = bound["PublicPort"]
                port = Port(bound.get("IP") or "", number, number, bound.get("Type") or "tcp")
                (own if mine else foreign).append((port, name))
    return own, foreign


def _owner(listener: Listener) -> str:
    if not listener.process:
        return "a process that cannot be seen from here"
    return "the process {0} (pid {1})".format(listener.process, listener.pid)


def _holders(port: Port, held: t.List[t.Tuple[Port, str]]) -> t.List[str]:
    """Who holds a port; of a range, every one must be held."""
    found: t.List[str] = []
    for number in range(port.first, port.last + 1):
        one = port._replace(first=number, last=number)
        names = [name for other, name in held if overlap(one, other)]
        if not names:
            return []
        found += [name for name in names if name not in found]
    return found


def _problem(stack: str, service: Service, port: Port, holders: t.List[str]) -> str:
    numbers = str(port.first) if port.first == port.last else "{0}-{1}".format(port.first, port.last)
    return "stack {0}: service {1}: port {2}/{3} on {4} is held by {5}. {6}".format(
        stack,
        service.name,
        numbers,
        port.protocol,
        port.address or "all addresses",
        " and ".join(holders),
        _REMEDY.format(stack=stack, service=service.name),
    )
