# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

from ansible_collections.portside.stack.plugins.plugin_utils._registry_auths import registry_auths


def test_each_registry_gets_its_own_account():
    text = registry_auths(
        [
            {"host": "ghcr.io", "username": "ops", "password": "p:wörd"},
            {"host": "docker.io", "username": "hub", "password": "token"},
        ]
    )
    auths = json.loads(text)["auths"]
    assert {host: base64.b64decode(entry["auth"]).decode() for host, entry in auths.items()} == {
        "ghcr.io": "ops:p:wörd",
        "https://index.docker.io/v1/": "hub:token",
    }
    assert text.endswith("\n")
