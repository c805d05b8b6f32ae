# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudflared_ingress."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cloudflared_ingress
short_description: The configuration of cloudflared for a stack's routes
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the rules by which cloudflared answers exactly as the stack's C(routes) say, the first that matches first.
  - The first rule answers 400 for paths that programs do not read alike, as far as cloudflared sees them. It is given the
    path decoded and without a fragment, so that an encoded slash is a slash to it, and an encoded dot within a name a dot.
    These paths, and those with a C(#), are answered as what it sees. P(portside.stack.nginx_config#filter) refuses them.
  - Paths are anchored regexes, prefixes go by segment, and the last rule takes what is left.
  - For a tunnel in front of an nginx edge everything else goes to that edge, which has the routes.
  - Streams need no settings of their own. Options that would break them stay off.
  - A stack of which P(portside.stack.stack_problems#filter) reports problems is not judged again.
options:
  _input:
    description: One entry of C(stacks), with an edge of the kind C(cloudflared), or with a C(tunnel) in front of its nginx.
    type: dict
    required: true
notes:
  - The credentials are expected at C(/run/secrets/tunnel.json).
  - cloudflared compares hosts as the request has them. Cloudflare hands them over in lower case.
seealso:
  - plugin: portside.stack.route_problems
    plugin_type: filter
  - plugin: portside.stack.nginx_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what the tunnel will read
  ansible.builtin.debug:
    msg: "{{ stacks[0] | portside.stack.cloudflared_ingress }}"
"""

RETURN = r"""
_value:
  description: What C(config.yml) holds.
  type: dict
  sample:
    tunnel: 6ff42ae2-765d-4adf-8112-31c55c1551ef
    credentials-file: /run/secrets/tunnel.json
    originRequest: {connectTimeout: 10s}
    ingress:
      - {path: '^.*(?://|/\.\.?(?:/|\z)|[\x00-\x1f\x7f])', service: 'http_status:400'}
      - {hostname: example.com, path: '^/ws(?:/|\z)', service: 'http://realtime:8001'}
      - {service: 'http_status:404'}
"""

from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import cloudflared_ingress
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"cloudflared_ingress": as_filter(cloudflared_ingress)}
