# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter route_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
name: route_problems
short_description: Routes that nothing reaches, that nginx and cloudflared would answer differently, or that cannot work
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Judges a list of routes, of which the first match wins. The verdicts are exact, also for regexes, and come with an example where there is one.
  - Finds entries that are not well-formed, routes whose requests all go to others above them, routes that nginx cannot be told
    to answer in the order of the list, and regexes that share a part of their paths with other routes.
  - Of a whole stack it also finds routes whose service is not declared, does not run, or is on no network with the edge, and
    ports of the host in the place of the container's. What certificates lack is told by P(portside.stack.stack_problems#filter).
  - What it cannot decide within its bounds it says, as an error.
positional: hosts, stacks
options:
  _input:
    description: A list of routes, or a stack with its C(routes) and its C(edge).
    type: raw
    required: true
  hosts:
    description: The names that the edge answers to besides those in the routes. A stack has them in C(edge.hosts).
    type: list
    elements: str
    default: []
  stacks:
    description:
      - All stacks of the host, to judge routes to services of other stacks than the given one.
      - Without it, those are not judged.
    type: list
    elements: dict
    default: []
seealso:
  - plugin: portside.stack.nginx_config
    plugin_type: filter
  - plugin: portside.stack.cloudflared_ingress
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse an order that misroutes
  ansible.builtin.assert:
    that: routes | portside.stack.route_problems | selectattr('level', 'eq', 'error') | length == 0
  vars:
    routes:
      - {prefix: /api, service: api, port: 8000}
      - {prefix: /api/v1/mentor/stream, service: asgi, port: 8001, stream: sse}  # dead: /api takes it
"""

RETURN = r"""
_value:
  description: The problems, none when all is well.
  type: list
  elements: dict
  contains:
    routes:
      description: The positions of the routes from 0, the route itself first, then those that it has to do with.
      type: list
      elements: int
    kind:
      description: What sort of problem it is.
      type: str
      choices: [invalid, unknown, dead, ambiguous, undecided, overlap, normalised]
    level:
      description: Whether the routes are refused for it.
      type: str
      choices: [error, warning]
    message:
      description: Which route, why, and what to do.
      type: str
    example:
      description: A request for which it is so, the host if it is a certain one and the target, or empty.
      type: str
      sample: /api/v1/mentor/stream
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import route_problems


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"route_problems": as_filter(route_problems)}
