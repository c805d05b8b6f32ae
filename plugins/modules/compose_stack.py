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
  - Creates the networks and volumes of the stack. It never alters them, and never deletes a volume. Volumes carry the
    labels C(portside.stack) and C(portside.service), the services that mounted them when they were made.
  - Sets the owner and mode of volumes that have C(uid), C(gid) or C(mode), of their root directory alone, and of the
    stack's directories on the host, which it makes where they are missing.
  - An nginx that is the stack's edge is reloaded after all services are up. It has to come to serve its files, or the old ones are back.
  - An activation may bring the previous release back when it fails (O(restore)), whether or not anybody still watches.
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
        its digest as the label C(portside.digest). Either this or O(release) is required.
      - A service with C(restart) V("no") is a one-shot. It is run until it exits, once per digest; what completed is
        recorded in C(oneshots.json) in O(project_directory), so that its container may be pruned and a rollback does
        not run it again. It runs again when a volume is new that it or one of its dependencies mounts, since a new
        database is empty.
      - With O(state=pulled), the images in it are not pinned yet.
    type: dict
  file:
    description:
      - Path of the Compose file with the same content on the host. It is what C(docker compose) is given.
      - Required with O(state=present) unless O(release) is given, and must exist to act.
    type: path
  release:
    description:
      - ID of a release in C(releases) in O(project_directory). Its record says what O(definition) and O(file) are.
      - In check mode O(definition) may be given as well, and counts when there is no such release yet.
    type: str
  project_directory:
    description: Compose's project directory, the same for all releases of the stack.
    type: path
    required: true
  state:
    description:
      - V(pulled) makes sure that everything a later V(present) needs is there, and touches no container, network or
        volume. Compose has to accept the document, no published port may be held by another process or a foreign
        container, and images are pulled and pinned, and have to be made for this host. What services mount of the host
        has to be there or among the stack's directories. Without O(release), a volume that would take the place of the
        one that its service has now, under another name and empty, is refused. All problems are told at once.
      - V(present) has networks, volumes and services be as declared, removes containers of services that are not
        declared any more, and waits until all is well. It pulls nothing.
      - V(absent) removes the stack's containers and networks, and the files of its edge with their keys. Its volumes stay.
    type: str
    choices: [pulled, present, absent]
    default: present
  restore:
    description:
      - With O(state=present) and O(release), when the activation fails or is interrupted once it has begun, activate
        the release again that C(current) in O(project_directory) names, with O(wait_timeout) once more. Where there is
        none, since it is the first, have nothing of it run. The task fails in any case.
    type: bool
    default: false
  wait_timeout:
    description: Seconds until every service has to be up. An engine that is restarted meanwhile is waited for.
    type: int
    default: 300
  pull_timeout:
    description: Seconds after which pulling an image has failed.
    type: int
    default: 900
  images:
    description:
      - With O(state=pulled), the pins to use as they are, by image reference, as for images that were built, or of a
        release that is promoted from another host.
    type: dict
    default: {}
  refresh:
    description:
      - With O(state=pulled), ask the registry what each tag means now. Otherwise a reference keeps the pin that it has
        in the current release.
    type: bool
    default: false
  awaited:
    description:
      - With O(state=pulled), external networks and volumes that need not be there yet, as another stack of the same run
        makes them. Others that are not on the host are refused.
    type: list
    elements: str
    default: []
  reserved:
    description:
      - With O(state=pulled), what the stacks of this run reserve, as the filter P(portside.stack.reserved_resources#filter) tells.
        The current releases of other stacks on the host count as well.
      - More memory than the host has is refused. More CPUs than it has are warned of, as is a memory limit above all it has.
    type: dict
    default: {}
  memory_headroom:
    description: With O(state=pulled), how much of the host's memory no service may reserve.
    type: str
    default: 512M
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, the task is refused while a run has the lock.
    type: str
    default: ""
notes:
  - On failure the container's last log lines are part of the error, without the values of the stack's secrets.
  - While it works, its progress is shown as it goes, one line for each change of a service's state.
  - A signal ends an activation as a failure does, once what it has begun is at its end. While the previous release is
    brought back, signals are not heeded.
seealso:
  - module: portside.stack.deploy_lock
  - module: portside.stack.engine_info
"""

EXAMPLES = r"""
- name: Have everything on the host before anything is touched
  portside.stack.compose_stack:
    definition: "{{ stack | portside.stack.compose_document }}"
    project_directory: /opt/stacks/selflink
    state: pulled
  register: preflight  # preflight.images are the pins for the release

- name: Bring a release up and wait until it is healthy, or go back to the one before
  portside.stack.compose_stack:
    release: 0123456789abcdef
    project_directory: /opt/stacks/selflink
    wait_timeout: 120
    restore: true
"""

RETURN = r"""
actions:
  description:
    - What was done, or in check mode would be, dependencies first. Empty with O(state=pulled).
    - Each has a C(service), empty for a network, a C(reason) and an C(action), which is create, recreate, start, remove, run or reload.
  returned: always
  type: list
  elements: dict
  sample: [{service: api, action: recreate, reason: "image example/api:1 -> example/api:2"}]
timeline:
  description: Every change of a service's state, in order, with the seconds since the first action.
  returned: always
  type: list
  elements: dict
  sample: [{at: 4.2, service: api, state: healthy}]
start:
  description: When each service was begun and up, and for whom it waited; null where none was started. Kept as C(state/start.json) of the release.
  returned: always
  type: dict
  sample: {recorded: "2026-11-22T01:00:00Z", seconds: 9.2, services: [{service: db, action: create, reason: has no container, begun: 0.1, up: 4.2,
    state: healthy, waited_for: []}]}
start_chart:
  description: The same as a chart, a line for each service. Empty where none was started.
  returned: always
  type: list
  elements: str
services:
  description: The services as they are at the end.
  returned: always
  type: dict
  sample: {api: {state: healthy, health: healthy, containers: ["f6e5d4c3b2a1"]}}
pulled:
  description: The images that were pulled, or with check mode would be.
  returned: always
  type: list
  elements: str
images:
  description: The pin of each image reference. In check mode, one that only the registry could tell is left out.
  returned: with O(state=pulled)
  type: dict
  sample: {"nginx:1.26": "nginx:1.26@sha256:0123…"}
image_facts:
  description: What the image of each service with C(secret_environment) runs, and as whom; of an edge the versions of its nginx.
  returned: with O(state=pulled)
  type: dict
orphaned_volumes:
  description: Volumes that were made for the stack and that it does not mention any more. They stay.
  returned: with O(state=pulled)
  type: list
  elements: str
current:
  description: ID of the current release, empty before the first.
  returned: with O(state=pulled)
  type: str
release:
  description: ID of the release that was activated.
  returned: when O(release) is given
  type: str
restored:
  description:
    - After a failure, ID of the release that was activated again, empty when nothing of the stack runs any more.
    - Null when the stack was left as the failure left it.
  returned: with O(state=present), on failure
  type: str
progress:
  description: The progress as it was shown.
  returned: when anything was done
  type: list
  elements: str
failure:
  description: What failed, with the service's last log lines and the exit code and output of its last health probe.
  returned: when a service failed
  type: dict
  sample: {service: api, reason: "stopped: exited with code 1", logs: [no such table], health: ""}
"""

import os
import signal
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Interruptible, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_images import limit
from ansible_collections.portside.stack.plugins.module_utils._compose_model import services_of
from ansible_collections.portside.stack.plugins.module_utils._compose_pulled import pulled
from ansible_collections.portside.stack.plugins.module_utils._compose_report import ActivationFailed, error_text
from ansible_collections.portside.stack.plugins.module_utils._compose_restore import present_or_restored
from ansible_collections.portside.stack.plugins.module_utils._compose_source import Source, source_of
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._host_budget import HostBudget
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._progress import watched_work
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners

STAGES = {"pulled": "images", "present": "activate", "absent": "remove"}


class Task:
    """One task on one stack."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.params = module, module.params
        self.store = ReleaseStore(self.params["project_directory"])
        self.source = source_of(self.params, self.store, module.check_mode)
        self.name = str(self.source.definition.get("name"))

    def stack(self, source: Source, run: Run, clock: t.Any, tell: t.Callable[[str], None]) -> StackOnHost:
        options = dict(self.params, definition=source.definition, file=source.file, release=source.release)
        return StackOnHost(options, self.module.check_mode, EngineClient(), run, clock, listeners, tell)

    def result(self, tell: t.Callable[[str], None]) -> t.Dict[str, t.Any]:
        run = detached(self.module, os.environ, SOCKET)
        watched = Interruptible(self.name, time, run)
        if not self.module.check_mode:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda came, _frame: watched.interrupt(signal.Signals(came).name))
        stack = self.stack(self.source, watched.run, watched, tell)
        if self.params["state"] == "pulled":
            host = os.uname()
            headroom, reserved = self.params["memory_headroom"], self.params["reserved"]
            budget = HostBudget(reserved, headroom, host.nodename, FileSystem(), os.cpu_count)
            result = pulled(stack, watched, self.params, host.machine, budget, self.module.warn)
        elif self.params["state"] == "absent":
            result = stack.absent()
        elif self.params["restore"] and not self.module.check_mode:
            result = present_or_restored(stack, self.source, self.store, lambda source: self.stack(source, run, time, tell))
        else:
            result = stack.present()
        if not stack.reachable and self.module.get_bin_path("docker"):
            self.module.warn(
                "stack {0}: the Docker engine on this host does not answer, so what runs and is stored here is not "
                "known: the plan reads as if there were nothing.".format(self.name)
            )
        return result

    def limit(self) -> int:
        """The seconds that the real work takes at most."""
        if self.params["state"] == "pulled":
            return limit(services_of(self.source.definition).values(), self.params["pull_timeout"])
        return self.params["wait_timeout"] * (2 if self.params["restore"] else 1)

    def locked_result(self, lines: t.List[str]) -> t.Dict[str, t.Any]:
        """The result of real work: nobody else does any meanwhile, and everybody may watch."""
        lock, stage = StackLock(self.name, time.time), STAGES[self.params["state"]]
        with watched_work(lock, self.name, self.params["lock"], stage, self.limit(), lines) as tell:
            return self.result(tell)


def failed(module: AnsibleModule, stack: str, error: Exception, lines: t.List[str]) -> None:
    details = {"progress": lines}
    if module.params["state"] == "present":
        details["restored"] = None
    if isinstance(error, ActivationFailed):
        details.update(error.details)
    module.fail_json(msg=error_text(stack, error), **details)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "definition": {"type": "dict"},
            "file": {"type": "path"},
            "release": {"type": "str"},
            "project_directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": list(STAGES), "default": "present"},
            "restore": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
            "pull_timeout": {"type": "int", "default": 900},
            "images": {"type": "dict", "default": {}},
            "refresh": {"type": "bool", "default": False},
            "awaited": {"type": "list", "elements": "str", "default": []},
            "reserved": {"type": "dict", "default": {}},
            "memory_headroom": {"type": "str", "default": "512M"},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        required_one_of=[("definition", "release")],
        required_if=[("state", "present", ("file", "release"), True), ("restore", True, ("release",))],
        supports_check_mode=True,
    )
    lines: t.List[str] = []
    name = os.path.basename(module.params["project_directory"])
    try:
        task = Task(module)
        name = task.name
        result = task.result(lines.append) if module.check_mode else task.locked_result(lines)
    except (StackError, OSError) as error:
        failed(module, name, error, lines)
    if lines:
        result["progress"] = lines
    if module.params["release"]:
        result["release"] = module.params["release"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
