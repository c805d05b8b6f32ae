# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why options of sshd would lock the operator out."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sshd_lockouts
short_description: Why options of sshd would lock the operator out
version_added: 1.0.0
description:
  - Compares options of sshd with the way the operator is connected now.
  - An empty answer is no proof, since Match blocks, groups and addresses are not looked at. Only a fresh connection is.
positional: _input
options:
  _input:
    description: Keywords of C(sshd_config) and their values. A list becomes one line, a boolean C(yes) or C(no).
    type: dict
    required: true
  operator:
    description: The C(user), whether the connection is made by C(password), and how many C(keys) let this user in.
    type: dict
    required: true
author:
  - the portside.stack contributors (@portside)
"""

EXAMPLES = r"""
# ["PermitRootLogin no: this connection is root's. Remedy: ..."]
- ansible.builtin.debug:
    msg: "{{ {'PermitRootLogin': false} | portside.stack.sshd_lockouts({'user': 'root', 'password': false, 'keys': 1}) }}"
"""

RETURN = r"""
_value:
  description: The reasons, each with its remedy; empty when there is none.
  elements: str
  type: list
"""

from ansible_collections.portside.stack.plugins.plugin_utils._sshd import sshd_lockouts


class FilterModule:
    def filters(self):
        return {"sshd_lockouts": sshd_lockouts}
