#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_stack
short_description: Bring a Docker Compose stack up, service by service
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Compares what a rendered Compose document says of each service with the containers on the host, and acts with
    C(docker compose) on the services that differ, each by its name, and on nothing else.
  - Starts a service as soon as its dependencies fulfil their conditions, and waits until every service is up and
    healthy. A service that fails ends the task at once, with its last log lines and its last health output.
  - Creates the networks and volumes of the stack. It never alters them, and never deletes a volume.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Tells the plan, also on a host without Docker, where it is to create everything.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  definition:
    description:
      - The document as the filter P(portside.stack.compose_document#filter) renders it, in which each service carries
        its digest as the label C(portside.digest).
      - A service with C(restart) V("no") is a one-shot. It is run until it exits, once per digest; what completed is
        recorded in C(oneshots.json) in O(project_directory), so that its container may be pruned. It runs again when a
        volume is new that it or one of its dependencies mounts, since a new database is empty.
    type: dict
    required: true
  file:
    description:
      - Path of the Compose file with the same content on the host. It is what C(docker compose) is given.
      - Required, and must exist, to act with O(state=present).
    type: path
  project_directory:
    description: Compose's project directory, the same for all releases of the stack.
    type: path
    required: true
  state:
    description:
      - V(pulled) makes sure that everything a later V(present) needs is there, and touches no container, network or
        volume. Compose has to accept the document, no published port of a service that is to be started may be held
        by another process or a foreign container, and images are pulled. All problems are told at once.
      - V(present) has networks, volumes and services be as declared, removes containers of services that are not
        declared any more, and waits until all is well. It pulls nothing.
      - V(absent) removes the stack's containers and networks. Its volumes stay.
    type: str
    choices: [pulled, present, absent]
    default: present
  wait_timeout:
    description: Seconds until every service has to be up.
    type: int
    default: 300
  refresh:
    description:
      - With O(state=pulled), pull all images, not only those that are missing on the host.
      - With O(state=present), also recreate services whose image reference now names another image on the host.
    type: bool
    default: false
notes:
  - On failure the container's last log lines are part of the error. They are what the service itself wrote.
  - While it works, its progress is shown as it goes, one line for each change of a service's state.
  - The processor architecture of an image is not looked at.
seealso:
  - module: portside.stack.engine_info
"""

EXAMPLES = r"""
- name: Have everything on the host before anything is touched
  portside.stack.compose_stack:
    definition: "{{ release.definition }}"
    project_directory: /opt/stacks/selflink
    state: pulled

- name: Bring the stack up and wait until it is healthy
  portside.stack.compose_stack:
    definition: "{{ release.definition }}"
    file: /opt/stacks/selflink/releases/0123456789abcdef/compose.yaml
    project_directory: /opt/stacks/selflink
    wait_timeout: 120
"""

RETURN = r"""
actions:
  description: What was done, or with check mode and O(state=pulled) what would be, dependencies first.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: The service's name; empty for a network.
      type: str
    action:
      description: What was done.
      type: str
      choices: [create, recreate, start, remove, run]
    reason:
      description: Why.
      type: str
  sample:
    - {service: api, action: recreate, reason: "image example/api:1 -> example/api:2"}
timeline:
  description: Every change of a service's state, in order.
  returned: always
  type: list
  elements: dict
  contains:
    at:
      description: Seconds since the first action.
      type: float
    service:
      description: The service's name.
      type: str
    state:
      description: Its new state.
      type: str
  sample:
    - {at: 4.2, service: api, state: healthy}
services:
  description: The services as they are at the end.
  returned: always
  type: dict
  sample:
    api: {state: healthy, health: healthy, containers: ["f6e5d4c3b2a1"]}
pulled:
  description: The images that were pulled, or with check mode would be.
  returned: always
  type: list
  elements: str
progress:
  description: The progress as it was shown.
  returned: when anything was done
  type: list
  elements: str
failure:
  description: What failed.
  returned: when a service failed
  type: dict
  contains:
    service:
      description: The service's name.
      type: str
    reason:
      description: What happened to it.
      type: str
    logs:
      description: Its last log lines.
      type: list
      elements: str
    health:
      description: Exit code and output of its last health probe.
      type: str
"""

import os
import signal
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run, environment
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import ActivationFailed, StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._progress import Progress
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners


def runner(module: AnsibleModule) -> Run:
    """What runs commands: each in a session of its own, so that an interrupt lets it come to its end."""
    clean = environment(os.environ, SOCKET)
    os.environ.clear()
    os.environ.update(clean)

    def run(argv: t.List[str], data: t.Optional[str]) -> t.Tuple[int, str, str]:
        program = module.get_bin_path(argv[0])
        if not program:
            raise StackError(
                "there is no program {0} on the host. Remedy: install Docker with its Compose plugin, "
                "for example with the role portside.stack.docker.".format(argv[0])
            )
        return module.run_command(["setsid", "--wait", program, *argv[1:]], data=data or "", errors="replace")

    return run


def interrupted(number: int, _frame: t.Any) -> None:
    """Signal handler: end what has begun, begin nothing more."""
    raise StackError(
        "interrupted by {0}. What had begun was brought to its end; "
        "the next run takes up from there.".format(signal.Signals(number).name)
    )


def act(module: AnsibleModule, tell: t.Callable[[str], None]) -> t.Dict[str, t.Any]:
    stack = StackOnHost(module.params, module.check_mode, EngineClient(), runner(module), time, listeners, tell)
    if not stack.reachable and module.get_bin_path("docker"):
        module.warn(
            "stack {0}: the Docker engine on this host does not answer, so what runs and is stored here is not known: "
            "the plan reads as if there were nothing.".format(stack.stack)
        )
    return getattr(stack, module.params["state"])()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "definition": {"type": "dict", "required": True},
            "file": {"type": "path"},
            "project_directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["pulled", "present", "absent"], "default": "present"},
            "wait_timeout": {"type": "int", "default": 300},
            "refresh": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ["file"])],
        supports_check_mode=True,
    )
    lines: t.List[str] = []
    try:
        if module.check_mode:
            result = act(module, lines.append)
        else:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, interrupted)
            progress = Progress(str(module.params["definition"].get("name")))
            lines = progress.lines
            try:
                result = act(module, progress.tell)
            finally:
                progress.close()
    except ActivationFailed as error:
        module.fail_json(msg=str(error), progress=lines, **error.details)
    except StackError as error:
        module.fail_json(msg=str(error), progress=lines)
    except OSError as error:
        module.fail_json(
            msg="stack {0}: {1}: {2}. Remedy: mend that on the host, then run again.".format(
                module.params["definition"].get("name"), error.filename or "a file of the stack", error.strerror
            ),
            progress=lines,
        )
    if lines:
        result["progress"] = lines
    module.exit_json(**result)


if __name__ == "__main__":
    main()
