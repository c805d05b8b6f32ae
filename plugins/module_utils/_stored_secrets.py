# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a stack's secrets on its host: to use one, and to keep all of them out of what is shown.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor
from ansible_collections.portside.stack.plugins.module_utils._secrets import VERSION_RE, secret_path


class StoredSecrets:
    """Those below ``secrets`` in the stack's directory, if there is one; ``versions`` are the ones of a release."""

    def __init__(self, directory: t.Optional[str], versions: t.Mapping[str, int]) -> None:
        self._home = os.path.join(directory, "secrets") if directory else ""
        self._versions = versions
        self.redact = redactor(self._home) if directory else str

    def value(self, name: str) -> str:
        """The value of a secret, in the version of the release or else the newest. Raises Objection where there is none."""
        if not self._home:
            raise Objection("secret {0} is not known".format(name), remedy="give the stack's directory")
        try:
            version = self._versions.get(name) or self._newest(name)
            with open(secret_path(self._home, name, version), encoding="utf-8", errors="surrogateescape", newline="") as file:
                return file.read()
        except OSError as error:
            raise Objection("secret {0} cannot be read: {1}".format(name, error.strerror), remedy="see {0}, and deploy again".format(self._home)) from error

    def _newest(self, name: str) -> int:
        versions = [int(version) for version in os.listdir(os.path.join(self._home, name)) if VERSION_RE.fullmatch(version)]
        return max(versions, default=1)
