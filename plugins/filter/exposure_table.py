# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter exposure_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: exposure_table
short_description: The table of who may be reached
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Lists the ports of all running services of a stack, with what C(exposure) makes of them.
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who may be reached
  ansible.builtin.debug:
    msg: "{{ stacks[0] | portside.stack.exposure_table }}"
"""

RETURN = r"""
_value:
  description: One row for each port of each service, and one for a service without ports.
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: str
    exposure:
      description: V(public), V(loopback) or V(internal).
      type: str
    published:
      description: The port on the host, with its address unless that is all addresses. Empty when not published.
      type: str
    target:
      description: The port in the container, none for a service without ports.
      type: int
    protocol:
      description: V(tcp), V(udp) or V(sctp). Empty for a service without ports.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"exposure_table": as_filter(exposure_table)}
