#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps versioned secret files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_files
short_description: Keep versioned secret files for a stack
version_added: 1.0.0
description:
  - Writes every secret to C(DIRECTORY/NAME/VERSION), owned by root, with mode C(0400).
    A value that no version has becomes the next version; one that was there before has the version it had. Older
    versions stay, so that an older release can come back.
  - For every other owner or mode in C(files), the same content is in C(DIRECTORY/NAME/VERSION-UID-GID-MODE),
    because Compose ignores C(uid), C(gid) and C(mode) of secrets that are files.
  - A version appears whole or not at all. When a run is killed between a version and its copies, the next one
    completes the copies.
  - No value, and nothing computed from one, is ever in a result, a diff or a log.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Predicts the versions.
  diff_mode:
    support: full
    details:
      - Tells names, versions and file names only.
  idempotent:
    support: full
options:
  directory:
    description:
      - The directory of a stack's secrets, for example C(/opt/stacks/selflink/secrets). Only root may enter it.
        Bind mounts of its files work nevertheless, they are made by root.
    type: path
    required: true
  secrets:
    description:
      - The secrets, as a mapping of name to how each is made. Unknown keys are refused.
      - C(generate) is a length from V(16) to V(4096). Without a value, a random string of that many letters and
        digits is made
        on the host once, and kept. It never leaves the host.
      - C(files) is a list of C(uid) (V(0) unless given), C(gid) (V(0)) and C(mode) (V(0400), an octal string in
        quotes).
        Modes that let everybody read are refused.
    type: dict
    required: true
  values:
    description:
      - Values by name. A value wins over C(generate). It is written byte for byte in UTF-8, without a newline being
        added.
    type: dict
    default: {}
author:
  - the portside.stack contributors (@portside)
"""

EXAMPLES = r"""
- name: Write the secrets
  portside.stack.secret_files:
    directory: /opt/stacks/selflink/secrets
    secrets:
      django_secret_key:
        generate: 64
      postgres_password:
        files:
          - {uid: 999, gid: 999}
          - {uid: 70, gid: 70, mode: "0440"}
    values:
      postgres_password: "{{ vault_postgres_password }}"
  register: secret_files
"""

RETURN = r"""
versions:
  description: The version of every secret, by name. It is the newest, unless its value was there before.
  returned: success
  type: dict
  sample: {django_secret_key: 1, postgres_password: 3}
differs:
  description:
    - Whether anything was not as declared. The same as C(changed), for tasks with C(changed_when) that ask in check mode
      what is to be done later.
  returned: success
  type: bool
"""

from secrets import choice

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secrets import SecretStore, diff, parse


def run(module):
    store = SecretStore(FileSystem(), module.params["directory"], choice)
    plan = store.plan(parse(module.params["secrets"], module.params["values"]))
    if not module.check_mode:
        store.apply(plan)
    result = {"changed": plan.changed, "versions": plan.versions, "differs": plan.changed}
    if module._diff:
        result["diff"] = diff(plan)
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "secrets": {"type": "dict", "required": True, "no_log": False},  # names, not values
            "values": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except StackError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg="%s: %s" % (exc.filename, exc.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
