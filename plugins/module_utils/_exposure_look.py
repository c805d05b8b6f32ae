# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at the host that this runs on, for a module and for the host's own program alike.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import pwd

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_facts import Found, World, read_facts
from ansible_collections.portside.stack.plugins.module_utils._exposure_rows import with_routes
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners


def look(engine: EngineClient, run: Run, root: bool, declared: Declared) -> Found:
    """All facts, with the routes that are declared. ``run`` answers 127 where a program is not there."""
    return with_routes(read_facts(World(engine, run, FileSystem(), listeners, _user, root)), declared)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
