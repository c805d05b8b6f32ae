# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudflared_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cloudflared_problems
short_description: What is wrong with cloudflared's ingress rules
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Judges rules that people already have. C(cloudflared tunnel ingress validate) finds what is invalid, but neither rules that
    never answer nor globs that are regular expressions.
  - That a rule is dead is proved, never guessed. Where that cannot be done the rule is told as suspicious.
  - Hosts of requests are taken to be in lower case, and their paths to begin with a slash.
options:
  _input:
    description:
      - The list that stands under C(ingress) in cloudflared's configuration, as it is.
      - Its entries have C(service), and may have C(hostname), C(path) and C(originRequest).
    type: list
    elements: dict
    required: true
seealso:
  - plugin: portside.stack.cloudflared_match
    plugin_type: filter
  - plugin: portside.stack.nginx_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse rules that do not do what they say
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | map(attribute='message') | join('\n') }}"
  vars:
    problems: "{{ (lookup('ansible.builtin.file', 'config.yml') | from_yaml).ingress | portside.stack.cloudflared_problems }}"
"""

RETURN = r"""
_value:
  description: The problems in the order of the rules, none when all is well.
  type: list
  elements: dict
  contains:
    rule:
      description:
        - The position of the rule, from 0. Null where the problem is the list's.
      type: raw
    kind:
      description:
        - V(invalid), cloudflared refuses it.
        - V(dead), no request ever comes to it.
        - V(suspicious), it is accepted though it can hardly be meant, or something about it cannot be decided.
      type: str
    message:
      description: What is wrong, why, and what to do.
      type: str
    example:
      description: A host and path that shows it, such as C(example.com/apple). Empty where there is none.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_problems import cloudflared_problems
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"cloudflared_problems": as_filter(cloudflared_problems)}
