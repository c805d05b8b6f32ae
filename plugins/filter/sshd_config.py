# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a drop-in of sshd_config."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sshd_config
short_description: The text of a drop-in of sshd_config
version_added: 1.0.0
description:
  - Renders options of sshd, sorted by keyword.
positional: _input
options:
  _input:
    description: Keywords of C(sshd_config) and their values. A list becomes one line, a boolean C(yes) or C(no).
    type: dict
    required: true
author:
  - the portside.stack contributors (@portside)
"""

EXAMPLES = r"""
# PasswordAuthentication no
- ansible.builtin.debug:
    msg: "{{ {'PasswordAuthentication': false} | portside.stack.sshd_config }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._sshd import sshd_config


class FilterModule:
    def filters(self):
        return {"sshd_config": sshd_config}
