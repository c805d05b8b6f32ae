# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudflared_match."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cloudflared_match
short_description: Which of cloudflared's ingress rules answers a request
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Says which rule C(cloudflared) takes for a host and a path, exactly as it does it, for rules that people already have.
  - The first rule answers whose hostname and path both match. A hostname is a text, C(*.x) any number of labels before C(.x), C(*) any.
    Letters are compared as they are, but a name in upper case or with letters beyond ASCII also takes its form in ASCII.
  - A path is a regular expression of Go that may match anywhere in the decoded path.
  - Where no rule matches, which C(cloudflared tunnel ingress validate) does not allow, the last one answers.
  - The rules are not validated. Use P(portside.stack.cloudflared_problems#filter) for that.
  - Classes of Unicode such as C(\pL) need the Python package C(google-re2), and so does ignoring the case of letters beyond ASCII.
    Without it such an expression fails the filter where it would decide.
positional: host, path
options:
  _input:
    description:
      - The list that stands under C(ingress) in cloudflared's configuration, as it is.
      - Its entries have C(service), and may have C(hostname), C(path) and C(originRequest).
    type: list
    elements: dict
    required: true
  host:
    description: The C(Host) header of the request. A port in it is cut.
    type: str
    required: true
  path:
    description:
      - The path as it stands in the URL. It is decoded once. Query and fragment are cut. What is no valid escape is taken literally.
    type: str
    required: true
seealso:
  - plugin: portside.stack.cloudflared_problems
    plugin_type: filter
  - plugin: portside.stack.nginx_location
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the configuration of the tunnel
  ansible.builtin.set_fact:
    ingress: "{{ (lookup('ansible.builtin.file', 'config.yml') | from_yaml).ingress }}"

- name: The stream goes where it belongs
  ansible.builtin.assert:
    that: ingress | portside.stack.cloudflared_match('example.com', '/api/v1/mentor/stream') == 1
"""

RETURN = r"""
_value:
  description: The position of the rule that answers, from 0.
  type: int
"""

from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_rules import cloudflared_match
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"cloudflared_match": as_filter(cloudflared_match)}
