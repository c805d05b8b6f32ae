# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of internal services: they are not in the Compose document, and who looks at the host later tunnels to them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._ports import parse_ports
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import INTERNAL


def unpublished_ports(stack: model.Mapping) -> t.Dict[str, t.List[int]]:
    """By service, the TCP ports that an internal service of a stack without problems declares in `ports`."""
    exposure = model.mapping(stack.get("exposure"))
    found = {}
    for name, service in model.active_services(stack).items():
        if service.get("ports") and exposure.get(name, INTERNAL) == INTERNAL:
            found[name] = sorted({port.target for port in parse_ports(service["ports"]) if port.protocol == "tcp"})
    return {name: ports for name, ports in found.items() if ports}
