# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter status_query."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_query
short_description: What a JMESPath expression finds in a status
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Answers a question about the status of a host. A wrong expression is refused with the position and the reason.
requirements:
  - jmespath, in the Python that runs Ansible
positional: expression
options:
  _input:
    description: What M(portside.stack.stack_status) returned, or C(status) of what P(portside.stack.status_report#filter) did.
    type: dict
    required: true
  expression:
    description: The expression, see U(https://jmespath.org).
    type: str
    required: true
seealso:
  - module: portside.stack.stack_status
  - plugin: portside.stack.status_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Name the services that are not healthy
  ansible.builtin.debug:
    msg: "{{ status | portside.stack.status_query(\"stacks[].services[?health!='healthy'].name\") }}"
"""

RETURN = r"""
_value:
  description: What was found.
  type: raw
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._status_query import status_query


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"status_query": as_filter(status_query, foreign=True)}
