# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack may count on although it is not on the host yet.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document


def made_before(stacks: t.List[model.Mapping], name: str) -> t.List[str]:
    """The networks and volumes that the stacks before the one of that name make, by the engine's names."""
    found: t.Set[str] = set()
    for stack in stacks:
        if stack["name"] == name:
            break
        made = compose_document(stack)["x-portside"]
        found = found.union(made["networks"], made["volumes"])
    return sorted(found)
