# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the firewall is on the host, and whether it is in place.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

# What a boot loads.
RULES = "/etc/portside/firewall.nft"
RUN = "/run/portside"
# How nft itself shows what was loaded: in its own words, and those may change with it, so not beyond a boot.
LISTED = RUN + "/firewall.listed"
# Rules that are in place until a fresh connection confirms them, or the host takes them back.
PENDING = RUN + "/firewall.pending"
LIST = ("nft", "-s", "list", "table", "inet", "portside")
DELETE = "add table inet portside\ndelete table inet portside\n"
_DAEMON = "/etc/docker/daemon.json"


def in_place(run: Run, fs: FileSystem, root: str = "") -> str:
    """Why the table is not what was loaded last; empty when it is."""
    code, out, _err = run(list(LIST), None)
    if code:
        return "the table inet portside is gone"
    if not fs.lstat(root + LISTED):
        return "nobody knows what of the table inet portside was loaded"
    if fs.read(root + LISTED).decode("utf-8") != out:
        return "the table inet portside was changed"
    return ""


def docker_rules_gone(run: Run, fs: FileSystem, root: str = "") -> str:
    """Why Docker's published ports do not work as Docker meant them to, as after a flush by others; empty when they do.

    Only a restart of the engine brings its rules back: nobody else knows them.
    """
    if not fs.lstat(root + "/sys/class/net/docker0") or _switched_off(fs, root):
        return ""
    code, tables, _err = run(["nft", "list", "tables"], None)
    if not code and "table ip docker-bridges" in tables.splitlines():
        return ""
    code, out, _err = run(["iptables", "-w", "-t", "nat", "-S", "PREROUTING"], None)
    if code or "-j DOCKER" in out:
        return ""
    return "Docker's own rules are gone. Remedy: systemctl restart docker (with live-restore containers go on meanwhile)"


def _switched_off(fs: FileSystem, root: str) -> bool:
    try:
        daemon: t.Any = json.loads(fs.read(root + _DAEMON).decode("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(daemon, dict) and daemon.get("iptables") is False
