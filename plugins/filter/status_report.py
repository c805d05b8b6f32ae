# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter status_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_report
short_description: How the stacks of a host are, for people and for programs
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Adds to what the module M(portside.stack.stack_status) found how to get to each service that is not public, by an ssh tunnel
    that takes the way that Ansible itself does, and writes all of it down for terminals.
positional: host, ssh
options:
  _input:
    description: What M(portside.stack.stack_status) returned.
    type: dict
    required: true
  host:
    description: The host's name in the inventory.
    type: str
    required: true
  ssh:
    description:
      - How Ansible gets there, with C(host), C(port), C(user), C(key), C(arguments), a list of what is given to ssh besides, and C(connection), the
        connection plugin. What is not known is empty or left out.
      - A host that is not reached by ssh has no tunnels.
    type: dict
    default: {}
seealso:
  - module: portside.stack.stack_status
  - plugin: portside.stack.status_query
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ (status | portside.stack.status_report(inventory_hostname, {'host': ansible_host, 'user': ansible_user})).lines }}"
"""

RETURN = r"""
_value:
  description: The status in two forms.
  type: dict
  contains:
    status:
      description:
        - C(host), C(time), C(unseen) and C(stacks), as the module returns them.
        - Each service has C(tunnel) besides, the command that opens a tunnel to it, empty where there is nothing to tunnel to.
          In C(tunnel_to) each end has C(local), its port on the controller.
      type: dict
    lines:
      description: For terminals, at most 120 columns but for commands that are longer.
      type: list
      elements: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._status_report import status_report


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"status_report": as_filter(status_report, foreign=True)}
