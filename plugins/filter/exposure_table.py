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
  - Lists the ports of all running services of a stack, with what C(exposure), the networks and the routes make of them.
  - A route counts as exposure. What an edge leads to is as exposed as the edge, and what a tunnel leads to is public.
  - It is what the declaration says. What really listens is another matter.
positional: stacks
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
  stacks:
    description:
      - All stacks of the host, so that routes of their edges count as well.
      - Without it only the stack's own do.
    type: list
    elements: dict
  format:
    description:
      - V(list) for programs, V(markdown) for documents, V(text) for terminals.
      - The two tables have the columns service, exposed to the internet, host port, container port, routes and note.
    type: str
    choices: [list, markdown, text]
    default: list
seealso:
  - plugin: portside.stack.open_ports
    plugin_type: filter
  - plugin: portside.stack.published_ports
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show who may be reached
  ansible.builtin.debug:
    msg: "{{ (stacks[0] | portside.stack.exposure_table(stacks, format='text')).splitlines() }}"

- name: Write it down
  ansible.builtin.copy:
    content: "{{ stacks[0] | portside.stack.exposure_table(stacks, format='markdown') }}"
    dest: exposure.md
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description:
    - One row for each port that is published, declared in C(ports) or C(expose), or led to by a route, and one for a service without any.
    - With another O(format) than V(list), one text.
  type: raw
  contains:
    service:
      description: The service.
      type: str
    exposure:
      description: V(public), V(loopback) or V(internal), as declared.
      type: str
    published:
      description: The port on the host, with its address unless that is all addresses, V(0) where the engine picks it. Empty when not published.
      type: str
    target:
      description: The port in the container, none for a service without ports.
      type: int
    protocol:
      description: V(tcp), V(udp) or V(sctp). Empty for a service without ports.
      type: str
    routes:
      description: The routes to it in their normal form, such as V(example.com prefix /api), those of other stacks with the stack's name.
      type: list
      elements: str
    reach:
      description: Who reaches it. V(public), V(loopback) for this host alone, or V(internal) for the networks of the stack alone.
      type: str
    via:
      description:
        - The service at which requests come in, where they come by a route. It is the edge or its tunnel, with C(STACK/) before another stack's.
        - For an edge of kind V(external) it is what people call that proxy.
      type: str
    note:
      description: What else there is to know. V(runs once), or why it is reachable whatever is published.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"exposure_table": as_filter(exposure_table)}
