# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter audit_index."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_index
short_description: The page that leads to the reports of several hosts
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Lists hosts by what was found on them, worst first, with links to their pages.
options:
  _input:
    description: For each host C(report), as P(portside.stack.audit_report#filter) gives it, and C(file), the name of its page.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: portside.stack.audit_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the index
  ansible.builtin.copy:
    content: "{{ [{'report': judged.report, 'file': 'web1.html'}] | portside.stack.audit_index }}"
    dest: audit/index.html
    mode: "0600"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._audit_report import audit_index
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"audit_index": as_filter(audit_index, foreign=True)}
