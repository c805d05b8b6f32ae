# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter route_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: route_table
short_description: The routes of a stack as they are understood, to be read
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns one line for each route, with its position, host, path in its normal form and target, and one for each warning.
  - Empty for a stack without routes.
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which service answers what
  ansible.builtin.debug:
    msg: "{{ stacks | map('portside.stack.route_table') }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._route_table import stack_route_table


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"route_table": as_filter(stack_route_table)}
