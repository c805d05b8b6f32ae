#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_step
short_description: Run the steps of a release, each once
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Runs commands such as migrations in containers of a release's services, in order, each once per release. A step that
    fails ends it; it runs again the next time.
  - Before a step, what its service depends on is started if it does not run. Nothing that runs is touched.
  - What became of each step is in C(state/steps.json) of the release, written before it starts and after it ended. A step
    goes on in its container when whoever started it is gone; the next run waits for its end, also one of another release.
  - When nobody saw a step end, or a signal ended it, as with a power loss or a restart of the host, it is run again with
    C(rerun), or its C(check) is asked, or it is refused. That goes for the step of that name in a later release too.
  - Tells from the stack's PostgreSQL databases whether a step moved their schema. Besides the schema itself the rows
    count in which Django, Alembic, Rails, Ecto, dbmate, golang-migrate, goose, Knex, Sequelize, Prisma, Flyway, Liquibase,
    Entity Framework, Directus and node-pg-migrate keep what they have applied, so a migration of data alone moves it too.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Tells what would run, also before the release or the engine is on the host.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  directory:
    description: The stack's directory on the host, for example C(/opt/stacks/selflink).
    type: path
    required: true
  release:
    description: ID of the release.
    type: str
    required: true
  when:
    description: Whether to run the steps from before the activation, or those from after it.
    type: str
    choices: [before, after]
    required: true
  steps:
    description: The steps of the release, as its record has them. Those of the other moment are left out.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The step's name, part of the names of its container and dump.
        type: str
        required: true
      service:
        description: The service whose image and settings it runs with.
        type: str
        required: true
      command:
        description: What it runs.
        type: list
        elements: str
        required: true
      when:
        description: When it runs.
        type: str
        choices: [before, after]
        required: true
      timeout:
        description: Seconds after which it has failed and is stopped. A dump may take as long besides.
        type: int
        default: 600
      rerun:
        description: Whether it may run again when nobody knows how it ended.
        type: bool
        default: false
      check:
        description:
          - A command that exits with 0 when the step is not needed any more. It is asked when nobody knows how the step
            ended, and with C(once) each time before it would run.
        type: list
        elements: str
      once:
        description:
          - Whether it runs on one host for all of them, which is the O(leader).
          - That host alone knows that it ran. Without a C(check) it therefore runs again for the same release where
            another host is the first of the play, as with C(--limit).
        type: bool
        default: false
      dump:
        description: The PostgreSQL database to dump before it, into C(state/dumps) of the release.
        type: dict
        suboptions:
          service:
            description: The service that holds it.
            type: str
            required: true
          database:
            description: Its name.
            type: str
            required: true
          user:
            description: A superuser of it.
            type: str
            default: postgres
      schema:
        description: Whether it may move a schema. V(none) says that it does not, and nothing is looked at.
        type: str
        choices: [auto, none]
        default: auto
      schema_command:
        description: A command whose output tells one state of a schema from another.
        type: list
        elements: str
  rerun:
    description: Names of steps that may run again this once, although nobody knows how they ended.
    type: list
    elements: str
    default: []
  leader:
    description: Whether steps with C(once) run on this host.
    type: bool
    default: true
  wait_timeout:
    description: Seconds in which the services that a step needs have to be up.
    type: int
    default: 300
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, the task is refused while a run has the lock.
    type: str
    default: ""
notes:
  - The last lines that a step wrote are part of its error and of the ledger. They are what the application itself wrote.
  - While it works, its progress is shown as it goes.
seealso:
  - module: portside.stack.deploy_lock
  - module: portside.stack.database_restore
"""

EXAMPLES = r"""
- name: Migrate while the previous release still serves
  portside.stack.release_step:
    directory: /opt/stacks/selflink
    release: 0123456789abcdef
    when: before
    steps:
      - name: migrate
        service: api
        command: [python, manage.py, migrate, --noinput]
        check: [python, manage.py, migrate, --check]
        when: before
        dump: {service: postgres, database: selflink, user: selflink}
    lock: "{{ lock.token }}"
"""

RETURN = r"""
steps:
  description: What became of each step, in order. When one failed it is the last one.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The step's name.
      type: str
    action:
      description: What was done, or with check mode would be.
      type: str
      choices: [ran, already_ran, left_to_leader, not_needed, would_run]
    reason:
      description: Why.
      type: str
    exit_code:
      description: How it ended; 124 when its time was up, 125 when its container could not be started.
      type: int
    seconds:
      description: How long it ran.
      type: float
    schema:
      description: Whether it moved a schema.
      type: str
      choices: [same, moved, unknown]
    dump:
      description: Path of the dump that was made before it.
      type: str
  sample:
    - {name: migrate, action: ran, reason: has not run yet, exit_code: 0, seconds: 3.2, schema: moved, dump: null}
progress:
  description: The progress as it was shown.
  returned: when anything was done
  type: list
  elements: str
"""

import os
import signal
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Interruptible
from ansible_collections.portside.stack.plugins.module_utils._compose_report import error_text
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._progress import watched_work
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners
from ansible_collections.portside.stack.plugins.module_utils._step_run import ReleaseSteps
from ansible_collections.portside.stack.plugins.module_utils._step_work import StepWork
from ansible_collections.portside.stack.plugins.module_utils._steps import Step, limit, step_of

# How an action stands in the diff.
SAID = {"ran": "run", "not_needed": "not needed any more", "would_run": "to run"}


def steps_of(module: AnsibleModule, store: ReleaseStore) -> t.List[Step]:
    steps = [step_of(data) for data in module.params["steps"]]
    unknown = sorted(set(module.params["rerun"]) - {step.name for step in steps})
    if unknown:
        raise StackError(
            "stack {0}: option rerun: {1} is no step of release {2}. Remedy: name one of {3}.".format(
                store.stack, ", ".join(unknown), module.params["release"], ", ".join(step.name for step in steps) or "none"
            )
        )
    return [
        step._replace(rerun=step.rerun or step.name in module.params["rerun"])
        for step in steps
        if step.when == module.params["when"]
    ]


def act(
    module: AnsibleModule, store: ReleaseStore, steps: t.List[Step], tell: t.Callable[[str], None]
) -> t.List[t.Dict[str, t.Any]]:
    release = module.params["release"]
    engine = EngineClient()
    watched = Interruptible(store.stack, time, detached(module, os.environ, SOCKET))

    def start_missing(services: t.Set[str]) -> None:
        options = {
            "definition": store.read(release)["definition"],
            "file": store.compose_file(release),
            "project_directory": store.directory,
            "wait_timeout": module.params["wait_timeout"],
        }
        StackOnHost(options, False, engine, watched.run, watched, listeners, tell).start_missing(services)

    work = StepWork(store, release, engine, watched.run, watched, tell, module.params["lock"])
    todo = ReleaseSteps(work, steps, module.params["leader"], start_missing)
    if module.check_mode:
        return todo.plan()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda came, _frame: watched.interrupt(signal.Signals(came).name))
    return todo.carry_out()


def locked(module: AnsibleModule, store: ReleaseStore, lines: t.List[str]) -> t.List[t.Dict[str, t.Any]]:
    steps = steps_of(module, store)
    if module.check_mode:
        return act(module, store, steps, lines.append)
    seconds = limit(steps, module.params["wait_timeout"])
    lock = StackLock(store.stack, time.time)
    with watched_work(lock, store.stack, module.params["lock"], "steps", seconds, lines) as tell:
        return act(module, store, steps, tell)


def main() -> None:
    text = {"type": "str", "required": True}
    words = {"type": "list", "elements": "str"}
    moment = {"type": "str", "choices": ["before", "after"], "required": True}
    step = {
        "name": text,
        "service": text,
        "command": dict(words, required=True),
        "when": moment,
        "timeout": {"type": "int", "default": 600},
        "rerun": {"type": "bool", "default": False},
        "check": words,
        "once": {"type": "bool", "default": False},
        "dump": {
            "type": "dict",
            "options": {"service": text, "database": text, "user": {"type": "str", "default": "postgres"}},
        },
        "schema": {"type": "str", "choices": ["auto", "none"], "default": "auto"},
        "schema_command": words,
    }
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "release": text,
            "when": moment,
            "steps": {"type": "list", "elements": "dict", "required": True, "options": step},
            "rerun": dict(words, default=[]),
            "leader": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    lines: t.List[str] = []
    store = ReleaseStore(module.params["directory"])
    try:
        steps = locked(module, store, lines)
    except (StackError, OSError) as error:
        steps = getattr(error, "results", [])
        changed = any(one["action"] in SAID for one in steps)
        module.fail_json(msg=error_text(store.stack, error), changed=changed, steps=steps, progress=lines)
    told = ["step {0}: {1}\n".format(one["name"], SAID[one["action"]]) for one in steps if one["action"] in SAID]
    result = {"changed": bool(told), "steps": steps, "diff": {"before": "", "after": "".join(told)}}
    if lines:
        result["progress"] = lines
    module.exit_json(**result)


if __name__ == "__main__":
    main()
