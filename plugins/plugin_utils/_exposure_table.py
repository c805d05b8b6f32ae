# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may be reached, as a table.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import parse_ports
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge

LOOPBACK = "127.0.0.1"


def exposure_table(stack: model.Mapping) -> t.List[model.Mapping]:
    """One row for each port of each running service, and one for a service without ports."""
    exposure = model.mapping(stack.get("exposure"))
    active = model.active_services(with_edge(stack))
    return [row for name, service in active.items() for row in _rows(stack.get("name"), name, service, exposure.get(name, "internal"))]


def _rows(stack: t.Any, name: str, service: model.Mapping, exposure: str) -> t.List[model.Mapping]:
    try:
        ports = parse_ports(service.get("ports", []))
    except StackError as error:
        raise StackError("stack {0!r}, service {1!r}, key 'ports': {2}.".format(stack, name, error)) from error
    reached = exposure in ("public", "loopback")
    return [
        {
            "service": name,
            "exposure": exposure,
            "published": (LOOPBACK + ":" if exposure == "loopback" else "") + port.published if reached else "",
            "target": port.target,
            "protocol": port.protocol,
        }
        for port in ports
    ] or [{"service": name, "exposure": exposure, "published": "", "target": None, "protocol": ""}]
