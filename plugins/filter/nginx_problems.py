# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter nginx_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_problems
short_description: What is wrong with the locations of an nginx server
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Judges locations that people already have. C(nginx -t) finds what is invalid, but neither locations that never answer nor stars that
    are ordinary characters.
  - That a location is dead is proved, never guessed. Where that cannot be done the location is told as suspicious.
  - A prefix such as C(/api) that also takes C(/apiary) is not told, nor that C($) allows a line end behind it. Both are too common.
    A location that nothing but paths with a line end comes to is told as suspicious.
options:
  _input:
    description:
      - The locations of one server, in the order of the file.
      - Each has C(pattern), and may have C(modifier) (C(=), C(^~), C(~), C(~*), or empty for a plain prefix).
        Both are what they are to nginx, after its quotes and backslashes are taken off. A modifier may also stand at the
        beginning of the pattern, as in nginx.
      - C(locations) in an entry are the locations nested in it.
      - C(passes=true) says of a location whose pattern ends in a slash that it hands requests on (C(proxy_pass), C(fastcgi_pass)
        and the like). nginx redirects the path without the slash to it. Without this key it is taken not to.
    type: list
    elements: dict
    required: true
  merge_slashes:
    description: What C(merge_slashes) is set to for the server.
    type: bool
    default: true
seealso:
  - plugin: portside.stack.nginx_location
    plugin_type: filter
  - plugin: portside.stack.cloudflared_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse locations that do not do what they say
  ansible.builtin.assert:
    that: locations | portside.stack.nginx_problems | length == 0
  vars:
    locations:
      - {pattern: /}
      - {modifier: "~", pattern: ^/api(/|$)}
"""

RETURN = r"""
_value:
  description: The problems in the order of the locations, none when all is well.
  type: list
  elements: dict
  contains:
    rule:
      description:
        - The position of the location, from 0. Null where the problem is the list's.
        - For a nested location the list of the positions, from the outermost.
      type: raw
    kind:
      description:
        - V(invalid), nginx refuses it.
        - V(dead), no request ever comes to it.
        - V(suspicious), it is accepted though it can hardly be meant, or something about it cannot be decided.
      type: str
    message:
      description: What is wrong, why, and what to do.
      type: str
    example:
      description: A request target that shows it. Empty where there is none.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_problems import nginx_problems


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"nginx_problems": as_filter(nginx_problems)}
