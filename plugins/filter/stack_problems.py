# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter stack_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_problems
short_description: Everything wrong with declared stacks
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Judges all stacks of a host at once, also against each other.
  - Each problem names stack, service, key and value, says why it cannot work, and what to do.
positional: secret_names, rotate
options:
  _input:
    description: The whole list C(stacks).
    type: list
    elements: dict
    required: true
  secret_names:
    description:
      - The names of the secrets that have a value, by stack.
      - Without it, missing values are not looked for.
    type: dict
  rotate:
    description:
      - The secrets that are to be made anew, as for the filter P(portside.stack.rotated_secrets#filter), which are judged too.
    type: raw
    default: ""
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  ansible.builtin.assert:
    that: stacks | portside.stack.stack_problems | length == 0
"""

RETURN = r"""
_value:
  description: The problems, none when all is well.
  type: list
  elements: str
"""

from datetime import datetime, timezone

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems


def _problems(stacks, secret_names=None, rotate=""):
    return stack_problems(stacks, secret_names, rotate, datetime.now(timezone.utc))


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"stack_problems": as_filter(_problems)}
