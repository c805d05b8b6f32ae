# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What removing a stack from its host comes to: read, judged and told before anything is touched.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    LABEL_PROJECT,
    LABEL_STACK,
    Service,
    services_of,
)
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot
from ansible_collections.portside.stack.plugins.module_utils._edge_places import WEBROOT
from ansible_collections.portside.stack.plugins.module_utils._engine import (
    EngineClient,
    EngineError,
    EngineUnavailable,
)
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.module_utils._release_retention import unused_files
from ansible_collections.portside.stack.plugins.module_utils._release_store import RELEASE_ID, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._removal_volumes import StackVolumes
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger

# What is written into a stack's directory. Whatever else is there somebody else has put there, and a container may mount it.
OWN = re.compile(r"(?:(?:current|(?:left_images|oneshots)\.json)(?:\.new)?|dumps|edge|files|releases|secrets|\.portside-.*)")
HISTORY = "history.jsonl"
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Removal(t.NamedTuple):
    """What goes: containers and networks by name, releases, content files, volumes with their size in bytes.

    ``verified`` are the releases that are good until now, ``dumps`` those whose dumps stay; ``keep`` are the volumes that
    stay. With ``whole`` nothing of the stack's directory stays. ``boot`` says whether the host starts it. ``edge`` is the
    directory that its edge mounts, or none; ``certificates`` are those that certbot has for it, ``hook`` says whether
    anything follows that.
    """

    stack: str
    directory: str
    services: t.Mapping[str, Service]
    containers: t.List[str]
    networks: t.List[str]
    current: str
    images: t.Dict[str, t.Mapping[str, str]]
    verified: t.List[str]
    releases: t.List[str]
    dumps: t.List[str]
    files: t.List[str]
    delete: t.Dict[str, t.Optional[int]]
    keys: t.Dict[str, str]
    keep: t.List[str]
    whole: bool
    boot: bool
    edge: str = ""
    certificates: t.Sequence[str] = ()
    hook: bool = False

    @property
    def changes(self) -> bool:
        gone = (self.containers, self.networks, self.current, self.verified, self.releases, self.files, self.delete)
        return any(gone) or self.whole or self.boot or bool(self.edge or self.certificates or self.hook)

    @property
    def deleted_with_keys(self) -> t.List[t.Dict[str, t.Any]]:
        """The volumes that are deleted, as results and the history have them."""
        return [{"name": name, "key": self.keys[name], "size": size} for name, size in self.delete.items()]

    def lines(self) -> t.List[str]:
        """What goes, one thing a line."""
        found = ["container {0}".format(name) for name in self.containers]
        found += ["network {0}".format(name) for name in self.networks]
        sizes = [(name, size_text(size)) for name, size in self.delete.items()]
        found += ["volume {0} ({1}), with all that is in it".format(*one) for one in sizes]
        found += ["release {0}".format(name) for name in self.releases]
        found += ["link {0}/current".format(self.directory)] if self.current else []
        found += ["certificate {0} of certbot, whose account stays".format(name) for name in self.certificates]
        found += ["{0}, with its keys".format(self.edge)] if self.edge else []
        found += ["{0}, with its secrets, its dumps and its history".format(self.directory)] if self.whole else []
        return found

    def text(self, verb: str) -> t.List[str]:
        """For people: what goes, and what stays; ``verb`` is how the first is called."""
        if not self.changes:
            lines = ["{0}: nothing of it runs here, so there is nothing to remove".format(self.stack)]
        else:
            lines = ["{0}: {1}".format(self.stack, verb), *("  " + line for line in self.lines())]
        stays = ["volume {0}".format(name) for name in self.keep]
        if not self.whole and os.path.lexists(self.directory):
            stays.append("secrets, dumps and history in {0}".format(self.directory))
        return lines + (["  stays: {0}".format("; ".join(stays))] if stays else [])


def size_text(size: t.Optional[int]) -> str:
    """A size as people say it."""
    if size is None:
        return "of unknown size"
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return "{0:.{1}f} {2}".format(value, 1 if unit else 0, _UNITS[unit])


def plan_removal(
    store: ReleaseStore,
    fs: FileSystem,
    engine: EngineClient,
    delete: t.Sequence[str],
    delete_secrets: bool,
    boot: bool,
    check_mode: bool,
    certbot: Certbot,
) -> Removal:
    """Read all that there is of a stack, and judge it. Raises StackError with all that is in the way.

    In check mode a host without an engine is one with nothing on it.
    """
    stack = store.stack
    try:
        seen = _Seen(engine, stack)
    except EngineUnavailable:
        if not check_mode:
            raise
        seen = _Seen(None, stack)
    records = _records(store)
    there = fs.lstat(store.directory)
    deleted = [one for past in History(store.directory).read() for one in past.get("deleted_volumes") or ()]
    gone = [one[key] for one in deleted for key in ("name", "key")]
    current = store.current()
    definitions = {release: record["definition"] for release, record in records.items()}
    volumes = StackVolumes(stack, definitions.pop(current, {}), definitions.values(), seen.volumes, gone)
    entries = fs.listdir(store.directory) if there else []
    own = [name for name in entries if name == HISTORY or OWN.fullmatch(name)]
    known = own or seen.own or volumes.present
    chosen, problems = volumes.chosen(delete if known else ())
    problems += volumes.used_by_others(chosen, seen.others)
    problems += volumes.claimed_by_others(chosen, _other_definitions(store) if chosen else {})
    problems += seen.problems()
    keep = [name for name in volumes.present if name not in chosen]
    if delete_secrets and keep:
        problems.append(
            "stack {0}: delete_secrets: volume {1} stays, and what is in it may be of no use without them. Remedy: name it under "
            "delete_volumes too, or leave delete_secrets out.".format(stack, ", volume ".join(keep))
        )
    if problems:
        raise StackError("\n".join(problems))
    whole = bool((own or there and not entries) and delete_secrets)
    dumps = [] if whole else [release for release in records if _has_dump(store, release)]
    found = _release_directories(fs, store)
    return Removal(
        stack=stack,
        directory=store.directory,
        services=services_of(records[current]["definition"]) if current in records else {},
        containers=sorted(one["Names"][0].lstrip("/") for one in seen.own),
        networks=sorted(network["Name"] for network in seen.networks),
        current=current,
        images={release: record.get("images") or {} for release, record in records.items()},
        verified=[release for release in found if fs.lstat(store.state_path(release, "verified.json"))],
        releases=found,
        dumps=dumps,
        files=_unused(fs, store, seen.others),
        delete=_sizes(engine, chosen) if chosen else {},
        keys={name: volumes.key_of(name) for name in chosen},
        keep=keep,
        whole=whole,
        boot=boot,
        edge=_edge(fs, store),
        certificates=certbot.kept(os.path.join(store.directory, "edge", WEBROOT)),
        hook=certbot.has_hook(),
    )


class _Seen:
    """What the engine has: the stack's containers, those of others, the stack's networks, all volumes."""

    def __init__(self, engine: t.Optional[EngineClient], stack: str) -> None:
        self._stack = stack
        self.own: t.List[t.Dict[str, t.Any]] = []
        self.others: t.List[t.Dict[str, t.Any]] = []
        self.networks: t.List[t.Dict[str, t.Any]] = []
        self.volumes: t.Dict[str, t.Dict[str, t.Any]] = {}
        if engine is None:
            return
        for one in engine.containers():
            mine = (one.get("Labels") or {}).get(LABEL_PROJECT) == stack
            (self.own if mine else self.others).append(one)
        networks = {}
        for label in (LABEL_STACK, LABEL_PROJECT):
            query = json.dumps({"label": ["{0}={1}".format(label, stack)]})
            networks.update((found["Id"], found) for found in engine.get("/networks", filters=query))
        self.networks = [engine.get("/networks/{0}".format(identifier)) for identifier in networks]
        self.volumes = {volume["Name"]: volume for volume in engine.get("/volumes").get("Volumes") or ()}

    def problems(self) -> t.List[str]:
        """Why they are not removed: they are not of a stack, or others need them."""
        others = [one for one in self.own if LABEL_STACK not in (one.get("Labels") or {})]
        foreign = sorted(one["Names"][0].lstrip("/") for one in others)
        problems = []
        if foreign:
            problems.append(
                "stack {0}: a Compose project of that name is on the host that is no stack of this collection, with "
                "{1}. Remedy: name another stack, or remove it by hand (docker compose -p {0} down).".format(
                    self._stack, ", ".join(foreign)
                )
            )
        own = {one["Id"] for one in self.own}
        for network in self.networks:
            users = sorted(one["Name"] for key, one in (network.get("Containers") or {}).items() if key not in own)
            if users:
                problems.append(
                    "stack {0}: network {1} is used by {2} of others. Remedy: remove or disconnect them first (docker "
                    "network disconnect {1} NAME).".format(self._stack, network["Name"], ", ".join(users))
                )
        return problems


def _records(store: ReleaseStore) -> t.Dict[str, t.Dict[str, t.Any]]:
    """The records of the releases; what cannot be read names nothing."""
    found = {}
    for release in store.ids():
        try:
            found[release] = store.read(release)
        except StackError:
            continue
    return {release: record for release, record in found.items() if "definition" in record}


def _release_directories(fs: FileSystem, store: ReleaseStore) -> t.List[str]:
    """Complete or not."""
    home = os.path.join(store.directory, "releases")
    return [name for name in fs.listdir(home) if RELEASE_ID.match(name)] if fs.lstat(home) else []


def _edge(fs: FileSystem, store: ReleaseStore) -> str:
    path = os.path.join(store.directory, "edge")
    return path if fs.lstat(path) else ""


def _has_dump(store: ReleaseStore, release: str) -> bool:
    """Whether a dump is kept with it: it may be all that is left of some data."""
    return any(entry["dump"] and os.path.exists(entry["dump"]) for entry in StepLedger(store, release).entries())


def _other_definitions(store: ReleaseStore) -> t.Dict[str, t.Dict[str, t.Any]]:
    """What the other stacks of the host are now."""
    home = os.path.dirname(store.directory)
    found = {}
    for name in os.listdir(home) if os.path.isdir(home) else ():
        other = ReleaseStore(os.path.join(home, name))
        if name != store.stack and os.path.islink(os.path.join(other.directory, "current")):
            found[name] = other.read(other.current())["definition"]
    return found


def _unused(fs: FileSystem, store: ReleaseStore, containers: t.Iterable[t.Mapping[str, t.Any]]) -> t.List[str]:
    """The content files that nothing but the stack mounts."""
    top = os.path.join(store.directory, "files")
    if not fs.lstat(top):
        return []
    mounted = [mount.get("Source") or "" for container in containers for mount in container.get("Mounts") or ()]
    return unused_files([os.path.join(top, name) for name in fs.listdir(top)], filter(None, mounted))


def _sizes(engine: EngineClient, names: t.Sequence[str]) -> t.Dict[str, t.Optional[int]]:
    """How large volumes are, as far as the engine can tell: it has to look at each file."""
    sizes: t.Dict[str, t.Optional[int]] = dict.fromkeys(names)
    try:
        volumes = engine.get("/system/df", type="volume").get("Volumes") or ()
    except (EngineError, EngineUnavailable):
        return sizes
    for volume in volumes:
        size = (volume.get("UsageData") or {}).get("Size", -1)
        if volume["Name"] in sizes and size >= 0:
            sizes[volume["Name"]] = size
    return sizes
