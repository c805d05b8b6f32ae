# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of the upgrade to a WebSocket.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import hashlib

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._probe_connection import asked
from ansible_collections.portside.stack.plugins.module_utils._probe_http import read_body
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UPGRADED = 101


def accept_of(key: str) -> str:
    """What a server has to answer to a key, which shows that it knows what a WebSocket is."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID).digest()).decode("ascii")


def probe_websocket(check: Check, world: World, until: float) -> None:
    """Raises Objection unless the server goes over to the protocol, or answers with the status that is asked for."""
    key = base64.b64encode(world.nonce(16)).decode("ascii")
    wanted = check.options.get("status", _UPGRADED)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    with asked(check, world, until, "GET", {**check.options["headers"], **headers}) as answer:
        if answer.status != wanted:
            seen = None if answer.status == _UPGRADED else read_body(answer)
            raise Objection("status {0} instead of {1}".format(answer.status, wanted) + ("" if seen is None else ", body"), seen)
        if wanted != _UPGRADED:
            return
        if (answer.headers.get("Upgrade") or "").strip().lower() != "websocket":
            raise Objection("status 101, but what it goes over to is no WebSocket")
        if (answer.headers.get("Sec-WebSocket-Accept") or "").strip() != accept_of(key):
            raise Objection("status 101, but Sec-WebSocket-Accept is not the answer to the key, so something between does not understand it")
