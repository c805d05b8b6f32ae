# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter stack_warnings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_warnings
short_description: What works in a stack, and yet is likely to be missed
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Names services without a healthcheck that others depend on or that routes lead to. Nobody can know when those are ready. For well-known images it
    says which healthcheck to write.
  - Names dependencies on services whose profile is off, where C(required) is V(false). Without that the stack has a problem, see
    P(portside.stack.stack_problems#filter).
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
seealso:
  - plugin: portside.stack.stack_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Warn of what is likely to be missed
  ansible.builtin.debug:
    msg: "{{ stacks[0] | portside.stack.stack_warnings(stacks) }}"
"""

RETURN = r"""
_value:
  description: Sentences, each naming stack and service. Empty when there is nothing to say.
  type: list
  elements: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._stack_warnings import stack_warnings


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"stack_warnings": as_filter(stack_warnings)}
