# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of the stacks of a host: all that is read for it, in one go, changing nothing.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What cannot be read is told in sentences, ``unseen``, and keeps nobody from seeing the rest.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import EdgeDirectory
from ansible_collections.portside.stack.plugins.module_utils._edge_places import CERTIFICATES
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import is_loopback
from ansible_collections.portside.stack.plugins.module_utils._filesystem import read_json
from ansible_collections.portside.stack.plugins.module_utils._heal_report import STATE as HEALED
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock, utc
from ansible_collections.portside.stack.plugins.module_utils._release_known import known_releases
from ansible_collections.portside.stack.plugins.module_utils._release_schema import schemas_now
from ansible_collections.portside.stack.plugins.module_utils._release_store import START, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._run_directory import DIRECTORY, STACK_NAME, run_path
from ansible_collections.portside.stack.plugins.module_utils._sockets import parse_table
from ansible_collections.portside.stack.plugins.module_utils._status_containers import container
from ansible_collections.portside.stack.plugins.module_utils._status_release import at_work, release_entry
from ansible_collections.portside.stack.plugins.module_utils._status_stack import Engine, stack_entry
from ansible_collections.portside.stack.plugins.module_utils._status_usage import Cgroups, usages

Found = t.Dict[str, t.Any]

_DAY = 86400


class World(t.NamedTuple):
    """What is read through."""

    engine: EngineClient
    run: Run
    fs: t.Any
    clock: Clock
    stack_root: str
    run_directory: str = DIRECTORY
    proc: str = "/proc"


def look(world: World, stacks: t.Sequence[str]) -> t.Tuple[t.List[Found], t.List[str]]:
    """The entries of these stacks, or of all on the host, and what of the host could not be seen."""
    for name in stacks:
        # Raises StackError for what is no name, and so no directory either.
        run_path(name, "lease")
    on_host = _stacks(world)
    wanted = sorted(set(stacks)) or on_host
    unseen: t.List[str] = []
    stores = {name: ReleaseStore(os.path.join(world.stack_root, name)) for name in {*on_host, *wanted}}
    definitions, why = _definitions(stores)
    engine = _engine(world, sorted(stores), unseen)
    engine = engine._replace(usage=_usage(world, engine, wanted))
    healing = read_json(world.fs, os.path.join(world.run_directory, os.path.basename(HEALED)))
    entries = []
    for name in wanted:
        found = _read(world, stores[name], why.get(name, ""))
        if name not in on_host:
            others = "; on the host are: {0}".format(", ".join(on_host)) if on_host else ""
            found["unseen"].append("stack {0}: nothing of it is on the host{1}.".format(name, others))
        own = {key.partition("/")[2]: value for key, value in healing.items() if key.partition("/")[0] == name}
        entries.append(stack_entry(name, found, definitions, engine, own))
    return entries, unseen


def _stacks(world: World) -> t.List[str]:
    """Those with a release, current or not."""
    names = [one for one in world.fs.listdir(world.stack_root) if STACK_NAME.match(one)] if world.fs.stat(world.stack_root) else []
    paths = {name: os.path.join(world.stack_root, name) for name in names}
    return [name for name, path in paths.items() if world.fs.lstat(path + "/current") or ReleaseStore(path).ids()]


def _definitions(stores: t.Mapping[str, ReleaseStore]) -> t.Tuple[t.Dict[str, Found], t.Dict[str, str]]:
    """What the current releases say, and why that cannot be told."""
    found, why = {}, {}
    for name, store in sorted(stores.items()):
        try:
            current = store.current()
            found[name] = store.read(current).get("definition") or {} if current else {}
        except (OSError, StackError) as error:
            why[name] = str(error)
    return found, why


def _engine(world: World, stacks: t.Iterable[str], unseen: t.List[str]) -> Engine:
    try:
        seen = [one for stack in stacks for one in world.engine.inspect_all("{0}={1}".format(LABEL_PROJECT, stack))]
        volumes = world.engine.get("/volumes").get("Volumes") or ()
    except StackError as error:
        unseen.append("Containers and volumes were not seen: {0}".format(error))
        return Engine(None, {}, {})
    containers = [container(one) for one in seen]
    for one in containers:
        one["listens"] = sorted(set(one["listens"]) & _listening(world, one["pid"]))
    return Engine(containers, {one["Name"]: one for one in volumes}, {})


def _listening(world: World, pid: int) -> t.Set[int]:
    """The TCP ports that something in a container's network really listens on: what an image exposes is only a habit."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            text = world.fs.read("{0}/{1}/net/{2}".format(world.proc, pid, table)).decode("utf-8", "replace")
        except OSError:
            continue  # it does not run, or has no IPv6
        found |= {one.port for one in parse_table("tcp", text) if not is_loopback(one.address)}
    return found


def _usage(world: World, engine: Engine, wanted: t.Container[str]) -> t.Mapping[int, t.Any]:
    """Before anything else is asked of the containers, which would count as theirs."""
    pids = [one["pid"] for one in engine.containers or () if one["pid"] and one["stack"] in wanted]
    return usages(Cgroups(world.fs, world.proc), pids, world.clock) if pids else {}


def _read(world: World, store: ReleaseStore, why: str) -> Found:
    """What the files of one stack say."""
    unseen = [why] if why else []
    current, releases, now = "", [], None
    try:
        current = store.current()
        releases = known_releases(store)
        # A dump of every schema, which nobody waits for unless there is a release to judge by it.
        others = any(one.verified and one.id != current for one in releases)
        now = schemas_now(world.engine, world.run, store.stack) if others else None
    except (OSError, StackError) as error:
        if str(error) not in unseen:
            unseen.append("stack {0}: {1}".format(store.stack, error) if isinstance(error, OSError) else str(error))
    record = next((one.record for one in releases if one.id == current), {})
    return dict(
        release_entry(current, releases, History(store.directory).read(), now),
        images=record.get("images") or {},
        at_work=at_work(StackLock(store.stack, world.clock.time, world.run_directory).holder()),
        start=read_json(world.fs, store.state_path(current, START)) or None if current else None,
        certificates=list(_certificates(world, store, record, unseen)),
        unseen=unseen,
    )


def _certificates(world: World, store: ReleaseStore, record: t.Mapping[str, t.Any], unseen: t.List[str]) -> t.Iterator[Found]:
    """Those that the edge serves, as they lie in the directory that it mounts; a key never leaves its file."""
    edge = ((record.get("definition") or {}).get("x-portside") or {}).get("edge") or {}
    tls = edge.get("tls") or {}
    for name in [one["file"] for one in tls.get("certificates") or ()] or [tls[key] for key in ("file",) if key in tls]:
        pem = EdgeDirectory(store.directory, world.fs).read(os.path.join(CERTIFICATES, name))
        try:
            if pem is None:
                raise StackError("it is not there; a deploy has it made or brings it")
            leaf = OpenSsl(world.run).look(pem)
        except StackError as error:
            unseen.append("stack {0}: certificate {1} of the edge: {2}".format(store.stack, name, error))
            continue
        days = int((leaf.until - world.clock.time()) // _DAY)
        yield {"file": name, "hosts": sorted(leaf.names), "expires": utc(leaf.until), "days": days}
