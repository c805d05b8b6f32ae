# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in which a host differs from the current releases of its stacks. Reads only.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation
from ansible_collections.portside.stack.plugins.module_utils._drift_files import file_drift, noted
from ansible_collections.portside.stack.plugins.module_utils._drift_host import firewall_drift, healing_drift, unit_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_model import Drift
from ansible_collections.portside.stack.plugins.module_utils._drift_resources import resource_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_routes import route_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_secrets import secret_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_services import service_drift
from ansible_collections.portside.stack.plugins.module_utils._edge_server import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore, released_stacks


class Host(t.NamedTuple):
    """What is looked at, and how."""

    fs: FileSystem
    engine: EngineClient
    run: Run
    clock: Clock
    network: HostNetwork
    stack_root: str


class Stack(t.NamedTuple):
    """A stack that was looked at: its current release, the number of its checks, and who works on it at this moment."""

    name: str
    release: str
    checks: int
    under_way: str


def host_drift(host: Host, names: t.Sequence[str]) -> t.Tuple[t.List[Stack], t.List[Drift]]:
    """The stacks that were looked at, without names all that are released here, and every difference."""
    stacks, found = [], firewall_drift(host.fs, host.run, host.clock.time)
    for name in names or released_stacks(host.stack_root):
        store = ReleaseStore(os.path.join(host.stack_root, name))
        stack, drift = _stack_drift(host, store)
        stacks.append(stack)
        found += drift
    # What is the host's is found with each of its stacks.
    return stacks, list(dict.fromkeys(found))


def _stack_drift(host: Host, store: ReleaseStore) -> t.Tuple[Stack, t.List[Drift]]:
    name = store.stack
    lease = StackLock(name, host.clock.time).holder()
    about = Stack(name, "", 0, "{0}, {1}".format(lease.purpose, lease.who) if lease else "")
    try:
        release = store.current()
        if not release:
            return about, [Drift(name, "", "container", "has no current release on this host", "one", "none", broken=True)]
        record = store.read(release)
        about = about._replace(release=release, checks=len(record.get("checks") or ()))
        found = file_drift(host.fs, store, release, record)
        found += secret_drift(host.fs, name, store.directory, record, noted(host.fs, store, release)["secrets"])
        found += unit_drift(host.fs, host.run, name, store.directory)
        return about, found + _running_drift(host, store, release, record) + healing_drift(host.fs, name)
    except (StackError, OSError) as error:
        what, _dot, remedy = str(error).partition("Remedy: ")
        what = what.strip().rstrip(".").replace("stack {0}: ".format(name), "", 1)
        return about, [Drift(name, "", "file", what, "what can be read", "what cannot", remedy.rstrip(".") or "mend that on the host", True)]


def _running_drift(host: Host, store: ReleaseStore, release: str, record: t.Mapping[str, t.Any]) -> t.List[Drift]:
    try:
        found = Situation(record["definition"], store.directory, host.engine, host.clock.time(), False)
        drift = service_drift(found) + resource_drift(found)
        return drift + route_drift(host.fs, host.engine, host.run, host.clock, host.network, store, release, found)
    except EngineUnavailable as error:
        what, _dot, remedy = str(error).partition(" Remedy: ")
        return [Drift(store.stack, "", "container", what.rstrip("."), "running", "no engine", remedy.rstrip("."), True)]
