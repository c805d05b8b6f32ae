# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter rotated_secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rotated_secrets
short_description: Which secrets are to be made anew, by stack
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Sorts the names given with C(-e rotate=NAME) by stack, for the option O(portside.stack.secret_files#module:rotate).
  - A name that is no secret of any stack is left out. The filter P(portside.stack.stack_problems#filter) reports it.
positional: rotate
options:
  _input:
    description: The stacks.
    type: list
    elements: dict
    required: true
  rotate:
    description: Names of secrets, each C(NAME) or C(STACK/NAME), as a list or as one text with commas.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show which secrets would be made anew
  ansible.builtin.debug:
    msg: "{{ stacks | portside.stack.rotated_secrets('app_login,shop/session_key') }}"
"""

RETURN = r"""
_value:
  description: For each stack with any, the names of its secrets.
  type: dict
  sample: {shop: [app_login, session_key]}
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._rotation import rotated_secrets


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"rotated_secrets": as_filter(rotated_secrets)}
