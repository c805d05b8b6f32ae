# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers use of the host's CPUs and memory: read from their cgroups, of version 1 or 2, whatever the engine answers.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Counted as `docker stats` does: CPU as a share of one CPU, memory without the pages of files that nobody used of late
(calculateMemUsageUnixNoCache of docker/cli).
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock

# Between the two readings of the CPU's time.
INTERVAL = 0.5
_V2 = ""


class Reading(t.NamedTuple):
    """What a cgroup says at one moment."""

    at: float
    cpu: float  # seconds of CPU time so far
    memory: int


class Usage(t.NamedTuple):
    """What a container uses now."""

    cpu_percent: float
    memory: int


class Cgroups:
    """The cgroups of processes, as they are seen from here. ``fs`` reads files."""

    def __init__(self, fs: t.Any, proc: str = "/proc") -> None:
        self._fs, self._proc = fs, proc
        # controller -> the cgroup that is mounted, and where; version 2 has one for all.
        try:
            self._mounts = mounts_of(self._text(proc + "/self/mountinfo"))
        except OSError:
            self._mounts = {}

    def read(self, pid: int, at: float) -> t.Optional[Reading]:
        """None where the process has ended, or its cgroup is not to be seen from here."""
        try:
            paths = paths_of(self._text("{0}/{1}/cgroup".format(self._proc, pid)))
            if "memory" in self._mounts and "cpuacct" in self._mounts:
                return self._version_1(paths, at)
            return self._version_2(paths, at)
        except (OSError, KeyError, ValueError):
            return None

    def _version_1(self, paths: t.Mapping[str, str], at: float) -> Reading:
        memory = self._directory("memory", paths)
        used = int(self._text(memory + "/memory.usage_in_bytes"))
        idle = _values(self._text(memory + "/memory.stat"))["total_inactive_file"]
        return Reading(at, int(self._text(self._directory("cpuacct", paths) + "/cpuacct.usage")) / 1e9, _without(used, idle))

    def _version_2(self, paths: t.Mapping[str, str], at: float) -> Reading:
        directory = self._directory(_V2, paths)
        used = int(self._text(directory + "/memory.current"))
        idle = _values(self._text(directory + "/memory.stat"))["inactive_file"]
        return Reading(at, _values(self._text(directory + "/cpu.stat"))["usage_usec"] / 1e6, _without(used, idle))

    def _directory(self, controller: str, paths: t.Mapping[str, str]) -> str:
        root, point = self._mounts[controller]
        path, root = paths[controller], root.rstrip("/")
        # In a container a part of the tree is mounted, while paths may be told from its top.
        inside = path[len(root) :] if path == root or path.startswith(root + "/") else path
        return (point + inside).rstrip("/")

    def _text(self, path: str) -> str:
        return self._fs.read(path).decode("utf-8", "replace")


def usages(cgroups: Cgroups, pids: t.Iterable[int], clock: Clock) -> t.Dict[int, Usage]:
    """What each of these processes' containers uses: all are read, and after a moment all are read again."""
    before = {pid: cgroups.read(pid, clock.monotonic()) for pid in pids}
    if not before:
        return {}
    clock.sleep(INTERVAL)
    found = {}
    for pid, first in before.items():
        second = cgroups.read(pid, clock.monotonic())
        if first and second and second.at > first.at:
            share = max(0.0, second.cpu - first.cpu) / (second.at - first.at)
            found[pid] = Usage(round(100 * share, 1), second.memory)
    return found


def mounts_of(text: str) -> t.Dict[str, t.Tuple[str, str]]:
    """Where controllers are mounted, from a mountinfo: the first place counts."""
    found: t.Dict[str, t.Tuple[str, str]] = {}
    for line in text.splitlines():
        left, _dash, right = line.partition(" - ")
        words, kind = left.split(), right.split()
        if len(words) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2":
            found.setdefault(_V2, (words[3], words[4]))
        elif kind[0] == "cgroup":
            for option in kind[2].split(","):
                found.setdefault(option, (words[3], words[4]))
    return found


def paths_of(text: str) -> t.Dict[str, str]:
    """controller -> the path of a process, from its cgroup file."""
    found = {}
    for line in text.splitlines():
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        for controller in controllers.split(",") if number != "0" else [_V2]:
            found[controller] = path
    return found


def _values(text: str) -> t.Dict[str, int]:
    return {name: int(value) for name, value in (line.split(None, 1) for line in text.splitlines() if " " in line)}


def _without(used: int, idle: int) -> int:
    return used - idle if idle < used else used
