# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of whether something takes connections.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._probe_connection import connected, hosts_of
from ansible_collections.portside.stack.plugins.module_utils._probe_world import World


def probe_tcp(check: Check, world: World, until: float) -> None:
    """Raises Objection unless each connection is made."""
    for host, port in hosts_of(check.options["tcp"], 0, world, until):
        with connected(world, host, port, until):
            pass
