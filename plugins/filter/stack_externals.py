# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter stack_externals."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_externals
short_description: What a stack needs of services elsewhere
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the options of M(portside.stack.external_check) for a stack, from what it declares as C(external).
positional: _input
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Try what the stack needs and does not run itself
  portside.stack.external_check:
    stack: "{{ needs.stack }}"
    external: "{{ needs.external }}"
    networks: "{{ needs.networks }}"
    directory: /opt/stacks/hello/secrets
    secrets: "{{ needs.secrets }}"
    values: "{{ stack_secrets['hello'] }}"
  vars:
    needs: "{{ stacks[0] | portside.stack.stack_externals }}"
"""

RETURN = r"""
_value:
  description: The options C(stack), C(external), C(networks) and C(secrets).
  type: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._external_problems import stack_externals
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"stack_externals": as_filter(stack_externals)}
