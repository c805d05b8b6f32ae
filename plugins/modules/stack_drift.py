#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_drift
short_description: In what a host differs from the current releases of its stacks
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Compares what is on a host with the current release of each stack, and names every difference, with its remedy. The files of the release
    and of its secrets, the containers with their images, limits, networks and ports, networks and volumes, the routes that
    the edge has and serves, the units that bring a stack up after a boot, and the firewall.
  - Reads only. Secrets are judged by digests that were noted when the release was verified, and are never shown.
  - Whether the declaration has changed since the last deploy is another question, which C(site.yml --check) answers.
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
options:
  stack_root:
    description: The directory of the host's stacks.
    type: path
    default: /opt/stacks
  stacks:
    description: The stacks to look at. Empty for all that have a current release on the host.
    type: list
    elements: str
    default: []
seealso:
  - module: portside.stack.stack_verdict
  - module: portside.stack.port_exposure_info
"""

EXAMPLES = r"""
- name: See what somebody has changed by hand
  portside.stack.stack_drift:
  become: true
  register: drift

- name: Show it
  ansible.builtin.debug:
    msg: "{{ drift.text.splitlines() }}"
"""

RETURN = r"""
differences:
  description: Every difference. None is left out because of another one.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: The stack; empty where it is the host's.
      type: str
    service:
      description: The service; empty where it is no single one's.
      type: str
    kind:
      description: What differs. V(stopped) is a service that does not run, or not well; V(extra) a container that no release has.
      type: str
      choices: [file, secret, container, image, limit, stopped, extra, network, volume, route, firewall]
    what:
      description: The difference, in words.
      type: str
    declared:
      description: What it is to be, in words.
      type: str
    found:
      description: What it is, in words.
      type: str
    remedy:
      description: What to do.
      type: str
    broken:
      description: Whether users are affected. What is not broken serves, but differs.
      type: bool
  sample:
    - stack: shop
      service: api
      kind: limit
      what: memory limit is 1 GiB instead of 512 MiB
      declared: 512 MiB
      found: 1 GiB
      remedy: run site.yml
      broken: false
stacks:
  description: The stacks that were looked at.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The stack's name.
      type: str
    release:
      description: Its current release; empty where it has none.
      type: str
    checks:
      description: How many checks that release has.
      type: int
    under_way:
      description: The purpose and the name of who works on it at this moment, so that it may differ for now; empty where nobody does.
      type: str
text:
  description: All of it for people.
  returned: success
  type: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._drift_look import Host, host_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_text import text_of
from ansible_collections.portside.stack.plugins.module_utils._edge_server import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack_root": {"type": "path", "default": "/opt/stacks"},
            "stacks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run = detached(module, os.environ, SOCKET)
    host = Host(FileSystem(), EngineClient(timeout=20), run, time, HostNetwork(), module.params["stack_root"])
    try:
        stacks, found = host_drift(host, module.params["stacks"])
    except StackError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg="{0}: {1}. Remedy: run the task with become: true, or mend that on the host.".format(error.filename, error.strerror)
        )
    module.exit_json(
        changed=False,
        differences=[one._asdict() for one in found],
        stacks=[one._asdict() for one in stacks],
        text=text_of(stacks, found),
    )


if __name__ == "__main__":
    main()
