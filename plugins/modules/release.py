#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Write, commit and remove releases of a stack
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - A release is a directory C(releases/ID) in the stack's directory, with its Compose file and its record
    C(release.json), named by the digest of all it is made of. It is there whole or not at all.
  - The link C(current) names the release that serves. It is switched in one step, once the release proved good.
  - Every deploy, rollback and failure is a line in C(history.jsonl).
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - With O(state=present), tells what would be written also on a host without Docker.
  diff_mode:
    support: full
    details:
      - Files are compared to those of the current release, since these are what a deploy replaces.
      - Of the record, the images, the versions of secrets and the steps are shown.
  idempotent:
    support: full
options:
  directory:
    description:
      - The stack's directory, for example C(/opt/stacks/selflink). Its last part is the stack's name.
    type: path
    required: true
  release:
    description:
      - The name of the release, 16 hexadecimal digits.
    type: str
    required: true
  state:
    description:
      - V(present) writes the release and the files its services mount, without anything that runs noticing, and tags
        its images so that no pruning takes them. Notes the start of the run, unless the release is current already.
      - V(current) makes a release that is complete the current one, and then removes releases that are not to be
        kept, with the files and images that only they had. Volumes, secrets and images that a container uses stay.
      - V(failed) notes that the release failed. It changes nothing else.
      - V(absent) removes the release's directory. The current release is not removed.
    type: str
    choices: [present, current, failed, absent]
    default: present
  files:
    description:
      - With O(state=present), the files of the release as P(portside.stack.release_files#filter) makes them, a
        mapping of path to C(content) and C(mode).
      - Without, the release has to be there and complete.
    type: dict
  action:
    description:
      - What the run does, for the history.
    type: str
    choices: [deploy, rollback]
    default: deploy
  why:
    description:
      - The reason for it, for the history.
    type: str
    default: ""
  error:
    description:
      - With O(state=failed), what went wrong. Of more than 8000 characters the middle is left out.
    type: str
    default: ""
  restored:
    description:
      - With O(state=failed), the release that serves again, empty when there was none and nothing runs. Left out when
        neither is so.
    type: str
  keep:
    description:
      - With O(state=current), how many good releases to keep, this one included. A release is good once it was verified.
    type: int
    default: 5
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned.
    type: str
    default: ""
notes:
  - Needs Docker on the host, except in check mode and with O(state=failed) and O(state=absent).
seealso:
  - module: portside.stack.release_info
  - module: portside.stack.compose_stack
"""

EXAMPLES = r"""
- name: Write a release beside the one that serves
  portside.stack.release:
    directory: /opt/stacks/hello
    release: "{{ release.id }}"
    files: "{{ release.files }}"
  vars:
    release: "{{ stacks[0] | portside.stack.release_files('/opt/stacks/hello', {}, prepared.images) }}"

- name: Make it the current one, and keep the three before it
  portside.stack.release:
    directory: /opt/stacks/hello
    release: 0123456789abcdef
    state: current
    keep: 4
"""

RETURN = r"""
current:
  description: The current release; empty before the first one.
  returned: with O(state=present)
  type: str
  sample: 0123456789abcdef
is_current:
  description:
    - Whether the release is the current one, with nothing left to do. It is not when what one of its steps did is lost,
      with a database that was restored or a volume that is gone.
  returned: with O(state=present)
  type: bool
tagged:
  description: The tags that now keep images of the release on the host and did not before.
  returned: with O(state=present)
  type: list
  elements: str
  sample: ["portside.stack/hello:5d2f0d8cbb1e"]
record:
  description: The event as it is in the history.
  returned: with O(state=current) and O(state=failed)
  type: dict
  sample: {event: deployed, action: deploy, stack: hello, release: 0123456789abcdef, who: ann, from: laptop, seconds: 41.3}
pruned:
  description: What was removed.
  returned: with O(state=current), except in check mode
  type: dict
  contains:
    releases:
      description: Names of releases.
      type: list
      elements: str
    files:
      description: Directories of mounted files.
      type: list
      elements: str
    images:
      description: References that were taken from images. The engine removes an image with its last one.
      type: list
      elements: str
    kept_images:
      description: Why images that no release needs were left, by their tag.
      type: dict
    secrets:
      description:
        - Versions of secrets that were overwritten and removed, by name. No release on the host names them any more, and
          no container mounts them.
      type: dict
      sample: {api_token: [1, 2]}
    logins:
      description: The services whose databases still let in with any of those, see M(portside.stack.database_logins).
      type: list
      elements: str
"""

import json
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._boot_unit import BootUnit
from ansible_collections.portside.stack.plugins.module_utils._check_headers import secret_values
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._lease import Lease, StackLock
from ansible_collections.portside.stack.plugins.module_utils._metrics_units import ensure_metrics
from ansible_collections.portside.stack.plugins.module_utils._release_actions import ReleaseOnHost
from ansible_collections.portside.stack.plugins.module_utils._release_schema import schemas_to_record
from ansible_collections.portside.stack.plugins.module_utils._release_store import RECORD, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._release_write import Label

# What the lock calls the work, and the seconds it may take.
STAGES = {"present": ("release", 300), "current": ("commit", 600), "failed": ("failure", 60), "absent": ("removal", 120)}


def labeller(module: AnsibleModule) -> Label:
    """Best effort: gives what is new the security context that the policy has for its place."""

    def label(path: str, target: str, replaces: bool) -> None:
        if module.selinux_enabled():
            context = module.selinux_context(target) if replaces else module.selinux_default_context(target)
            module.set_context_if_different(path, context, False)

    return label


def mask_headers(module: AnsibleModule) -> None:
    """Before anything can fail, as a failure's result carries the invocation too."""
    for path, entry in (module.params["files"] or {}).items():
        if os.path.basename(path) == RECORD:
            try:
                module.no_log_values.update(secret_values(json.loads(entry["content"])["checks"]))
            except (KeyError, TypeError, ValueError, AttributeError):
                continue  # refused later on, with the reason


def act(module: AnsibleModule, store: ReleaseStore, lease: t.Optional[Lease]) -> t.Dict[str, t.Any]:
    params = module.params
    engine = EngineClient()
    run = detached(module, os.environ, SOCKET)
    release = ReleaseOnHost(
        store,
        params["release"],
        FileSystem(),
        engine,
        labeller(module),
        time.time,
        module.warn,
        module.check_mode,
    )
    if params["state"] == "present":
        boot = BootUnit(FileSystem(), run)
        return release.present(params["files"], params["action"], params["why"], lease, module._diff, boot)
    if params["state"] == "current":
        done = release.current(
            params["action"],
            params["why"],
            params["keep"],
            lease,
            lambda: schemas_to_record(store, engine, run),
            lambda: [BootUnit(FileSystem(), run).ensure(store.directory), ensure_metrics(FileSystem(), run, store, params["release"])],
        )
        if not module.check_mode:
            Firewall(FileSystem(), run, time.time).settle(store.stack, module.warn)
        return done
    if params["state"] == "failed":
        return release.failed(params["action"], params["why"], params["error"], params["restored"], lease)
    return release.absent()


def locked(module: AnsibleModule, store: ReleaseStore) -> t.Dict[str, t.Any]:
    token = module.params["lock"]
    if module.check_mode:
        return act(module, store, None)
    lock = StackLock(store.stack, time.time)
    stage, seconds = STAGES[module.params["state"]]
    with lock.work(token, stage, seconds):
        return act(module, store, lock.read() if token else None)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "current", "failed", "absent"], "default": "present"},
            "files": {"type": "dict"},
            "action": {"type": "str", "choices": ["deploy", "rollback"], "default": "deploy"},
            "why": {"type": "str", "default": ""},
            "error": {"type": "str", "default": ""},
            "restored": {"type": "str"},
            "keep": {"type": "int", "default": 5},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
        no_log=True,  # keeps the headers of checks, which are in the record, out of the host's log
    )
    mask_headers(module)
    store = ReleaseStore(module.params["directory"])
    try:
        if module.params["keep"] < 1:
            raise StackError(
                "stack {0}: option keep: {1} is less than 1, but the current release stays. "
                "Remedy: give 1 or more.".format(store.stack, module.params["keep"])
            )
        result = locked(module, store)
    except StackError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg="stack {0}: {1}: {2}. Remedy: mend that on the host, then run again.".format(
                store.stack, error.filename or "a file of the stack", error.strerror
            )
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
