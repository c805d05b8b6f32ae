# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's real main() in this process."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args


class Outcome:
    """What came out: the result, and everything else that a person or a log could see."""

    def __init__(self, result, output, log, warnings):
        self.result = result
        self.output = output
        self.log = log
        self.warnings = warnings

    @property
    def seen(self):
        return self.output + self.log + "\n".join(self.warnings)

    def __getitem__(self, key):
        return self.result[key]


def run_module(main, capsys, arguments, check=False, diff=False):
    arguments = dict(
        arguments,
        _ansible_check_mode=check,
        _ansible_diff=diff,
        _ansible_remote_tmp="/tmp",
        _ansible_keep_remote_files=False,
    )
    capsys.readouterr()
    logged = []
    # Ansible hands a module's warnings to the controller's display where controller code is loaded too, as in this process.
    warnings = []
    with patch_module_args(arguments), mock.patch.object(
        AnsibleModule, "log", lambda self, msg, log_args=None: logged.append((msg, log_args))
    ), mock.patch.object(AnsibleModule, "warn", lambda self, warning: warnings.append(warning)):
        with pytest.raises(SystemExit) as exit_:
            main()
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert bool(result.get("failed")) == (exit_.value.code != 0)
    return Outcome(result, captured.out + captured.err, repr(logged), warnings)
