# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration from the environment: NAME, or the content of the file NAME_FILE names."""

from __future__ import annotations

import os
from pathlib import Path

_REQUIRED = object()


def read(*names: str, default: object = _REQUIRED) -> str:
    """The first of `names` that is set. Ends the process when none is and there is no default."""
    for name in names:
        value, file_name = os.environ.get(name), os.environ.get(f"{name}_FILE")
        if value and file_name:
            raise SystemExit(f"selflink: both {name} and {name}_FILE are set; set one of them")
        if file_name:
            try:
                value = Path(file_name).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SystemExit(f"selflink: {name}_FILE: {error}") from error
            if not value:
                raise SystemExit(f"selflink: {name}_FILE: {file_name} is empty")
        if value:
            return value
    if default is _REQUIRED:
        wanted = " or ".join(f"{name} (or {name}_FILE)" for name in names)
        raise SystemExit(f"selflink: {wanted} is required and not set")
    return default


def read_bool(name: str) -> bool:
    value = read(name)
    # "False", "0" or "off" taken for true by a lenient parser has put debug pages on the internet.
    if value not in ("true", "false"):
        raise SystemExit(f"selflink: {name} is {value!r}; it has to be exactly true or false")
    return value == "true"
