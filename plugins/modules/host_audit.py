#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_audit
short_description: Containers and routes of a host, as an audit needs them
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Reads what the engine says of all containers, their health, limits, images, and what they may do to the host. Of secrets that
    C(docker inspect) shows there are only the names.
  - Reads the configuration of nginx and cloudflared, on the host and in containers. Of nginx's there are the servers' names, addresses
    and locations, of cloudflared's the rules.
  - Reads only, asks the engine nothing but C(GET), and runs nothing in containers. Without Docker it tells the rest.
  - What is wrong with any of it is judged by the filter P(portside.stack.audit_report#filter).
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: N/A
    description: Only reads.
  idempotent:
    support: full
    description: Only reads.
seealso:
  - module: portside.stack.port_exposure_info
  - plugin: portside.stack.audit_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read a host
  portside.stack.host_audit:
  become: true
  register: audit

- name: Show the containers that may take over the host
  ansible.builtin.debug:
    msg: "{{ audit.containers | selectattr('privileged') | map(attribute='name') }}"
"""

RETURN = r"""
containers:
  description: All containers, stopped ones too.
  returned: always
  type: list
  elements: dict
  sample:
    - name: shop-db-1
      id: 4f5b7cdd2f0c
      stack: shop
      service: db
      image: postgres:16
      tag: tag
      running: true
      status: running
      restarting: false
      restarts: 0
      health: healthy
      failing: 0
      out_of_memory: false
      memory: 536870912
      privileged: false
      host_pids: false
      capabilities: []
      sockets: []
      secrets:
        - where: environment
          name: POSTGRES_PASSWORD
nginx:
  description:
    - The configurations that nginx runs with, and the host's where none runs. RV(ignore:container) is empty for the host's own.
    - The locations are as the filter P(portside.stack.nginx_problems#filter) takes them.
  returned: always
  type: list
  elements: dict
  sample:
    - container: web
      path: /etc/nginx/nginx.conf
      running: true
      servers:
        - names: [example.com]
          listens: ["80"]
          merge_slashes: true
          file: /etc/nginx/conf.d/default.conf
          line: 1
          locations:
            - pattern: /
cloudflared:
  description:
    - cloudflared's configurations. RV(ignore:ingress) is the text of their rules, without logins in it.
    - With RV(ignore:elsewhere) it is a tunnel whose rules are not on the host.
  returned: always
  type: list
  elements: dict
  sample:
    - container: ""
      path: /etc/cloudflared/config.yml
      running: true
      ingress: "ingress:\n  - service: http_status:404\n"
unseen:
  description: What could not be read, in sentences.
  returned: always
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._audit_facts import World, read_audit
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        found = read_audit(World(EngineClient(timeout=20), FileSystem(), os.geteuid() == 0))
    except (StackError, OSError) as error:
        module.fail_json(msg="the host could not be read: {0}".format(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
