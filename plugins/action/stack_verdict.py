# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the report of a verification, and ends it so that its exit code tells the verdict."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.portside.stack.plugins.plugin_utils._verdict import BROKEN, DRIFTED, verdict


class ActionModule(ActionBase):
    """Does nothing on the host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("drift", "checks", "exposure", "probed"))

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> t.Dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        del tmp
        given = self._task.args
        if set(given) != self._VALID_ARGS:
            raise AnsibleActionFail("stack_verdict takes the options {0}, all of them.".format(", ".join(sorted(self._VALID_ARGS))))
        host = (task_vars or {}).get("inventory_hostname", "")
        found = verdict(host, given["drift"], given["checks"], given["exposure"], given["probed"])
        Display().display("\n".join(found.lines))
        # Ansible shows all of a result that failed, and the report has just been shown.
        result.update(changed=False, verdict=found.name)
        if found.name == DRIFTED:
            result.update(failed=True, msg=found.summary)
        elif found.name == BROKEN:
            # As a host that does not answer: this is what ansible-playbook has an exit code of its own for.
            result.update(unreachable=True, msg=found.summary)
        return result
