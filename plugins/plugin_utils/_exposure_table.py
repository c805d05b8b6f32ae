# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may be reached, as a table.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._declared_ports import Declared, declared_ports
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_markdown import as_markdown, as_text
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_routes import Lead, leads, wider
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import INTERNAL, PUBLIC, REACHES
from ansible_collections.portside.stack.plugins.plugin_utils._report import shown

_FORMATS = {"list": list, "markdown": as_markdown, "text": as_text}


class _Port(t.NamedTuple):
    """A port of a service: where the host has it, if anywhere, and whom that reaches."""

    target: t.Optional[int]
    protocol: str
    published: str
    reach: str


def exposure_table(stack: t.Any, stacks: t.Any = None, format: str = "list") -> t.Any:
    """One row for each port of each running service, and one for a service without ports. With all ``stacks``, their edges count."""
    if format not in _FORMATS:
        raise StackError("exposure_table, format: {0} is none of {1}; choose one of them.".format(shown(format), ", ".join(_FORMATS)))
    stack = with_edge(model.mapping(stack))
    found = leads(stack, [with_edge(one) for one in model.sequence(stacks) if isinstance(one, dict)], _own_reach)
    once = model.one_shots(model.services_of(stack))
    rows = []
    for name, service in model.active_services(stack).items():
        declared = declared_ports(stack, name, service)
        notes = ["runs once"] if name in once else []
        notes += [why for why in (declared.reach.wide, declared.reach.direct if declared.entries else "") if why]
        leading = [lead for lead in found if lead.service == name]
        for port in _ports(declared, leading):
            rows.append({"service": name, "exposure": declared.exposure, **_row(port, leading), "note": ", ".join(notes)})
    return _FORMATS[format](rows)


def _own_reach(stack: model.Mapping, name: str) -> str:
    """Whom the ports reach that a service publishes itself."""
    declared = declared_ports(stack, name, model.services_of(stack)[name])
    return max((port.reach for port in _ports(declared, [])), key=REACHES.index)


def _ports(declared: Declared, leading: t.Sequence[Lead]) -> t.List[_Port]:
    """What is published, what is declared besides, and what routes lead to; something for each service."""
    reach = declared.reach
    found = [_Port(one["target"], one["protocol"], declared.host_port(one), reach.of(one["host_ip"])) for one in declared.entries]
    named = {(port.target, port.protocol) for port in found}
    others = dict.fromkeys([*declared.targets, *((lead.port, "tcp") for lead in leading)])
    unpublished = PUBLIC if reach.wide else INTERNAL
    found += [_Port(target, protocol, "", unpublished) for target, protocol in others if (target, protocol) not in named]
    return found or [_Port(None, "", "", unpublished)]


def _row(port: _Port, leading: t.Sequence[Lead]) -> model.Mapping:
    """The port with the routes to it. They count where they let in more than the port itself does."""
    here = [lead for lead in leading if (lead.port, "tcp") == (port.target, port.protocol)]
    best = max(here, key=lambda lead: REACHES.index(lead.reach), default=None)
    routed = best is not None and wider(best.reach, port.reach)
    return {
        "published": port.published,
        "target": port.target,
        "protocol": port.protocol,
        "routes": list(dict.fromkeys(lead.text for lead in here if lead.text)),
        "reach": best.reach if best is not None and routed else port.reach,
        "via": best.via if best is not None and routed else "",
    }
