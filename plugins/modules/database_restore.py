#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_restore
short_description: Bring PostgreSQL databases back as a step of a release found them
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Restores dumps that M(portside.stack.release_step) made. Each goes into a new database with the owner, encoding,
    locale, settings and grants of the present one. Only when all of them are there does each take the place of the
    present one, in one transaction that ends the connections to it.
  - Nothing written since is lost. The former database is kept as C(DATABASE_until_YYYYMMDDHHMMSS), in UTC, until
    somebody drops it (C(dropdb)). The two need as much room as they are large.
  - When anything fails the databases are left as they were, and what was restored beside them is dropped.
  - What was done to a database since its dump counts as not done from then on, by steps and one-shots whose service
    depends on the database's, at whatever distance. A release that is activated again runs them again; one-shots that had
    completed before the dump are not.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    description: Restores whenever it is asked to, as the database may have been written to since.
options:
  directory:
    description: The stack's directory on the host, for example C(/opt/stacks/selflink).
    type: path
    required: true
  dumps:
    description: The dumps to restore, each of another database, as M(portside.stack.release_info) names them.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The dump's file. It has to be one that the ledger of a release names.
        type: path
        required: true
      service:
        description: The service that holds the database. It has to run.
        type: str
        required: true
      database:
        description: The database's name.
        type: str
        required: true
      user:
        description: A superuser of it.
        type: str
        default: postgres
      taken:
        description: When the dump was made, for whoever reads the task. The ledger tells the module.
        type: str
  put_back:
    description:
      - The RV(time) of a restore of the same dumps, to undo it. The databases that were kept have their names again, and
        what had been restored is kept as C(DATABASE_restored_YYYYMMDDHHMMSS), with the time of the restore. Steps that were undone count as run again.
      - Nothing happens where that was done already.
    type: str
    default: ""
  timeout:
    description: Seconds that the restore of one dump may take.
    type: int
    default: 3600
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, the task is refused while a run has the lock.
    type: str
    default: ""
notes:
  - Signals are not heeded. A restore goes on to its end when its controller is gone.
seealso:
  - module: portside.stack.release_step
"""

EXAMPLES = r"""
- name: Bring the database back as the step migrate found it
  portside.stack.database_restore:
    directory: /opt/stacks/selflink
    dumps:
      - path: /opt/stacks/selflink/releases/0123456789abcdef/state/dumps/migrate-postgres-selflink.dump
        service: postgres
        database: selflink
        user: selflink
    lock: "{{ lock.token }}"
"""

RETURN = r"""
kept:
  description: Under which names the former databases are kept.
  returned: success
  type: list
  elements: dict
  contains:
    service:
      description: The service that holds it.
      type: str
    database:
      description: Its former name.
      type: str
    kept:
      description: Its name now.
      type: str
  sample: [{service: postgres, database: selflink, kept: selflink_until_20261121113234}]
time:
  description: What names this restore, for O(put_back).
  returned: when dumps were restored
  type: str
  sample: "2026-11-21T11:32:34Z"
undone:
  description: The steps whose work the restored databases do not have, and which count as not run.
  returned: success
  type: list
  elements: dict
  contains:
    release:
      description: The release they ran for.
      type: str
    step:
      description: The step's name.
      type: str
  sample: [{release: 0123456789abcdef, step: migrate}]
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
from ansible_collections.portside.stack.plugins.module_utils._compose_report import error_text
from ansible_collections.portside.stack.plugins.module_utils._database_restore import DatabaseRestore
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._progress import watched_work
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore


def act(module: AnsibleModule, store: ReleaseStore, tell: t.Callable[[str], None]) -> t.Dict[str, t.Any]:
    dumps = [{key: dump[key] for key in ("path", "service", "database", "user")} for dump in module.params["dumps"]]
    run = detached(module, os.environ, SOCKET)
    restore = DatabaseRestore(store, dumps, EngineClient(), run, time, tell)
    if module.check_mode:
        return restore.plan()
    if module.params["put_back"]:
        return restore.put_back(module.params["put_back"])
    return restore.carry_out(module.params["timeout"])


def locked(module: AnsibleModule, store: ReleaseStore, lines: t.List[str]) -> t.Dict[str, t.Any]:
    if module.check_mode:
        return act(module, store, lines.append)
    seconds = module.params["timeout"] * len(module.params["dumps"])
    lock = StackLock(store.stack, time.time)
    with watched_work(lock, store.stack, module.params["lock"], "restore", seconds, lines) as tell:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return act(module, store, tell)


def main() -> None:
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "dumps": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "service": text,
                    "database": text,
                    "user": {"type": "str", "default": "postgres"},
                    "taken": {"type": "str"},
                },
            },
            "put_back": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 3600},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    lines: t.List[str] = []
    store = ReleaseStore(module.params["directory"])
    try:
        result = locked(module, store, lines)
    except (StackError, OSError) as error:
        module.fail_json(msg=error_text(store.stack, error), progress=lines)
    if lines:
        result["progress"] = lines
    module.exit_json(**result)


if __name__ == "__main__":
    main()
