# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter exported_releases."""

from __future__ import annotations

DOCUMENTATION = r"""
name: exported_releases
short_description: The current releases, to be promoted elsewhere
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns what another host needs to run the very images that run here.
options:
  _input:
    description: The results of M(portside.stack.release_info), one for each stack.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep what runs here
  ansible.builtin.copy:
    content: "{{ [release_info] | portside.stack.exported_releases | to_nice_json }}"
    dest: staging.json
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The release, the declaration's digest and the images of each stack.
  type: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._promotion import exported_releases


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"exported_releases": as_filter(exported_releases)}
