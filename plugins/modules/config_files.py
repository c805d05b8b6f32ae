#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a set of files as declared, all of them or none."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Keep a set of files as declared, all of them or none
version_added: 1.0.0
description:
  - Takes a whole mapping of files in one remote execution, where M(ansible.builtin.copy) takes one file in several.
  - Every new file is written beside its target and judged by its O(files) C(validate) command before anything changes.
    Then all are renamed into place. When one of them fails, those already replaced are put back, and the task fails.
  - A file that is as declared is not touched. A changed file is replaced by a new one, so a process or a bind mount
    that holds the old one goes on seeing it.
  - In check mode on a host where accounts or validators are still to be installed, these are named in warnings
    instead of failing the plan.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Content is withheld for files that are sensitive and for files removed by O(purge).
  idempotent:
    support: full
options:
  files:
    description:
      - The files, as a mapping of absolute path to a mapping of what the file is. Unknown keys are refused.
      - C(content) is the text, kept byte for byte, with or without a newline at its end.
      - C(mode) is an octal string in quotes, V(0644) unless given. Numbers and symbolic modes are refused.
      - C(owner) and C(group) are names or numbers, V(root) unless given.
      - C(state) is V(present), or V(absent) to remove a file or a symlink, which is never followed. A directory is
        never removed.
      - C(validate) is a command as a list of words, one of which holds V(%s), which is replaced by the path of the
        new file.
        It is run when content changes, without a shell.
      - C(sensitive) withholds the content from the diff, the invocation and error messages. Prefer
        O(secret_contents), which Ansible masks everywhere.
    type: dict
    required: true
  secret_contents:
    description:
      - Content by path for those O(files) that have no C(content). They are sensitive.
    type: dict
    default: {}
  directories:
    description:
      - Directories that must exist before the files, as a mapping of absolute path to C(mode) (V(0755) unless given),
        C(owner) and C(group).
      - Other missing parents of O(files) are created with mode V(0755), owned by V(root).
    type: dict
    default: {}
  purge:
    description:
      - Directories in which files and symlinks that are not in O(files) are removed. What lies deeper, and what is
        not a file, stays.
    type: list
    elements: path
    default: []
author:
  - the portside.stack contributors (@portside)
"""

EXAMPLES = r"""
- name: Configure sshd and sudo
  portside.stack.config_files:
    files:
      /etc/ssh/sshd_config.d/50-portside.conf:
        content: |
          PasswordAuthentication no
        mode: "0600"
        validate: [sshd, -t, -f, "%s"]
      /etc/sudoers.d/deploy:
        content: "deploy ALL=(ALL) NOPASSWD: ALL\n"
        mode: "0440"
        validate: [visudo, -cf, "%s"]

- name: Keep exactly these files in a directory
  portside.stack.config_files:
    files: "{{ release.files }}"
    secret_contents:
      /opt/stacks/selflink/edge/credentials.json: "{{ tunnel_credentials }}"
    directories:
      /opt/stacks/selflink/edge: {mode: "0750"}
    purge:
      - /opt/stacks/selflink/edge
"""

RETURN = r"""
changed_files:
  description: Paths of the files that were created, replaced or removed, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/50-portside.conf]
changed_directories:
  description: Paths of the directories that were created or given other attributes, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d]
not_validated:
  description: Paths of files that check mode could not have validated, because the validator is not on the host yet.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._files import parse
from ansible_collections.portside.stack.plugins.module_utils._files_apply import apply, preview
from ansible_collections.portside.stack.plugins.module_utils._files_diff import diff
from ansible_collections.portside.stack.plugins.module_utils._files_plan import Planner
from ansible_collections.portside.stack.plugins.module_utils._filesystem import Accounts, FileSystem


class Programs:
    """The validators' way out, through the module."""

    def __init__(self, module):
        self._module = module

    def find(self, program):
        return self._module.get_bin_path(program)

    def run(self, argv):
        code, out, err = self._module.run_command(argv)
        return code, out + err


def labeller(module):
    """Best effort: keeps a replaced file's SELinux context, gives a new one the policy's default."""

    def label(path, target, replaces):
        if module.selinux_enabled():
            context = module.selinux_context(target) if replaces else module.selinux_default_context(target)
            module.set_context_if_different(path, context, False)

    return label


def mask_sensitive(module):
    """Before anything can fail, as a failure's result carries the invocation too."""
    for entry in module.params["files"].values():
        if isinstance(entry, dict) and entry.get("sensitive") and entry.get("content"):
            module.no_log_values.add(str(entry["content"]))


def run(module):
    fs = FileSystem()
    declaration = parse(**{key: module.params[key] for key in ("files", "secret_contents", "directories", "purge")})
    plan = Planner(fs, Accounts(), module.check_mode).plan(declaration)
    warnings = list(plan.warnings)
    result = {
        "changed": plan.changed,
        "changed_files": [change.path for change in plan.files],
        "changed_directories": [change.path for change in plan.directories],
        "not_validated": [],
    }
    if module._diff:
        result["diff"] = diff(plan, fs)
    if module.check_mode:
        for path, program in preview(plan, fs, Programs(module), module.tmpdir):
            result["not_validated"].append(path)
            warnings.append("%s: not validated, %s is not on this host yet" % (path, program))
    else:
        warnings += apply(plan, fs, Programs(module), labeller(module))
    for warning in warnings:
        module.warn(warning)
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "dict", "required": True},
            "secret_contents": {"type": "dict", "default": {}, "no_log": True},
            "directories": {"type": "dict", "default": {}},
            "purge": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
        no_log=True,  # keeps the whole invocation, where sensitive content may stand in files, out of the host's log
    )
    mask_sensitive(module)
    try:
        result = run(module)
    except StackError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg="%s: %s" % (exc.filename, exc.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
