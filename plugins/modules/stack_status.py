#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_status
short_description: Tell how the stacks of a host are
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Reads, in one go for all stacks of a host, which release is current, how its services are, what they use and who reaches
    them, what happened last, when the certificates of the edge end, what is left over, and what can be rolled back to.
  - CPU and memory are read from the cgroups of the containers, twice within half a second.
  - The filter P(portside.stack.status_report#filter) makes of it what people read.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing.
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
options:
  stack_root:
    description:
      - Where stacks live on the host.
    type: path
    default: /opt/stacks
  stacks:
    description:
      - The stacks. Empty for all that have a release on the host.
    type: list
    elements: str
    default: []
seealso:
  - module: portside.stack.release_info
  - module: portside.stack.port_exposure_info
  - plugin: portside.stack.status_report
    plugin_type: filter
  - plugin: portside.stack.status_query
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See how they are
  portside.stack.stack_status:
  register: status

- name: Name the services that are not well
  ansible.builtin.debug:
    msg: "{{ status | portside.stack.status_query(\"stacks[].services[?health=='unhealthy'].name[]\") }}"
"""

RETURN = r"""
host:
  description: What the host calls itself.
  returned: success
  type: str
time:
  description: When it looked.
  returned: success
  type: str
  sample: "2026-11-21T11:32:34Z"
unseen:
  description: Sentences on what of the host could not be seen.
  returned: success
  type: list
  elements: str
stacks:
  description: The stacks, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The stack.
      type: str
    release:
      description: The current release; empty before the first one.
      type: str
    since:
      description: Since when it is current.
      type: str
    by:
      description: Who made it so, and from where.
      type: str
    at_work:
      description: Who has the lock now, with C(purpose), C(who), C(since) and C(after_stage); none if nobody.
      type: dict
    services:
      description: Each service of the release.
      type: list
      elements: dict
      contains:
        name:
          description: The service.
          type: str
        state:
          description: >-
            The engine's word, of several containers the worst one's; V(missing) without any, V(off) where none is wanted,
            V(unknown) where no engine answers.
          type: str
        health:
          description: V(healthy), V(unhealthy), V(starting), V(none) without a health check, V(unknown) where no engine answers.
          type: str
        containers:
          description: How many it has.
          type: int
        running:
          description: How many of them run.
          type: int
        wanted:
          description: How many there should be.
          type: int
        exit_code:
          description: With what it ended, of one that does not run.
          type: int
        since:
          description: When it was started.
          type: str
        restarts:
          description: How often the engine started it again.
          type: int
        image:
          description: The image, as it is declared.
          type: str
        digest:
          description: The digest of the image that runs.
          type: str
        cpu_percent:
          description: What it uses, V(100) being one CPU; none where that cannot be told.
          type: float
        cpu_limit:
          description: How many CPUs it may use; none without a limit.
          type: float
        memory:
          description: The bytes it uses, as C(docker stats) counts them.
          type: int
        memory_limit:
          description: The bytes it may use; none without a limit.
          type: int
        exposure:
          description: Whom its own ports reach, V(public), V(loopback) or V(internal).
          type: str
        reach:
          description: The same, with the routes of the edges counted in.
          type: str
        via:
          description: By which edge, where that is more.
          type: str
        published:
          description: Where on the host.
          type: list
          elements: str
          sample: ["127.0.0.1:8000 -> 8000/tcp"]
        routes:
          description: The routes that lead to it.
          type: list
          elements: str
        tunnel_to:
          description: Where the host reaches it, unless it is public, each with C(address) and C(port).
          type: list
          elements: dict
    history:
      description: The last 20 events, the oldest first, with the first line of an error.
      type: list
      elements: dict
    certificates:
      description: Those of the edge, each with C(file), C(hosts), C(expires) and C(days).
      type: list
      elements: dict
    orphans:
      description: The C(containers) and C(volumes) of the stack that its current release does not mention.
      type: dict
    can_roll_back_to:
      description: As M(portside.stack.release_info) tells it, with C(changes).
      type: list
      elements: dict
    visible:
      description: The variables of each service that are secrets, and that C(docker inspect) shows since it was chosen so.
      type: dict
    start:
      description: How the services were started last; none where that was not recorded.
      type: dict
    healing:
      description: What self-healing did, by service.
      type: dict
    unseen:
      description: Sentences on what of it could not be seen.
      type: list
      elements: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._lease import utc
from ansible_collections.portside.stack.plugins.module_utils._status_facts import World, look


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack_root": {"type": "path", "default": "/opt/stacks"},
            "stacks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run = detached(module, os.environ, SOCKET)
    world = World(EngineClient(timeout=20), run, FileSystem(), time, module.params["stack_root"])
    try:
        stacks, unseen = look(world, module.params["stacks"])
    except StackError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg="{0}: {1}. Remedy: run the task with become: true, or mend that on the host.".format(error.filename, error.strerror)
        )
    module.exit_json(changed=False, host=os.uname().nodename, time=utc(time.time()), stacks=stacks, unseen=unseen)


if __name__ == "__main__":
    main()
