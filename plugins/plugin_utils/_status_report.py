# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a host for programs and for people, with the way to it that the controller knows.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._status_text import screen
from ansible_collections.portside.stack.plugins.plugin_utils._status_tunnels import with_tunnels

_KEYS = ("time", "unseen")


def status_report(status: t.Mapping[str, t.Any], host: str, ssh: t.Optional[t.Mapping[str, t.Any]] = None) -> t.Dict[str, t.Any]:
    """What the module stack_status found on a host of the inventory, with tunnels, and as lines to read."""
    stacks = with_tunnels(status["stacks"], {"host": host, **(ssh or {})})
    told = {"host": host, **{key: status[key] for key in _KEYS}, "stacks": stacks}
    return {"status": told, "lines": screen(told)}
