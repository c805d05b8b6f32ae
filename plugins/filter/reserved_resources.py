# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter reserved_resources."""

from __future__ import annotations

DOCUMENTATION = r"""
name: reserved_resources
short_description: What stacks reserve of their host
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Tells the memory and the CPUs that the running services of each stack reserve (C(deploy.resources.reservations), C(mem_reservation)).
  - A service that runs once holds nothing for good, so it is left out, as is one whose profile is off.
positional: _input
options:
  _input:
    description: Entries of C(stacks).
    type: list
    elements: dict
    required: true
seealso:
  - module: portside.stack.compose_stack
"""

EXAMPLES = r"""
- name: Refuse what the host has not got
  portside.stack.compose_stack:
    definition: "{{ stacks[0] | portside.stack.compose_document }}"
    project_directory: /opt/stacks/shop
    state: pulled
    reserved: "{{ stacks | portside.stack.reserved_resources }}"
    memory_headroom: 1G
"""

RETURN = r"""
_value:
  description:
    - For each stack, by its name, a list of the services that reserve something, with C(service), C(replicas), and what each of its containers
      reserves as C(memory) in bytes and C(cpus).
  type: dict
  sample: {shop: [{service: db, replicas: 1, memory: 536870912, cpus: 0.5}]}
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._reserved_resources import reserved_resources


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"reserved_resources": as_filter(reserved_resources)}
