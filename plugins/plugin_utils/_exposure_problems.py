# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of who may be reached: ports and exposure, within a stack and between stacks.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import Port, parse_port
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import unmade_service
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import network_reach
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

EXPOSURES = ("public", "loopback", "internal")
# Who has a port of the host: (published, protocol) -> stack and service.
Taken = t.Dict[t.Tuple[str, str], t.Tuple[str, str]]


def exposure_problems(report: Report, stack: model.Mapping, services: t.Dict[str, model.Mapping], taken: Taken) -> None:
    """Judges `exposure` and all `ports`."""
    exposure = stack.get("exposure")
    exposure = exposure if isinstance(exposure, dict) else {}
    for name, value in exposure.items():
        if name not in services and name != unmade_service(stack):
            report.unknown("exposure", name, services, "a service of this stack", "declare the service first")
        if value is not None and value not in EXPOSURES:
            report.unknown("exposure.{0}".format(name), value, EXPOSURES, "an exposure", "use one of " + ", ".join(EXPOSURES))
    active = model.active_services(stack)
    networks = model.sections(stack, "networks")
    for name, service in services.items():
        exposed = exposure.get(name) if exposure.get(name) in ("public", "loopback") else ""
        ports = _port_problems(report.of(name), service, exposed)
        if exposed:
            _reach_problems(report.of(name), service, exposed, networks)
        if exposed and name in active:
            _taken_problems(report.of(name), str(stack.get("name")), name, ports, taken)


def _port_problems(report: Report, service: model.Mapping, exposed: str) -> t.List[t.Tuple[str, Port]]:
    given = service.get("ports", [])
    if not isinstance(given, list):
        report.add("ports", "value {0} is not a list; write [{{target: 8000, published: 8000}}]".format(shown(given)))
    found = []
    for index, value in enumerate(model.sequence(given)):
        key = "ports[{0}]".format(index)
        try:
            ports = parse_port(value)
        except StackError as error:
            report.add(key, str(error))
            continue
        if any(port.host_ip for port in ports):
            report.add(key, "the address is given by `exposure` alone; leave {0} out".format(ports[0].host_ip))
        if exposed and not all(port.fixed for port in ports):
            report.add(
                key,
                "the host port would be picked by the engine, so it cannot be declared {0}; write one number, {{target: {1}, published: NUMBER}}".format(
                    exposed, ports[0].target
                ),
            )
        found.extend((key, port) for port in ports)
    return found


def _reach_problems(report: Report, service: model.Mapping, exposed: str, networks: t.Dict[str, model.Mapping]) -> None:
    if not service.get("ports"):
        report.add("ports", "`exposure` says {0}, but no port is published; write [{{target: 8000, published: 8000}}]".format(exposed))
    mode = service.get("network_mode")
    if mode not in (None, "bridge", "host"):
        report.add("network_mode", "with {0} nothing can be published; expose the service whose network it is".format(shown(mode)))
    joined = [networks.get(key, {}) for key in model.service_networks(service)]
    if joined and all(options.get("internal") is True for options in joined):
        report.add(
            "networks",
            "all of them are internal, where the engine ignores `ports`; add one that is not, or leave it out of `exposure`",
        )
    if exposed == "loopback" and mode is None:
        _loopback_problems(report, service, networks)


def _loopback_problems(report: Report, service: model.Mapping, networks: t.Dict[str, model.Mapping]) -> None:
    """A port bound to 127.0.0.1 hides nothing where the container itself is reached."""
    try:
        reach = network_reach(service, networks)
    except StackError:
        return  # A network that nobody declared is told of by itself.
    why = reach.wide or reach.direct
    if why:
        text = "`exposure` says loopback, but others reach the container itself there: {0}; attach it to a bridge network without that, or declare it public"
        report.add("networks", text.format(why))


def _taken_problems(report: Report, stack: str, service: str, ports: t.List[t.Tuple[str, Port]], taken: Taken) -> None:
    for key, port in ports:
        if not port.fixed:
            continue
        number = (str(int(port.published)), port.protocol)
        holder = taken.setdefault(number, (stack, service))
        if holder != (stack, service):
            text = "port {0}/{1} of the host is already published by service {2!r} of stack {3!r}; choose another"
            report.add(key, text.format(number[0], number[1], holder[1], holder[0]))
        elif any(other == number for where, other in _numbers(ports) if where < key):
            report.add(key, "port {0}/{1} of the host is published a second time; take it out".format(*number))


def replica_problems(report: Report, service: model.Mapping, exposed: bool) -> None:
    """Judges more than one container behind one port of the host."""
    count = model.replicas(service)
    if exposed and grammar.is_count(count) and int(count) > 1 and service.get("ports"):
        text = "{0} containers cannot share one port of the host; publish the port of a proxy in front of them"
        report.add("deploy.replicas", text.format(count))


def _numbers(ports: t.List[t.Tuple[str, Port]]) -> t.List[t.Tuple[str, t.Tuple[str, str]]]:
    return [(key, (str(int(port.published)), port.protocol)) for key, port in ports if port.fixed]
