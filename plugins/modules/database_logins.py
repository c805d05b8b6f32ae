#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_logins
short_description: Have a PostgreSQL login for each version of a secret
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Sees to it that the PostgreSQL servers of a stack let in with what a release has as its secrets. Each version of a
    secret with C(login) is the password of a role of its own, C(SECRET_vVERSION), a member of C(ROLE) that acts as it from
    the start of each session. What it makes belongs to C(ROLE).
  - So the credentials of two releases are good at the same time. While services are recreated one after the other, and
    after a rollback, none of them is refused.
  - A login whose version is not on the host any more is dropped, after the sessions that still use it are ended. When
    objects or rights in a database depend on it, it stays, without being able to log in, and there is a warning.
  - Only roles that were made here are ever altered or dropped. They are told by their comment, C(portside.stack login).
  - A server that does not run is started first, with what it depends on. What runs is left as it is.
  - The server is asked through the container's own socket, by the superuser that the image made. It is told a
    SCRAM-SHA-256 verifier that was computed on the host, never the password.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Tells what would be done, also before the release, the secrets or the server are there.
  diff_mode:
    support: full
    description: Tells names only.
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
  services:
    description:
      - Further services whose logins are looked after where they run, so that none stays that nobody can use.
    type: list
    elements: str
    default: []
  logins:
    description:
      - The logins of the release, as P(portside.stack.release_files#filter) returns them. Without it, those of its record.
        In check mode a release that is not on the host has none.
    type: list
    elements: dict
    suboptions:
      secret:
        description: The secret that is the password.
        type: str
        required: true
      version:
        description: Its version.
        type: int
        required: true
      service:
        description: The service that holds the database.
        type: str
        required: true
      role:
        description: The role that it acts as. It has to be there.
        type: str
        required: true
  wait_timeout:
    description: Seconds in which the servers have to be up and answer.
    type: int
    default: 300
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, the task is refused while a run has the lock.
    type: str
    default: ""
notes:
  - Needs PostgreSQL 10 or newer.
seealso:
  - module: portside.stack.secret_files
"""

EXAMPLES = r"""
- name: Have the logins of a release before its services start
  portside.stack.database_logins:
    directory: /opt/stacks/selflink
    release: 0123456789abcdef
    lock: "{{ lock.token }}"
"""

RETURN = r"""
logins:
  description: What became, or with check mode would become, of each login.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: The service that holds the database.
      type: str
    name:
      description: The name to log in with.
      type: str
    secret:
      description: The secret that is the password.
      type: str
    action:
      description:
        - What was done. V(disabled) and V(left) are logins that would be dropped, did nothing depend on them.
      type: str
      choices: [created, altered, unchanged, dropped, disabled, left]
  sample: [{service: postgres, name: selflink_v2, secret: app_login, action: created}]
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
from ansible_collections.portside.stack.plugins.module_utils._database_logins import DatabaseLogins
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._login_roles import Login, login_of
from ansible_collections.portside.stack.plugins.module_utils._progress import watched_work
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners

CHANGES = ("created", "altered", "dropped", "disabled")
# What each action leaves behind, for the two sides of a diff.
BEFORE = ("altered", "dropped", "disabled")
AFTER = ("created", "altered", "disabled")


def logins_of(module: AnsibleModule, store: ReleaseStore) -> t.List[Login]:
    given = module.params["logins"]
    release = module.params["release"]
    if given is None and not (module.check_mode and release not in store.ids()):
        given = store.read(release).get("logins")
    return [login_of(data) for data in given or ()]


def locked(module: AnsibleModule, store: ReleaseStore, todo: t.List[DatabaseLogins], lines: t.List[str]) -> None:
    """Do the work; what it is goes to ``todo`` before, so that its outcomes are known also when it fails."""
    logins, services = logins_of(module, store), module.params["services"]
    engine, timeout = EngineClient(), module.params["wait_timeout"]
    watched = Interruptible(store.stack, time, detached(module, os.environ, SOCKET))

    def work(tell: t.Callable[[str], None]) -> DatabaseLogins:
        secrets = os.path.join(store.directory, "secrets")
        found = DatabaseLogins(
            store.stack, secrets, logins, services, engine, watched.run, watched, tell, timeout, os.urandom
        )
        todo.append(found)
        return found

    if module.check_mode:
        work(lines.append).plan()
        return
    if not logins and not services:
        return
    lock = StackLock(store.stack, time.time)
    with watched_work(lock, store.stack, module.params["lock"], "logins", 2 * timeout, lines) as tell:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda came, _frame: watched.interrupt(signal.Signals(came).name))
        options = {
            "definition": store.read(module.params["release"])["definition"],
            "file": store.compose_file(module.params["release"]),
            "project_directory": store.directory,
            "wait_timeout": timeout,
        }
        found = work(tell)
        host = StackOnHost(options, False, engine, watched.run, watched, listeners, tell)
        host.start_missing(host.services.keys() & {login.service for login in logins}, themselves=True)
        found.carry_out()


def main() -> None:
    text = {"type": "str", "required": True}
    login = {
        "secret": dict(text, no_log=False),
        "version": {"type": "int", "required": True},
        "service": text,
        "role": text,
    }
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "release": text,
            "logins": {"type": "list", "elements": "dict", "options": login},
            "services": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "int", "default": 300},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    lines: t.List[str] = []
    todo: t.List[DatabaseLogins] = []
    store = ReleaseStore(module.params["directory"])
    failure = ""
    try:
        locked(module, store, todo, lines)
    except (StackError, OSError) as error:
        failure = error_text(store.stack, error)
    outcomes = todo[0].outcomes if todo else []
    result: t.Dict[str, t.Any] = {
        "changed": any(one.action in CHANGES for one in outcomes),
        "logins": [{key: getattr(one, key) for key in ("service", "name", "secret", "action")} for one in outcomes],
    }
    if lines and not module.check_mode:
        result["progress"] = lines
    if failure:
        module.fail_json(msg=failure, **result)
    for one in outcomes:
        if one.depended:
            module.warn(
                "stack {0}: service {1}: login {2} is not needed any more, and cannot be dropped since objects or rights "
                "depend on it; nobody can log in with it. Remedy: in each database REASSIGN OWNED BY {2} TO its role, "
                "DROP OWNED BY {2}, then DROP ROLE {2}.".format(store.stack, one.service, one.name)
            )
    result["diff"] = {
        "before": said(outcomes, BEFORE, {"altered": "otherwise"}),
        "after": said(outcomes, AFTER, {"disabled": "without being able to log in"}),
    }
    module.exit_json(**result)


def said(outcomes: t.Iterable[t.Any], actions: t.Container[str], state: t.Mapping[str, str]) -> str:
    """One side of the diff: names only."""
    line = "{0}: login {1}{2}\n"
    return "".join(
        line.format(one.service, one.name, ", " + state[one.action] if one.action in state else "")
        for one in outcomes
        if one.action in actions
    )


if __name__ == "__main__":
    main()
