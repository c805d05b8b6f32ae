# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter stack_merge."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_merge
short_description: Stacks with what one inventory says differently
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Merges C(stack_overrides) into C(stacks), mappings recursively; lists and everything else are replaced.
  - Overrides of a stack that is not declared are an error.
  - The services that C(edge) makes are among the services of the result.
positional: overrides
options:
  _input:
    description: The whole list C(stacks).
    type: list
    elements: dict
    required: true
  overrides:
    description: What differs, by the name of the stack.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Another image in staging
  ansible.builtin.debug:
    msg: "{{ stacks | portside.stack.stack_merge({'hello': {'services': {'web': {'image': 'nginx:1.29'}}}}) }}"
"""

RETURN = r"""
_value:
  description: The stacks.
  type: list
  elements: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._stack_merge import stack_merge


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"stack_merge": as_filter(stack_merge)}
