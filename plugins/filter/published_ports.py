# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter published_ports."""

from __future__ import annotations

DOCUMENTATION = r"""
name: published_ports
short_description: What a Compose service publishes, and whether others reach it
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Reads C(ports) of a service of any Compose file, short and long form, as Docker Compose does, and says of each whether anything but
    this host can reach it.
  - What an address is worth depends on the networks of the service. See C(docs/exposure.md) of the collection.
  - Fails where Compose or the engine would, and for bare integers, which YAML may have made of a pair such as C(22:22).
  - With C(network_mode=host) the engine discards the ports, and what the service listens on is the host's. The entries stay, and are public;
    the port to reach is then the target.
positional: networks, swarm
options:
  _input:
    description: The service, a mapping of which C(ports), C(networks) and C(network_mode) are read.
    type: dict
    required: true
  networks:
    description:
      - The top-level C(networks) of the Compose file.
      - Without it nothing is known of them, and they are taken for bridges. So are external ones.
    type: dict
  swarm:
    description: Whether it is deployed by C(docker stack deploy), which publishes on all addresses of every node.
    type: bool
    default: false
seealso:
  - plugin: portside.stack.exposure_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a Compose file that publishes its database
  ansible.builtin.assert:
    that: compose.services.db | portside.stack.published_ports(compose.networks | default({})) | selectattr('public') | length == 0
  vars:
    compose: "{{ lookup('ansible.builtin.file', 'compose.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: One entry for each port, those of a range one by one.
  type: list
  elements: dict
  contains:
    host_ip:
      description: The address as it is written, without brackets. Empty for all addresses.
      type: str
    published:
      description: The port of the host, or a range of which the engine takes one. Empty or V(0) where it takes any.
      type: str
    target:
      description: The port in the container.
      type: int
    protocol:
      description: V(tcp), V(udp) or V(sctp).
      type: str
    public:
      description: Whether anything but this host can reach it.
      type: bool
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._published_ports import published_ports


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"published_ports": as_filter(published_ports)}
