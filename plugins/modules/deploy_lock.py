#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the locks of stacks for a run, or gives them back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock
short_description: Let one run at a time change a stack
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Takes a lease on each of the stacks, all or none. A second run is told at once who has it, since when, in which
    stage, and until when at the latest.
  - Nobody has to remove a lock by hand. The modules that change a stack renew the lease by their own time limits, and
    two minutes beyond, when they are given its token, and never shorten it. So it ends by itself when a run died, at
    the latest with the time limit of its stage, and at once with a restart of the host.
  - A run that died on the same machine as the one that now wants the lock is recognised as dead, and the lock is taken
    over at once. A module of it that is still at work on the host is waited for, at most until its time limit.
  - What such a run left is put in order. Its missing end is added to the history of the stack, and directories in
    which it was writing are removed.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Takes nothing and mends nothing. Warns when another run has the lock.
  diff_mode:
    support: none
  idempotent:
    support: full
    description: A lock is nothing of what is declared, so neither taking it nor giving it back ever counts as a change.
options:
  stacks:
    description: The names of the stacks.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(present) takes the locks, or renews them when O(token) has them.
      - V(absent) gives them back. A lock that is not the token's is left alone, with a warning.
    type: str
    choices: [present, absent]
    default: present
  purpose:
    description: What the run is for, as others are told.
    type: str
    default: deploy
  token:
    description:
      - The token that the module returned.
      - Required to give the locks back.
    type: str
  root:
    description: The directory in which each stack has its own, by its name.
    type: path
    default: /opt/stacks
  lease:
    description: Seconds until the locks end by themselves, unless a module works meanwhile.
    type: int
    default: 120
  holder:
    description:
      - Who takes the lock. The action plugin fills this in on the controller, whatever is given here.
    type: dict
    suboptions:
      who:
        description: The user's name.
        type: str
        default: ""
      origin:
        description: The name of the machine that the run was started on.
        type: str
        default: ""
      pid:
        description: The run's process there.
        type: int
        default: 0
      started:
        description: What tells that process from any other of the same number.
        type: str
        default: ""
  dead:
    description:
      - Tokens of runs that are known to be over. The action plugin fills this in, whatever is given here.
    type: list
    elements: str
    default: []
seealso:
  - module: portside.stack.compose_stack
"""

EXAMPLES = r"""
- name: Deploy
  block:
    - name: Take the lock
      portside.stack.deploy_lock:
        stacks: [selflink]
      register: lock

    - name: Bring the stack up
      portside.stack.compose_stack:
        definition: "{{ release.definition }}"
        file: /opt/stacks/selflink/releases/0123456789abcdef/compose.yaml
        project_directory: /opt/stacks/selflink
        lock: "{{ lock.token }}"
  always:
    - name: Give the lock back
      portside.stack.deploy_lock:
        stacks: [selflink]
        state: absent
        token: "{{ lock.token | default('') }}"
      when: lock.token is defined
"""

RETURN = r"""
token:
  description: The run's token, the same for all stacks; empty in check mode. It is not a secret.
  returned: success
  type: str
  sample: 5f0c0e7b2f0a4c4f9d6f0a4b8f3c2d1e
interrupted:
  description:
    - The ends that runs which were cut off did not write, as they were added to the history of their stacks.
    - With check mode, as they would be.
  returned: with O(state=present)
  type: list
  elements: dict
  sample:
    - {event: interrupted, stack: selflink, release: 0123456789abcdef, error: the run was cut off in the stage activate}
removed:
  description: Directories in which such a run was writing, that were removed, or with check mode would be.
  returned: with O(state=present)
  type: list
  elements: str
  sample: [/opt/stacks/selflink/releases/.portside-4711-x7k2]
held_by:
  description: The leases that other runs have of the stacks.
  returned: when the lock was refused, and in check mode
  type: list
  elements: dict
  sample:
    - {stack: selflink, token: 5f0c0e7b2f0a4c4f9d6f0a4b8f3c2d1e, who: alice, origin: laptop, pid: 4711}
"""

import os
import time
import typing as t
import uuid

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._compose_report import error_text
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._lease import Lease, LockHeld, StackLock
from ansible_collections.portside.stack.plugins.module_utils._leftovers import Leftovers


class DeployLock:
    """The locks of a run."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module, self._params = module, module.params
        # In one order, so that of two runs that want the same stacks one gets them all.
        self._locks = [StackLock(stack, time.time) for stack in sorted(set(self._params["stacks"]))]
        self._token: str = self._params["token"] or uuid.uuid4().hex
        self._taken: t.List[StackLock] = []
        self.interrupted: t.List[t.Dict[str, t.Any]] = []
        self.removed: t.List[str] = []

    def take(self) -> t.Dict[str, t.Any]:
        """Take all locks, and put in order what earlier runs left; or none, and raise LockHeld."""
        for lock in self._locks:
            # Nothing is waited for, or taken, when one of them is refused anyway.
            lock.check(self._token, self._params["dead"])
        try:
            for lock in self._locks:
                replaced = self._acquire(lock)
                self._taken.append(lock)
                self._tidy(lock, replaced)
        except (StackError, OSError):
            self.give_back()
            raise
        return self._result(self._token)

    def plan(self) -> t.Dict[str, t.Any]:
        """For check mode: what taking them would do, and a warning for each that is refused."""
        for lock in self._locks:
            try:
                lock.check(self._token, self._params["dead"])
            except LockHeld as error:
                self._module.warn(str(error))
            else:
                self._tidy(lock, lock.read())
        return dict(self._result(""), held_by=self.held_by())

    def give_back(self) -> t.List[StackLock]:
        """Give back what the token has; answers the locks of which another run has the lease."""
        return [lock for lock in self._locks if not lock.release(self._token) and lock.holder()]

    def held_by(self) -> t.List[t.Dict[str, t.Any]]:
        """The leases that other runs have."""
        leases = [(lock.stack, lock.holder()) for lock in self._locks]
        return [dict(lease._asdict(), stack=stack) for stack, lease in leases if lease and lease.token != self._token]

    def _acquire(self, lock: StackLock) -> t.Optional[Lease]:
        return lock.acquire(
            self._params["holder"] or {"who": "", "origin": "", "pid": 0, "started": ""},
            self._params["purpose"],
            self._token,
            self._params["lease"],
            self._params["dead"],
            self._sleep,
            self._module.warn,
        )

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        for lock in self._taken:
            self._acquire(lock)

    def _tidy(self, lock: StackLock, left: t.Optional[Lease]) -> None:
        leftovers = Leftovers(os.path.join(self._params["root"], lock.stack), FileSystem())
        event = leftovers.interrupted(self._token, left, time.time())
        staging = leftovers.staging()
        if not self._module.check_mode:
            # First, as it may be what fills the disk.
            leftovers.remove(staging)
            if event:
                leftovers.record(event)
        self.interrupted += [event] if event else []
        self.removed += staging

    def _result(self, token: str) -> t.Dict[str, t.Any]:
        return {"changed": False, "token": token, "interrupted": self.interrupted, "removed": self.removed}


def act(module: AnsibleModule, lock: DeployLock) -> t.Dict[str, t.Any]:
    if module.params["state"] == "present":
        return lock.plan() if module.check_mode else lock.take()
    if not module.check_mode:
        for other in lock.give_back():
            module.warn(
                "stack {0}: the lock is {1}'s, not this run's, and stays.".format(other.stack, other.holder().holder)
            )
    return {"changed": False, "token": module.params["token"]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stacks": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "purpose": {"type": "str", "default": "deploy"},
            "token": {"type": "str", "no_log": False},
            "root": {"type": "path", "default": "/opt/stacks"},
            "lease": {"type": "int", "default": 120},
            "holder": {
                "type": "dict",
                "options": {
                    "who": {"type": "str", "default": ""},
                    "origin": {"type": "str", "default": ""},
                    "pid": {"type": "int", "default": 0},
                    "started": {"type": "str", "default": ""},
                },
            },
            "dead": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("state", "absent", ["token"])],
        supports_check_mode=True,
    )
    try:
        lock = DeployLock(module)
        result = act(module, lock)
    except LockHeld as error:
        module.fail_json(msg=str(error), held_by=lock.held_by(), interrupted=lock.interrupted, removed=lock.removed)
    except (StackError, OSError) as error:
        module.fail_json(msg=error_text(", ".join(module.params["stacks"]), error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
