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
    versions stay, so that an older release can come back. M(portside.stack.release) removes those that none needs.
  - For every other owner or mode in C(files), the same content is in C(DIRECTORY/NAME/VERSION-UID-GID-MODE),
    because Compose ignores C(uid), C(gid) and C(mode) of secrets that are files.
  - For a C(variable) in C(files), a line for Compose's C(env_file) that sets it to the value is in a file that has
    C(.VARIABLE.env) at its end.
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
    details:
      - But for O(rotate), which makes a version each time.
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
      - C(template) composes the value from other secrets of O(secrets), which are no templates themselves. V({NAME}) is
        replaced by a value, V({NAME:ENCODING}) by the value written so that it is read as it is in that place. The
        encodings are V(raw); V(url), percent-encoded; V(json), inside a string; V(redis_conf), a word of C(redis.conf)
        with its quotes; V(userlist), a word of PgBouncer's C(userlist.txt) with its quotes; and V(login), in place of the
        value the name of the login. In a template that starts with C(SCHEME://) it is V(url) unless given, else V(raw).
        Other text in braces stays as it is.
      - C(login) is a mapping with the C(role) of a database that each version is the password of a login for. The login
        of a version is called SECRET_vVERSION; M(portside.stack.database_logins) makes it in the database C(service).
      - C(files) is a list of C(uid) (V(0) unless given), C(gid) (V(0)), C(mode) (V(0400), an octal string in quotes)
        and C(variable). Modes that let everybody read are refused.
    type: dict
    required: true
  values:
    description:
      - Values by name. A value wins over C(generate). It is written byte for byte in UTF-8, without a newline being
        added. Values of secrets that are not in O(secrets) are ignored.
    type: dict
    default: {}
  rotate:
    description:
      - Names of generated secrets that get a new version, and what is composed from them with them. To rotate one with a
        value, change the value.
    type: list
    elements: str
    default: []
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
      shop_login:
        generate: 32
        login: {service: postgres, role: shop}
      database_url:
        template: "postgresql://{shop_login:login}:{shop_login}@pgbouncer:6432/shop"
        files:
          - {uid: 10001, gid: 10001}
    values:
      postgres_password: "{{ vault_postgres_password }}"
  register: secret_files

- name: Make a secret anew
  portside.stack.secret_files:
    directory: /opt/stacks/selflink/secrets
    secrets:
      django_secret_key:
        generate: 64
    rotate: [django_secret_key]
"""

RETURN = r"""
versions:
  description: The version of every secret, by name. It is the newest, unless its value was there before.
  returned: success
  type: dict
  sample: {django_secret_key: 1, postgres_password: 3}
renewed:
  description: The names of the secrets that get a version newer than any they had.
  returned: success
  type: list
  elements: str
  sample: [postgres_password]
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
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import parse
from ansible_collections.portside.stack.plugins.module_utils._secrets import SecretStore, diff


def run(module):
    store = SecretStore(FileSystem(), module.params["directory"], choice)
    plan = store.plan(parse(module.params["secrets"], module.params["values"], module.params["rotate"]))
    if not module.check_mode:
        store.apply(plan)
    result = {"changed": plan.changed, "versions": plan.versions, "renewed": plan.renewed, "differs": plan.changed}
    if module._diff:
        result["diff"] = diff(plan)
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "secrets": {"type": "dict", "required": True, "no_log": False},  # names, not values
            "values": {"type": "dict", "default": {}, "no_log": True},
            "rotate": {"type": "list", "elements": "str", "default": []},
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
