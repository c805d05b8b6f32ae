# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter audit_probe."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_probe
short_description: What to try from outside on a host that declares nothing
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Makes the arguments of M(portside.stack.port_probe) of what M(portside.stack.port_exposure_info) saw on a host. All that listens on
    more than loopback is tried.
  - A private address of the host is tried only where the controller reaches the host at an address beside it. Elsewhere it may be
    another machine's.
positional: address, ssh_port
options:
  _input:
    description: What M(portside.stack.port_exposure_info) returned.
    type: dict
    required: true
  address:
    description: The address or name by which the controller reaches the host.
    type: str
    default: ""
  ssh_port:
    description: The port by which it does. It is known to answer.
    type: int
    default: 22
  addresses:
    description: The addresses to try, in the place of those that are found.
    type: list
    elements: str
    default: []
  ssh_arguments:
    description: Further arguments of ssh. With a jump host in them nothing can be said of what answers here.
    type: str
    default: ""
  connection:
    description: How the controller is connected. By others than ssh nothing can be said either.
    type: str
    default: ssh
seealso:
  - module: portside.stack.port_probe
  - plugin: portside.stack.audit_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See from here what answers
  portside.stack.port_probe:
    addresses: "{{ plan.addresses }}"
    closed: "{{ plan.closed }}"
    control: "{{ plan.control }}"
    via: "{{ plan.via }}"
  vars:
    plan: "{{ exposure | portside.stack.audit_probe(ansible_host, ansible_port | default(22)) }}"
  delegate_to: localhost
  become: false
"""

RETURN = r"""
_value:
  description: Arguments of M(portside.stack.port_probe).
  type: dict
  contains:
    addresses:
      description: What to try.
      type: list
      elements: str
    closed:
      description: The ports that listen, of a range the first one, with who does.
      type: list
      elements: dict
    control:
      description: The ports of ssh.
      type: list
      elements: int
    via:
      description: Why nothing can be said from here; empty where it can.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._audit_reachable import audit_probe
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"audit_probe": as_filter(audit_probe, foreign=True)}
