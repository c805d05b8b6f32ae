# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has the listening sockets of a host: containers by the engine's list or the process's cgroup, units, processes.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import owner_of
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import endpoint, owner
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

Found = t.Dict[str, t.Any]
Key = t.Tuple[str, str, int]

# Who holds a published port on the engine's behalf; none where processes cannot be seen.
_ENGINE = ("docker-proxy", "dockerd", "")
_ID = re.compile(r"[0-9a-f]{64}")
_COMM_LENGTH = 15


class Processes:
    """The host's processes, read through ``fs``; those of others may not be seen."""

    def __init__(self, fs: t.Any, root: str = "/proc") -> None:
        self._fs, self._root = fs, root
        self._ids: t.Dict[int, t.List[str]] = {}

    def read(self, pid: t.Any, name: str) -> str:
        """A file of a process; empty when it is gone or not ours to read."""
        try:
            return self._fs.read("{0}/{1}/{2}".format(self._root, pid, name)).decode("utf-8", "replace")
        except OSError:
            return ""

    def container_ids(self, pid: int) -> t.List[str]:
        """What may be ids of containers in a process's cgroup, of any hierarchy; several where engines are nested."""
        if pid not in self._ids:
            self._ids[pid] = _ID.findall(self.read(pid, "cgroup"))
        return self._ids[pid]

    def called(self, names: t.Collection[str]) -> t.List[t.Tuple[int, str]]:
        """The processes of some names in the host's own network."""
        wanted = {name[:_COMM_LENGTH] for name in names}
        found = []
        for entry in self._fs.listdir(self._root):
            if entry.isdigit():
                name = self.read(entry, "comm").strip()
                if name in wanted and self._network(entry) == self._network("self"):
                    found.append((int(entry), name))
        return found

    def _network(self, pid: t.Any) -> str:
        try:
            return self._fs.readlink("{0}/{1}/ns/net".format(self._root, pid))
        except OSError:
            return ""


def endpoints(
    listeners: t.Iterable[Listener],
    containers: t.Sequence[Found],
    processes: Processes,
    units: t.Mapping[Key, str],
    user: t.Callable[[int], str],
) -> t.List[Found]:
    """Every listening socket with its owner; ``user`` tells the name of a number."""
    by_id = {one["id"]: one for one in containers}
    publishing = {(port["protocol"], port["address"], port["published"]): one for one in containers for port in one["ports"]}
    found = []
    for one in listeners:
        key = (one.protocol, one.address, one.port)
        holder = publishing.get(key) if one.process in _ENGINE else None
        published = holder is not None
        if holder is None and one.pid:
            holder = next((by_id[known] for known in processes.container_ids(one.pid) if known in by_id), None)
        if holder is not None:
            # The one that answers, not the engine's own process in front of it.
            who = owner_of(holder) if published else dict(owner_of(holder), **_process(one, user))
        elif one.process:
            who = owner("process", **_process(one, user))
            who["process"] = units.get(key, one.process) if one.pid == 1 else one.process
        else:
            # A socket of the kernel's own, such as WireGuard's, has no inode that anybody could hold.
            kernel = {"process": "kernel"} if one.inode == "0" else {}
            who = owner("process" if kernel else "unknown", user=user(one.uid), **kernel)
        found.append(dict(endpoint(*key), owner=who, published=published))
    return sorted(_unique(found), key=lambda one: (one["port"], one["protocol"], one["family"], one["address"]))


def _process(one: Listener, user: t.Callable[[int], str]) -> Found:
    return {"process": one.process, "pid": one.pid, "user": user(one.uid)}


def _unique(found: t.Iterable[Found]) -> t.List[Found]:
    """Without the copies of those who share a port among several sockets."""
    kept: t.List[Found] = []
    seen = set()
    for one in found:
        mark = (one["protocol"], one["address"], one["port"], one["owner"]["container_id"], one["owner"]["process"])
        if mark not in seen:
            seen.add(mark)
            kept.append(one)
    return kept


def socket_units(run: Run) -> t.Dict[Key, str]:
    """The systemd units that hold sockets for services that may not run yet."""
    code, out, _err = run(["systemctl", "list-sockets", "--no-legend", "--no-pager", "--full"], None)
    found = {}
    for line in out.splitlines() if code == 0 else ():
        words = line.split()
        address, _colon, port = words[0].rpartition(":") if words else ("", "", "")
        if port.isdigit() and len(words) > 1:
            # The list does not tell TCP from UDP.
            for protocol in ("tcp", "udp"):
                found[(protocol, address.strip("[]") or "::", int(port))] = words[1]
    return found
