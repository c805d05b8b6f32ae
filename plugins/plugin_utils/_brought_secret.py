# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of naming a secret whose value somebody else makes: a key, or a credentials file.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._secret_schema import SECRET_NAME_RE
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report


def brought_secret_problems(report: Report, where: str, name: str, stack: model.Mapping, what: str) -> None:
    """Judges the name of such a secret. What is no name may be the value itself, and is not shown."""
    secrets = model.sections(stack, "secrets")
    if name not in secrets:
        if not SECRET_NAME_RE.fullmatch(name):
            report.add(where, "it is not the name of a secret; declare one under `secrets`, whose value in stack_secrets is {0}".format(what))
        else:
            report.unknown(where, name, secrets, "a declared secret", "declare it under `secrets`; its value in stack_secrets is {0}".format(what))
    elif "generate" in secrets[name]:
        text = "secret {0!r} is made on the host, but its value has to be {1}; take `generate` out, and put it into stack_secrets"
        report.add(where, text.format(name, what))
