# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter made_before."""

from __future__ import annotations

DOCUMENTATION = r"""
name: made_before
short_description: The networks and volumes that earlier stacks make
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the option O(portside.stack.compose_stack#module:awaited) for a stack. What stacks before it make is there
    when its turn comes, though not when all of them are judged.
positional: name
options:
  _input:
    description: The stacks, in the order in which they are deployed.
    type: list
    elements: dict
    required: true
  name:
    description: The name of the stack.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Judge a stack that joins the network of another one
  portside.stack.compose_stack:
    state: pulled
    definition: "{{ stacks[1] | portside.stack.compose_document }}"
    project_directory: /opt/stacks/site
    awaited: "{{ stacks | portside.stack.made_before('site') }}"
"""

RETURN = r"""
_value:
  description: The engine's names of networks and volumes.
  type: list
  elements: str
  sample: [shared_data, shared_default]
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._made_before import made_before


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"made_before": as_filter(made_before)}
