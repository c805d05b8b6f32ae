# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter nginx_location."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_location
short_description: Which location of an nginx server answers a request
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Says which location nginx takes for a request target, exactly as it does it, for locations that people already have.
  - The target is decoded once, C(.) and C(..) are resolved, slashes merged. Then an exact location wins, then the longest prefix if it has
    C(^~), then the first regular expression that matches, then the longest prefix.
  - Regular expressions are those of PCRE2, on bytes. Recursion, conditions, verbs, Unicode and whatever else is not understood or
    differs between releases of PCRE2 fails the filter where it would decide.
  - Only the choice for the request itself is told. What C(try_files), C(rewrite) or C(error_page) make of it afterwards is not.
positional: request_target
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
  request_target:
    description: What stands between method and version in the request line, undecoded, such as C(/api/v1?x=1).
    type: str
    required: true
  merge_slashes:
    description: What C(merge_slashes) is set to for the server.
    type: bool
    default: true
seealso:
  - plugin: portside.stack.nginx_problems
    plugin_type: filter
  - plugin: portside.stack.cloudflared_match
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The stream goes where it belongs
  ansible.builtin.assert:
    that: locations | portside.stack.nginx_location('/api/v1/mentor/stream') == 1
  vars:
    locations:
      - {pattern: /}
      - {modifier: ^~, pattern: /api/v1/mentor/stream}
      - {modifier: "~", pattern: ^/api/}
"""

RETURN = r"""
_value:
  description:
    - The position of the location that answers, from 0. For a nested one the list of the positions, from the outermost.
    - Null where nginx answers by itself. That is 404 where no location matches, 400 for a broken target, and 301 to a path with
      a slash at its end where C(passes) is set.
  type: raw
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location import nginx_location


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"nginx_location": as_filter(nginx_location)}
