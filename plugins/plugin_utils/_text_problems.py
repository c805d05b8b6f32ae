# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of a stack's text: what Compose would interpolate, and what YAML did not read as data.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

_VARIABLE = re.compile(r"\$(\{[^}]*\}?|[A-Za-z_][A-Za-z0-9_]*)?")
# What no file can hold, and what Compose cannot be told.
_BROKEN = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00\x7f-\x9f\ufeff\ufffe\uffff]")
_PLAIN_TYPES = (str, bool, int, float, type(None))


def text_problems(report: Report, value: t.Any, path: str, interpolated: bool = True) -> None:
    """Judges every text and every key below; `path` names the place."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                report.add(path, "key {0} is not text; quote it".format(shown(key)))
            text_problems(report, item, "{0}.{1}".format(path, key) if path else str(key), interpolated)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            text_problems(report, item, "{0}[{1}]".format(path, index), interpolated)
    elif type(value).__name__ == "EncryptedString":
        report.add(path, "a vaulted value would be readable here; declare it under `secrets`, the value in stack_secrets")
    elif not isinstance(value, _PLAIN_TYPES):
        report.add(path, "YAML read a {0} here; quote the value".format(type(value).__name__))
    elif isinstance(value, str) and (_BROKEN.search(value) or interpolated and _CONTROL.search(value)):
        report.add(path, "it has a character that is no text; take it out")
    elif isinstance(value, str) and interpolated:
        found = _VARIABLE.search(value.replace("$$", ""))
        if found and found.group(1):
            report.add(
                path,
                "{0} would be read from the environment of whoever runs Compose; write the value, an Ansible "
                "variable, or $${1} for the container's own shell".format(found.group(0), found.group(1)),
            )
        elif found:
            report.add(path, "Compose refuses a single $; write $$ for the character")
