# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of a stack, as its nginx edge has them and serves them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation
from ansible_collections.portside.stack.plugins.module_utils._drift_model import Drift
from ansible_collections.portside.stack.plugins.module_utils._edge_activate import Edge
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import CONFIG, EdgeDirectory
from ansible_collections.portside.stack.plugins.module_utils._edge_server import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore

_SHOWN_LINES = 6
_BOOTED = re.compile(r"^btime ([0-9]+)$", re.MULTILINE)


def route_drift(
    fs: FileSystem, engine: EngineClient, run: Run, clock: Clock, network: HostNetwork, store: ReleaseStore, release: str, found: Situation
) -> t.List[Drift]:
    """Why the edge does not serve the release's routes, or would not when it reads its files again."""
    edge = Edge(found.definition, store.compose_file(release), store.directory, engine, run, clock, network, lambda _line: None)
    if not edge.service:
        return []
    try:
        work = edge.look(found.containers, found.services, (), True)
    except StackError as error:
        return [Drift(found.stack, edge.service, "route", "cannot be judged: {0}".format(error))]
    if work is None or not work.reasons:
        return []
    unserved = bool(work.running) and not edge.serves(work.running)
    wanted, there = work.wanted[CONFIG], EdgeDirectory(store.directory, fs).read(CONFIG)
    if wanted.content is None or there == wanted.content:
        return [Drift(found.stack, edge.service, "route", reason, broken=unserved) for reason in work.reasons]
    path = os.path.join(store.directory, "edge", CONFIG)
    broken = unserved or any(_read_since(fs, engine, container, path) for container in work.running)
    loaded = "and what it says is served" if broken else "and would be served after a reload"
    what = "{0} is not the release's, {1}: {2}".format(path, loaded, changed_lines(wanted.content, there or b""))
    others = [reason for reason in work.reasons if reason != wanted.why]
    return [
        Drift(found.stack, edge.service, "route", what, "the release's", "another one" if there else "none", broken=broken),
        *(Drift(found.stack, edge.service, "route", reason, broken=unserved) for reason in others),
    ]


def changed_lines(wanted: bytes, there: bytes) -> str:
    """The lines that are missing and those that were added, the first of them."""
    texts = [one.decode("utf-8", "replace").splitlines() for one in (wanted, there)]
    lines = [line for line in list(difflib.unified_diff(*texts, n=0, lineterm=""))[2:] if line[0] in "+-" and line[1:].strip()]
    told = ["{0} {1!r}".format("lacks" if line[0] == "-" else "has", line[1:].strip()) for line in lines[:_SHOWN_LINES]]
    return ", ".join(told + (["and {0} lines more".format(len(lines) - _SHOWN_LINES)] if len(lines) > _SHOWN_LINES else []))


def _read_since(fs: FileSystem, engine: EngineClient, container: str, path: str) -> bool:
    """Whether nginx has read its configuration since the file was changed: its workers are younger."""
    there = fs.stat(path)
    try:
        top = engine.get("/containers/{0}/top".format(container))
        booted = _BOOTED.search(fs.read("/proc/stat").decode("ascii", "replace"))
    except (EngineError, OSError):
        return False
    if there is None or booted is None:
        return False
    at = top["Titles"].index("PID")
    starts = [_started(fs, row[at]) for row in top["Processes"] or () if row[-1].strip() == "nginx: worker process"]
    # The kernel tells the time of the boot in whole seconds.
    return any(start is not None and int(booted.group(1)) + start > there.st_mtime - 1 for start in starts)


def _started(fs: FileSystem, pid: str) -> t.Optional[float]:
    """Seconds from the boot to the start of a process."""
    try:
        fields = fs.read("/proc/{0}/stat".format(pid)).decode("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
