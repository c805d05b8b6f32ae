# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter promoted_images."""

from __future__ import annotations

DOCUMENTATION = r"""
name: promoted_images
short_description: The images that a release runs elsewhere
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Takes what P(portside.stack.exported_releases#filter) made, and returns the image of each reference of a stack, so
    that production runs the very images that staging ran.
  - Refuses an export that lacks an image of the stack. Without an export it returns nothing.
positional: stack
options:
  _input:
    description: The export, or nothing.
    type: raw
    required: true
  stack:
    description: One entry of C(stacks).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Judge and pull what staging runs
  portside.stack.compose_stack:
    state: pulled
    definition: "{{ stacks[0] | portside.stack.compose_document }}"
    project_directory: /opt/stacks/hello
    images: "{{ lookup('ansible.builtin.file', 'staging.json') | from_json | portside.stack.promoted_images(stacks[0]) }}"
"""

RETURN = r"""
_value:
  description: The image of each reference, pinned.
  type: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._promotion import promoted_images


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"promoted_images": as_filter(promoted_images)}
