# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the credentials of a tunnel, before cloudflared is to connect with them. Never says what they are.

Their format is that of ``connection.Credentials``, written by ``cloudflared tunnel create``:
https://github.com/cloudflare/cloudflared/blob/master/connection/connection.go

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t

_FILE = "put the JSON file that `cloudflared tunnel create` wrote into stack_secrets, as it is"


def credentials_problem(text: str, tunnel: str) -> str:
    """Why cloudflared could not connect the tunnel with the text, and what to do; empty where nothing tells."""
    try:
        found = json.loads(text)
    except ValueError:
        return "{0}; {1}".format(_other_file(text), _FILE)
    if not isinstance(found, dict):
        return "its value is JSON, but no credentials of a tunnel; {0}".format(_FILE)
    # As Go reads JSON.
    given = {str(key).lower(): value for key, value in found.items()}
    for key in ("AccountTag", "TunnelSecret"):
        if not isinstance(given.get(key.lower()), str) or not given[key.lower()].strip():
            return "its value has no {0}, without which the tunnel cannot connect; {1}".format(key, _FILE)
    if not _is_base64(given["tunnelsecret"]):
        return "the TunnelSecret in its value is not base64, so it is not whole; {0}".format(_FILE)
    # cloudflared overlooks which tunnel they are of, and is refused by Cloudflare then.
    of_tunnel: t.Any = given.get("tunnelid")
    if of_tunnel is not None and str(of_tunnel).lower() != tunnel.lower():
        return "its value is of another tunnel than edge.tunnel, {0}; put the credentials of that one into stack_secrets, or correct edge.tunnel".format(tunnel)
    return ""


def _other_file(text: str) -> str:
    if text.lstrip().startswith("-----BEGIN"):
        return "its value is a PEM file, perhaps the cert.pem of `cloudflared tunnel login`, with which no tunnel connects"
    if text.lstrip().startswith("eyJ"):
        return "its value is a token, for a tunnel whose rules are kept at Cloudflare, and not made of the routes"
    return "its value is no JSON"


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
