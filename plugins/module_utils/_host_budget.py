# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host has what its stacks reserve: those of a run, and those whose releases are on it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._budget import (
    Capacity,
    Reservation,
    cpu_warning,
    limit_warnings,
    memory_problem,
    reservations,
)
from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore, released_stacks

_MEMORY = re.compile(rb"^MemTotal:\s+([0-9]+) kB$", re.MULTILINE)


class HostBudget:
    """What is reserved on one host. ``declared`` is what the stacks of this run reserve, by stack."""

    def __init__(
        self,
        declared: t.Mapping[str, t.List[Reservation]],
        headroom: str,
        host: str,
        files: FileSystem,
        cpu_count: t.Callable[[], t.Optional[int]],
    ) -> None:
        size = byte_size(headroom)
        if size is None:
            raise StackError("memory_headroom: value {0!r} is not a size. Remedy: write for example 512M.".format(headroom))
        self._declared, self._headroom, self._host = declared, size, host
        self._files, self._cpu_count = files, cpu_count

    def judge(
        self, definition: t.Mapping[str, t.Any], stack_root: str, engine: t.Optional[EngineClient]
    ) -> t.Tuple[t.List[str], t.List[str]]:
        """Why a stack may not be deployed, and what to warn of. ``definition`` is that of the stack, below ``stack_root``."""
        capacity = self._capacity(engine)
        reserved = {definition["name"]: _of(definition), **self._declared}
        warnings = limit_warnings(definition["name"], definition["services"], capacity)
        for stack in released_stacks(stack_root):
            if stack in reserved:
                continue
            store = ReleaseStore("{0}/{1}".format(stack_root, stack))
            try:
                reserved[stack] = _of(store.read(store.current())["definition"])
            except (StackError, OSError) as error:
                warnings.append("what stack {0} reserves on host {1} is not known: {2}".format(stack, self._host, error))
        return memory_problem(reserved, capacity, self._headroom), warnings + cpu_warning(reserved, capacity)

    def _capacity(self, engine: t.Optional[EngineClient]) -> Capacity:
        """As the engine says; without one, as the kernel does."""
        if engine is not None:
            info = engine.get("/info")
            return Capacity(self._host, info["MemTotal"], info["NCPU"])
        found = _MEMORY.search(self._files.read("/proc/meminfo"))
        return Capacity(self._host, int(found.group(1)) * 1024 if found else 0, self._cpu_count() or 0)


def _of(definition: t.Mapping[str, t.Any]) -> t.List[Reservation]:
    services = definition["services"]
    return reservations(services, {name for name, service in services.items() if service.get("restart") == "no"})
