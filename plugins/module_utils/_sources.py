# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own code as text, for programs that run where no Ansible is.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import importlib
import re
import typing as t

_PACKAGE = "ansible_collections.portside.stack.plugins.module_utils"
_IMPORT = re.compile(r"^from {0}(?:\.(\w+) import\b| import (\w+))".format(re.escape(_PACKAGE)), re.MULTILINE)


def sources(main: str) -> t.Dict[str, str]:
    """The text of a module and of all that it needs, by name: what is needed comes first."""
    found: t.Dict[str, str] = {}

    def add(name: str) -> None:
        # From wherever this code itself was loaded: a checkout, or the archive that Ansible sends to the host.
        text = importlib.import_module(name).__spec__.loader.get_source(name)
        for inside, whole in _IMPORT.findall(text):
            needed = "{0}.{1}".format(_PACKAGE, inside or whole)
            if needed not in found:
                add(needed)
        found[name] = text

    add(main)
    return found
