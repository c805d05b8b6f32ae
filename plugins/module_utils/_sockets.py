# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on this host: the kernel's socket tables and the processes behind them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import glob
import ipaddress
import os
import re
import struct
import typing as t

_LISTENING = {"tcp": "0A", "udp": "07"}


class Listener(t.NamedTuple):
    """A listening socket."""

    protocol: str
    address: str
    port: int
    inode: str
    pid: int = 0
    process: str = ""
    uid: int = -1


def parse_table(protocol: str, table: str) -> t.List[Listener]:
    """The listening sockets of one of the kernel's tables (``/proc/net/tcp`` and its kin)."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING[protocol]:
            address, _colon, port = fields[1].partition(":")
            found.append(Listener(protocol, _address(address), int(port, 16), fields[9], uid=int(fields[7])))
    return found


def _address(digits: str) -> str:
    # The kernel prints each 32 bit word in the host's byte order.
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = struct.pack("={0}I".format(len(words)), *words)
    address = ipaddress.ip_address(packed)
    return str(getattr(address, "ipv4_mapped", None) or address)


def listeners(root: str = "/proc") -> t.List[Listener]:
    """All listening sockets of the host with their owners, as far as they may be seen."""
    found = []
    for protocol in ("tcp", "udp"):
        for family in ("", "6"):
            try:
                with open(os.path.join(root, "net", protocol + family)) as handle:
                    found += parse_table(protocol, handle.read())
            except FileNotFoundError:
                continue  # a kernel without IPv6
    owners = _owners(root, {listener.inode for listener in found})
    return [
        (
            listener._replace(pid=owners[listener.inode][0], process=owners[listener.inode][1])
            if listener.inode in owners
            else listener
        )
        for listener in found
    ]


def _owners(root: str, inodes: t.Set[str]) -> t.Dict[str, t.Tuple[int, str]]:
    owners: t.Dict[str, t.Tuple[int, str]] = {}
    for link in glob.iglob(os.path.join(root, "[0-9]*", "fd", "*")):
        try:
            held = re.match(r"socket:\[(\d+)\]", os.readlink(link))
            if held and held.group(1) in inodes and held.group(1) not in owners:
                process = os.path.dirname(os.path.dirname(link))
                with open(os.path.join(process, "comm")) as handle:
                    owners[held.group(1)] = (int(os.path.basename(process)), handle.read().strip())
        except OSError:
            continue  # the process is gone, or not ours to look at
    return owners
