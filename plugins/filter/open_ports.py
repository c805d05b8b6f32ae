# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter open_ports."""

from __future__ import annotations

DOCUMENTATION = r"""
name: open_ports
short_description: What a firewall must let in for stacks
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Lists the ports of the host that are declared V(public), those of running services, ranges written out.
  - A port that the engine picks is not in it. Nor is what containers with an address of their own (macvlan, ipvlan) listen on, as that
    does not pass the host.
  - What is only routed to needs nothing here but the port of its edge. A tunnel needs none.
options:
  _input:
    description: The stacks, merged with what differs on the inventory.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: portside.stack.exposure_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what the firewall lets in
  ansible.builtin.debug:
    msg: "{{ stacks | portside.stack.stack_merge(stack_overrides) | portside.stack.open_ports }}"
"""

RETURN = r"""
_value:
  description: The ports.
  type: list
  elements: dict
  contains:
    stack:
      description: The stack.
      type: str
    service:
      description: The service that publishes it.
      type: str
    port:
      description: The port by which it is asked for. On the host's own network, and on a routed one, that is the container's.
      type: int
    protocol:
      description: V(tcp), V(udp) or V(sctp).
      type: str
    exposure:
      description: Always V(public).
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._declared_ports import open_ports
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"open_ports": as_filter(open_ports)}
