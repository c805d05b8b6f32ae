# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module database_logins and shows its progress while it works."""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.plugin_utils._live_progress import LiveAction


class ActionModule(LiveAction):
    """Shows each login as it is made, and the servers on their way up."""

    MODULE = "database_logins"
