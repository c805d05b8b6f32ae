# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter stack_builds."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_builds
short_description: The images of a stack that are built
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the option O(portside.stack.image_build#module:builds) for a stack, from the C(build) of its services.
  - Services whose profile is off are left out.
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Build what the stack is built from
  portside.stack.image_build:
    stack: hello
    builds: "{{ stacks[0] | portside.stack.stack_builds }}"
"""

RETURN = r"""
_value:
  description: The builds, one for each service that has C(build).
  type: list
  elements: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._builds import stack_builds
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"stack_builds": as_filter(stack_builds)}
