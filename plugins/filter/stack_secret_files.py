# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter stack_secret_files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_secret_files
short_description: What a stack needs of its secrets
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the option O(portside.stack.secret_files#module:secrets) for a stack.
  - Says how each secret is made, and which users and groups read it.
  - These are the secrets of the running services (C(secrets), C(secret_environment)), those with a C(login), and the
    parts of those that are templates.
positional: image_facts
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
  image_facts:
    description:
      - As whom services with C(secret_environment) run, as RV(portside.stack.compose_stack#module:image_facts) returns it.
      - Without it that is root.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write the secrets of a stack
  portside.stack.secret_files:
    directory: /opt/stacks/hello/secrets
    secrets: "{{ stacks[0] | portside.stack.stack_secret_files }}"
    values: "{{ stack_secrets['hello'] }}"
"""

RETURN = r"""
_value:
  description:
    - For each secret C(generate), C(template) and C(login), where declared, and C(files) with C(uid), C(gid) and C(mode),
      and C(variable) where it is a visible variable.
  type: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import secret_files_options


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"stack_secret_files": as_filter(secret_files_options)}
