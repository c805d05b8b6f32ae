# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials file of the docker command.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import json

DOCKER_HUB = "https://index.docker.io/v1/"


def registry_auths(registries):
    """The text of ~/.docker/config.json for a list of {host, username, password}."""
    auths = {}
    for registry in registries:
        host = DOCKER_HUB if registry["host"] == "docker.io" else str(registry["host"])
        pair = "%s:%s" % (registry["username"], registry["password"])
        auths[host] = {"auth": base64.b64encode(pair.encode("utf-8")).decode("ascii")}
    return json.dumps({"auths": auths}, indent=2, sort_keys=True) + "\n"
