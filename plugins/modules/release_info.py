#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Tell the releases of a stack, its history, and what it can be rolled back to
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Reads what is on the host, and asks the running databases of the stack for their schemas.
  - A release can be rolled back to when it once was verified. Whether the databases still fit it is told by comparing
    their schemas with those it was verified with. Of a database that does not run, the last schema counts that
    a step or a verification saw.
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
  directory:
    description:
      - The stack's directory, for example C(/opt/stacks/selflink). It need not exist.
    type: path
    required: true
  judge:
    description:
      - Choose the release to roll back to, and fail where that is not possible or not safe.
    type: bool
    default: false
  release:
    description:
      - With O(judge=true), the release to roll back to. Empty or V(previous) is the good one that was current before.
        One that was rolled back from since is meant only by its name.
    type: str
    default: ""
  schema:
    description:
      - With O(judge=true), what to do where a schema is not, or may not be, the one that the release was verified with.
      - Empty refuses.
      - V(keep) leaves the databases as they are, so that the old code has to work with the new schema.
      - V(restore) wants dumps that were made before the steps that moved it, and names them. With it, O(release) may
        also be the current one, whose next release failed in the middle of a migration.
    type: str
    choices: ["", keep, restore]
    default: ""
seealso:
  - module: portside.stack.release
"""

EXAMPLES = r"""
- name: See what there is
  portside.stack.release_info:
    directory: /opt/stacks/hello
  register: info

- name: Choose the release before the current one
  portside.stack.release_info:
    directory: /opt/stacks/hello
    judge: true
  register: info
"""

RETURN = r"""
stack:
  description: The stack's name.
  returned: always
  type: str
current:
  description: The current release; empty before the first one.
  returned: success
  type: str
releases:
  description: The complete releases, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The release's name.
      type: str
    state:
      description: >-
        V(current); V(good), it was verified once; V(failed); V(unfinished), the run that was to activate it is not
        over or was cut off; V(written), nothing was done with it.
      type: str
    verified:
      description: When it was verified last; empty if it never was.
      type: str
    last_event:
      description: When the history last has it; empty if it has not.
      type: str
    declaration_digest:
      description: The digest of its declaration, the same on every host.
      type: str
    images:
      description: What each image reference is pinned to.
      type: dict
    secrets:
      description: The version of each secret.
      type: dict
    visible:
      description: The variables of each service that are secrets, and that C(docker inspect) shows since it was chosen so.
      type: dict
    steps:
      description: Its steps, each with its C(runs).
      type: list
      elements: dict
    dumps:
      description: The dumps its steps began with, each with C(path), C(size) in bytes, C(service), C(database), C(user) and C(taken).
      type: list
      elements: dict
    changes:
      description: The services whose image is another one in the current release, each with C(image) and C(current).
      type: list
      elements: dict
history:
  description: The last 20 events, the oldest first. A start is told in C(started) of the event that ended it.
  returned: success
  type: list
  elements: dict
can_roll_back_to:
  description: The releases that can be rolled back to, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The release's name.
      type: str
    verified:
      description: When it was verified last.
      type: str
    schema:
      description: V(same), V(moved) or V(unknown).
      type: str
    databases:
      description: The databases that moved, or of which nothing is known.
      type: list
      elements: str
    why:
      description: What moved them, or why nothing is known.
      type: str
    dump_taken:
      description: When the dumps were made that can be restored; empty if none fit.
      type: str
target:
  description: The release to roll back to.
  returned: with O(judge=true)
  type: dict
  contains:
    id:
      description: The release's name.
      type: str
    images:
      description: What each of its image references is pinned to.
      type: dict
    logins:
      description: The database logins that it uses, see M(portside.stack.database_logins).
      type: list
      elements: dict
    schema:
      description: V(same), V(moved) or V(unknown).
      type: str
    restore:
      description: The dumps to restore, each with C(path), C(service), C(database), C(user) and C(taken).
      type: list
      elements: dict
orphaned_volumes:
  description: >-
    The volumes on the host that were made for the stack and that the current release does not mention, which are all
    where none is current. They stay until somebody deletes them. Null where the engine does not answer.
  returned: success
  type: list
  elements: str
text:
  description: The same for people, line by line.
  returned: success
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.module_utils._release_known import known_releases
from ansible_collections.portside.stack.plugins.module_utils._release_report import folded, listed, text
from ansible_collections.portside.stack.plugins.module_utils._release_rollback import choose, judge, restores
from ansible_collections.portside.stack.plugins.module_utils._release_schema import schemas_now
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import orphaned_on

HISTORY = 20


def schemas(module: AnsibleModule, stack: str) -> t.Optional[t.Dict[str, str]]:
    try:
        return schemas_now(EngineClient(), detached(module, os.environ, SOCKET), stack)
    except (OSError, StackError) as error:
        module.warn("stack {0}: the schemas of its databases cannot be told now: {1}".format(stack, error))
        return None


def volumes_left(stack: str, record: t.Mapping[str, t.Any]) -> t.Optional[t.List[str]]:
    try:
        return orphaned_on(EngineClient(), stack, record.get("definition") or {})
    except (OSError, StackError):
        return None


def info(module: AnsibleModule, store: ReleaseStore) -> t.Dict[str, t.Any]:
    params, stack, current = module.params, store.stack, store.current()
    releases = known_releases(store)
    events = History(store.directory).read()
    now = schemas(module, stack) if releases else None
    verdicts = {release.id: judge(release, releases, now) for release in releases if release.verified}
    entries = listed(releases, current, events)
    possible = [(entry, verdicts[entry["id"]]) for entry in entries if entry["verified"] and entry["id"] != current]
    history = folded(events)[-HISTORY:]
    record = next((release.record for release in releases if release.id == current), {})
    left = volumes_left(stack, record)
    for entry in entries:
        entry["dumps"] = [dict(dump, size=os.path.getsize(dump["path"])) for dump in entry["dumps"]]
    result = {
        "stack": stack,
        "current": current,
        "releases": entries,
        "history": history,
        "can_roll_back_to": [
            {
                "id": entry["id"],
                "verified": entry["verified"],
                "schema": verdict.schema,
                "databases": verdict.databases,
                "why": verdict.why,
                "dump_taken": verdict.dump_taken,
            }
            for entry, verdict in possible
        ],
        "orphaned_volumes": left,
        "text": text(stack, current, history, possible, left or [], record.get("visible")),
    }
    if params["judge"]:
        target = choose(stack, params["release"], params["schema"], releases, current, events)
        verdict = verdicts[target.id]
        result["target"] = {
            "id": target.id,
            "images": target.record.get("images", {}),
            "logins": target.record.get("logins", []),
            "schema": verdict.schema,
            "restore": restores(stack, target, verdict, params["schema"], current),
        }
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "judge": {"type": "bool", "default": False},
            "release": {"type": "str", "default": ""},
            "schema": {"type": "str", "choices": ["", "keep", "restore"], "default": ""},
        },
        supports_check_mode=True,
    )
    store = ReleaseStore(module.params["directory"])
    try:
        result = info(module, store)
    except StackError as error:
        module.fail_json(msg=str(error), stack=store.stack)
    except OSError as error:
        module.fail_json(
            msg="stack {0}: {1}: {2}. Remedy: mend that on the host, then run again.".format(
                store.stack, error.filename or "a file of the stack", error.strerror
            ),
            stack=store.stack,
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
