# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks with what one inventory says differently, and with the services of their edges.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._report import did_you_mean


def stack_merge(stacks: t.List[t.Any], overrides: t.Optional[t.Dict[str, t.Any]] = None) -> t.List[t.Any]:
    """Each stack with its overrides: mappings are merged, anything else is replaced. The services that its edge makes are added."""
    if not isinstance(stacks, list):
        raise StackError("stacks: must be a list of stacks; write `- name: ...`.")
    if not isinstance(overrides or {}, dict):
        raise StackError("stack_overrides: must be a mapping from the name of a stack to what differs.")
    names = [stack.get("name") for stack in stacks if isinstance(stack, dict)]
    for name, override in (overrides or {}).items():
        if name not in names:
            hint = did_you_mean(name, names) or "declared are: {0}".format(", ".join(map(str, names)) or "none")
            raise StackError("stack_overrides, key {0!r}: no stack of that name is declared; {1}.".format(name, hint))
        if not isinstance(override, dict):
            raise StackError("stack_overrides, key {0!r}: must be a mapping of what differs.".format(name))
        if override.get("name", name) != name:
            raise StackError("stack_overrides, key {0!r}: a stack cannot be renamed; leave `name` out.".format(name))
    given = overrides or {}
    merged = [_merged(stack, given[stack["name"]]) if isinstance(stack, dict) and stack.get("name") in given else stack for stack in stacks]
    return [with_edge(stack) for stack in merged]


def _merged(base: t.Any, override: t.Any) -> t.Any:
    if not isinstance(base, dict) or not isinstance(override, dict):
        return override
    merged = dict(base)
    for key, value in override.items():
        merged[key] = _merged(base[key], value) if key in base else value
    return merged
