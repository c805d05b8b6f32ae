# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret as a line of a file that Compose reads as `env_file`.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

VARIABLE_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # use fullmatch: it is part of a path
# In double quotes Compose replaces escapes first and variables then; the rest it leaves alone. A bare carriage return
# would be lost before a line feed.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "$$", "\n": "\\n", "\r": "\\r"}


def env_line(variable: str, value: str) -> str:
    """The line that gives a variable exactly that value."""
    if "\0" in value:
        raise StackError("variable %s: a NUL character cannot be in an environment: change the value" % variable)
    return '%s="%s"\n' % (variable, "".join(_ESCAPES.get(char, char) for char in value))
