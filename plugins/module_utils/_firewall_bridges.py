# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridges of the host: behind most are containers or guests, but some lead outside.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

_OF_DOCKER = re.compile(r"docker0\Z|docker_gwbridge\Z|br-[0-9a-f]{12}\Z")
_NAME_OPTION = "com.docker.network.bridge.name"
# Kinds of interfaces that stand for a cable, though they are no hardware.
_CABLES = re.compile(r"^DEVTYPE=(vlan|bond|wlan)$", re.MULTILINE)


def bridges(fs: FileSystem, root: str = "") -> t.List[str]:
    """All bridges."""
    net = root + "/sys/class/net"
    return [name for name in fs.listdir(net) if fs.stat("{0}/{1}/bridge".format(net, name))]


def uplink_bridges(fs: FileSystem, root: str = "") -> t.List[str]:
    """The bridges with a cable in them, or over which the host reaches the world."""
    routed = _default_routes(fs, root)
    return [name for name in bridges(fs, root) if name in routed or _has_cable(fs, "{0}/sys/class/net".format(root), name)]


def guests_bridges(fs: FileSystem, networks: t.Iterable[t.Mapping[str, t.Any]], root: str = "") -> t.List[str]:
    """The bridges that lead neither outside nor to containers of Docker, whose networks are given."""
    named = {(network.get("Options") or {}).get(_NAME_OPTION) for network in networks}
    known = named.union(uplink_bridges(fs, root))
    return [name for name in bridges(fs, root) if name not in known and not _OF_DOCKER.match(name)]


def _has_cable(fs: FileSystem, net: str, bridge: str) -> bool:
    for port in fs.listdir("{0}/{1}/brif".format(net, bridge)):
        home = "{0}/{1}".format(net, port)
        if fs.stat(home + "/device") or _CABLES.search(_read(fs, home + "/uevent")):
            return True
    return False


def _default_routes(fs: FileSystem, root: str) -> t.Set[str]:
    found = set()
    for line in _read(fs, root + "/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if fields[1] == fields[7] == "00000000":
            found.add(fields[0])
    for line in _read(fs, root + "/proc/net/ipv6_route").splitlines():
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00":
            found.add(fields[-1])
    return found


def _read(fs: FileSystem, path: str) -> str:
    try:
        return fs.read(path).decode("utf-8", "replace")
    except OSError:
        return ""  # a kernel without IPv6, or an interface that has just gone
