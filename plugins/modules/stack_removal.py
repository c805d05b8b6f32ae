#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_removal
short_description: Take a stack off its host, and keep its data
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Removes the stack's containers and networks, its releases with the files and images that only they had, and what
    starts it with the host. A later deploy finds every row and file again.
  - What its edge had goes too, with the keys of its certificates, which were made or copied for it. A certificate that certbot
    asked for is deleted (C(certbot delete)), as nothing would answer for its renewal; certbot's account stays.
  - Its volumes, its secrets, its history and its dumps of databases stay, the last in C(dumps) in its directory. Only
    volumes that are named in O(delete_volumes) are deleted.
  - Everything that is in the way is told at once, before anything is touched.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Tells what would go, and how large the volumes are. On a host without Docker there is nothing to remove.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  directory:
    description:
      - The stack's directory, for example C(/opt/stacks/selflink). Its last part is the stack's name.
      - It need not exist.
    type: path
    required: true
  delete_volumes:
    description:
      - The volumes to delete with all that is in them, by their names or by their keys in the declaration.
      - A name that is none of the stack's own volumes is refused, and so are external volumes, and those that other
        containers or stacks use. One that an earlier removal has deleted is passed over.
    type: list
    elements: str
    default: []
  delete_secrets:
    description:
      - Whether secrets, dumps and history go too. They are overwritten first.
      - Refused while a volume of the stack stays. What no deploy has put into the stack's directory stays there.
    type: bool
    default: false
  why:
    description:
      - The reason for it, for the history.
    type: str
    default: ""
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, the task is refused while a run has the lock.
    type: str
    default: ""
notes:
  - While it works, its progress is shown as it goes.
  - What was cut off is taken up by running it again.
seealso:
  - module: portside.stack.compose_stack
  - module: portside.stack.release
"""

EXAMPLES = r"""
- name: Take a stack off the host, and keep its data
  portside.stack.stack_removal:
    directory: /opt/stacks/hello

- name: Take it off with one of its volumes
  portside.stack.stack_removal:
    directory: /opt/stacks/hello
    delete_volumes: [cache]
    why: moved to another host
"""

RETURN = r"""
containers:
  description: The containers that were removed, or with check mode would be, by name.
  returned: success
  type: list
  elements: str
networks:
  description: The networks that were removed.
  returned: success
  type: list
  elements: str
releases:
  description: The releases that were removed.
  returned: success
  type: list
  elements: str
certificates:
  description: The certificates of certbot that were deleted, by name.
  returned: success
  type: list
  elements: str
kept_dumps:
  description: The releases whose dumps stay, in C(dumps) in the stack's directory.
  returned: success
  type: list
  elements: str
deleted_volumes:
  description: The volumes that were deleted.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The engine's name of it.
      type: str
    key:
      description: Its key in the declaration.
      type: str
    size:
      description: How large it was in bytes; null where the engine could not tell.
      type: int
  sample: [{name: hello_cache, key: cache, size: 1834211}]
kept_volumes:
  description: The volumes of the stack that stay.
  returned: success
  type: list
  elements: str
directory_removed:
  description: Whether all that deploys put into the stack's directory went, with its secrets and its history.
  returned: success
  type: bool
record:
  description: The event as it is in the history.
  returned: when anything was removed, except in check mode
  type: dict
progress:
  description: The progress as it was shown.
  returned: when anything was removed, except in check mode
  type: list
  elements: str
text:
  description: The same for people, line by line.
  returned: success
  type: list
  elements: str
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._boot_unit import BootUnit
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._progress import watched_work
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._removal_plan import Removal, plan_removal
from ansible_collections.portside.stack.plugins.module_utils._stack_removal import StackRemoval

# Containers are given the time to stop that each asks for.
SECONDS = 900


class Task:
    """One removal."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module, self._params = module, module.params
        self._store = ReleaseStore(self._params["directory"])
        self._fs, self._engine = FileSystem(), EngineClient()
        run = detached(module, os.environ, SOCKET)
        self._boot = BootUnit(self._fs, run)
        self._certbot = Certbot(self._store.stack, run, self._fs)
        self._firewall = Firewall(self._fs, run, time.time)

    @property
    def stack(self) -> str:
        return self._store.stack

    def plan(self) -> Removal:
        named = [name.strip() for name in self._params["delete_volumes"] if name.strip()]
        boot, secrets = self._boot.enabled(self._store.directory), self._params["delete_secrets"]
        check = self._module.check_mode
        return plan_removal(self._store, self._fs, self._engine, named, secrets, boot, check, self._certbot)

    def planned(self) -> t.Dict[str, t.Any]:
        """The result in check mode."""
        try:
            self._engine.about()
        except EngineUnavailable:
            if self._module.get_bin_path("docker"):
                self._module.warn(
                    "stack {0}: the Docker engine on this host does not answer, so its containers, networks and volumes are "
                    "not known: the plan reads as if there were none.".format(self.stack)
                )
        return _result(self.plan(), "would be removed")

    def removed(self, lines: t.List[str]) -> t.Dict[str, t.Any]:
        """The result of real work: nobody else does any meanwhile, and everybody may watch."""
        lock, token = StackLock(self.stack, time.time), self._params["lock"]
        with watched_work(lock, self.stack, token, "removal", SECONDS, lines) as tell:
            plan = self.plan()
            removal = StackRemoval(
                self._store, plan, self._fs, self._engine, self._boot, self._certbot, tell, self._module.warn
            )
            record = removal.carry_out(self._params["why"], lock.read() if token else None, time.time)
            self._firewall.settle(self.stack, self._module.warn)
        result = _result(plan, "removed")
        if record:
            result.update(record=record, progress=lines)
        return result


def _result(plan: Removal, verb: str) -> t.Dict[str, t.Any]:
    return {
        "changed": plan.changes,
        "containers": plan.containers,
        "networks": plan.networks,
        "releases": plan.releases,
        "certificates": list(plan.certificates),
        "kept_dumps": plan.dumps,
        "deleted_volumes": plan.deleted_with_keys,
        "kept_volumes": plan.keep,
        "directory_removed": plan.whole,
        "text": plan.text(verb),
        "diff": {"before": "".join(line + "\n" for line in plan.lines()), "after": ""},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "delete_volumes": {"type": "list", "elements": "str", "default": []},
            "delete_secrets": {"type": "bool", "default": False, "no_log": False},
            "why": {"type": "str", "default": ""},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    task = Task(module)
    lines: t.List[str] = []
    try:
        result = task.planned() if module.check_mode else task.removed(lines)
    except StackError as error:
        module.fail_json(msg=str(error), progress=lines)
    except OSError as error:
        module.fail_json(
            msg="stack {0}: {1}: {2}. Remedy: mend that on the host, then run again.".format(
                task.stack, error.filename or "a file of the stack", error.strerror
            ),
            progress=lines,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
