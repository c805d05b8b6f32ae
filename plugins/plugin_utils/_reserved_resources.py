# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What declared stacks reserve of their host.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._budget import Reservation, reservations
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge


def reserved_resources(stacks: t.Any) -> t.Dict[str, t.List[Reservation]]:
    """The reservations of the services that run, by stack; empty for a stack without any."""
    found = {}
    for stack in map(with_edge, map(model.mapping, model.sequence(stacks))):
        services = model.active_services(stack)
        found[str(stack["name"])] = reservations(services, model.one_shots(services))
    return found
