# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter nginx_config."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_config
short_description: The whole nginx.conf of a stack's edge
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the configuration by which nginx answers exactly as the stack's C(routes) say, the first that matches first.
  - Paths that nginx, cloudflared and services do not read alike are answered with 400, in every server and before anything
    else. These are paths with an empty segment, with C(.) or C(..) as a segment, with an encoded slash, dot or control
    character, with a broken escape, or with a C(#). The query is left alone.
  - Hosts that neither C(routes) nor C(edge.hosts) name get no answer, with TLS not even a certificate.
  - The edge itself answers C(edge.health), challenges for certificates below C(/.well-known/acme-challenge/), and the path
    by which a deployment sees that this very configuration is in use, below C(/.well-known/portside/).
  - Names of services are looked up again while nginx runs, so that containers may come and go.
  - What the client says of itself in C(X-Forwarded-*) is replaced, unless C(edge.real_ip) or a tunnel says whom to believe.
  - Security headers are added to every answer, but where the service sends the same header by itself, which then stands.
  - Requests with a body of more than 10 MB, where a route takes such, are handed to the service as they come in.
  - A stack of which P(portside.stack.stack_problems#filter) reports problems is not judged again.
positional: facts, challenge
options:
  _input:
    description: One entry of C(stacks), with an edge of the kind C(nginx).
    type: dict
    required: true
  facts:
    description:
      - The versions of C(nginx) and C(openssl) in the edge's image.
      - From nginx 1.25.1 on HTTP/2 is a directive of its own, and from OpenSSL 3.5 on there are hybrid key exchanges.
      - Without them it is for nginx 1.26.0 and OpenSSL 3.0.0.
    type: dict
  challenge:
    description:
      - Whether to return the configuration of an edge that has no certificate yet instead.
      - It listens without TLS, answers challenges, C(edge.health) and the deployment, and tells all others to come back.
    type: bool
    default: false
notes:
  - The configuration expects its directory at C(/etc/portside), with C(certificates/) and C(acme/) in it.
  - With C(strip_prefix) nginx hands on the path that it has decoded, encoded anew. Characters that need no escape, such as
    C(%3B) for a semicolon, lose theirs.
  - A route's C(rate_limit) is for each address of a client, on all hosts together.
seealso:
  - plugin: portside.stack.route_problems
    plugin_type: filter
  - plugin: portside.stack.cloudflared_ingress
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what the edge will read
  ansible.builtin.debug:
    msg: "{{ stacks[0] | portside.stack.nginx_config(facts={'nginx': '1.28.0', 'openssl': '3.5.1'}) }}"
"""

RETURN = r"""
_value:
  description: The text of C(nginx.conf).
  type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import nginx_config


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"nginx_config": as_filter(nginx_config)}
