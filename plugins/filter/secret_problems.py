# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter secret_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret_problems
short_description: What is wrong with the values of secrets
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Judges the values of the secrets that the services of the stacks use. No problem holds a value.
  - Values that are empty, or that nobody chose, such as a template's C(changeme) or a documented default.
  - Values that also stand in the declaration itself, where everybody could read them.
  - For a stack with C(environment=production) also keys that are too short, and URLs of databases and Redis without a password.
positional: stack_secrets
options:
  _input:
    description: The whole list C(stacks).
    type: list
    elements: dict
    required: true
  stack_secrets:
    description: The values, by stack and by the name of the secret.
    type: dict
    required: true
seealso:
  - plugin: portside.stack.stack_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse values that nobody chose
  ansible.builtin.assert:
    that: stacks | portside.stack.secret_problems(stack_secrets) | length == 0
"""

RETURN = r"""
_value:
  description: The problems, none when all is well.
  type: list
  elements: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._value_problems import value_problems


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"secret_problems": as_filter(value_problems)}
