# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases stay on the host, and removing the others with the files, secrets and images that only they had.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._release_images import prune_images
from ansible_collections.portside.stack.plugins.module_utils._release_store import RELEASE_ID, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._release_write import (
    discard,
    remove_release,
)
from ansible_collections.portside.stack.plugins.module_utils._secret_retention import prune_secrets
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import orphaned_on
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import Entry, StepLedger

_CONTENT = re.compile(r"[0-9a-f]{8,64}\Z")


class Pruned(t.NamedTuple):
    """What was removed, and which images that no kept release needs were left, with the reason.

    ``logins`` are the services whose databases still let in with a version of a secret that was removed.
    """

    releases: t.List[str]
    files: t.List[str]
    images: t.List[str]
    kept_images: t.Dict[str, str]
    warnings: t.List[str]
    secrets: t.Dict[str, t.List[int]] = {}
    logins: t.Sequence[str] = ()


def kept_releases(verified: t.Mapping[str, str], current: str, keep: int) -> t.Set[str]:
    """The current release and the newest good ones, `keep` of them together.

    ``verified`` has the times of the good releases by ID, written so that they sort.
    """
    others = sorted(((time, release) for release, time in verified.items() if release != current), reverse=True)
    return {current} | {release for _time, release in others[: keep - 1]}


def holding_dumps(entries: t.Mapping[str, t.Sequence[Entry]], verified: t.Iterable[str]) -> t.Set[str]:
    """The releases with a dump from after a good release that stays was verified: that may be the one to bring it back.

    ``entries`` are those of their ledgers, ``verified`` the times of the good releases that stay.
    """
    since = min(verified, default="")
    return {
        release
        for release, ledger in entries.items()
        if since and any(one["dump"] and not one.get("undone") and one["started"] >= since for one in ledger)
    }


def unused_files(found: t.Iterable[str], used: t.Iterable[str]) -> t.List[str]:
    """Of the content directories found, those that neither hold nor are a path that is used."""
    needed = {os.path.normpath(path) for path in used}
    needed |= {os.path.dirname(path) for path in needed}
    return sorted(path for path in found if path not in needed)


def retain(fs: FileSystem, engine: EngineClient, store: ReleaseStore, keep: int) -> Pruned:
    """Have on the host what `keep` good releases need, and what containers use; nothing else of this stack.

    Of a release that never was good that may be its dumps; its directory then stays with them, its images and files go.
    Each order is one that a kill may cut at any point: what is left is found by the next time, and a release of which
    anything is missing is not offered any more.
    """
    containers = engine.containers()
    verified = {release: (store.verified(release) or {}).get("verified") or "" for release in store.ids()}
    kept = kept_releases({release: time for release, time in verified.items() if time}, store.current(), keep)
    dropped = [release for release in _release_directories(fs, store) if release not in kept]
    ledgers = {one: StepLedger(store, one).entries() for one in dropped if verified.get(one) == ""}
    holding = holding_dumps(ledgers, [verified[one] for one in kept if verified.get(one)])
    by_release = {release: store.read(release) for release in sorted(kept)}
    records, current = list(by_release.values()), by_release[store.current()]
    going = [_readable(store, release) for release in dropped]
    logins = [login for record in records + going for login in record.get("logins", ())]
    for release in dropped:
        good = store.state_path(release, "verified.json")
        if fs.lstat(good):
            fs.unlink(good)
    images = prune_images(
        engine,
        store.stack,
        containers,
        [record.get("images", {}) for record in records],
        [record.get("images", {}) for record in going],
        store.left_images(),
    )
    if images.names != store.left_images():
        write_json(fs, store.left_images_path, images.names)
    removed = [release for release in dropped if release not in holding]
    warnings = [warning for release in removed for warning in remove_release(fs, store, release)]
    mounted = [mount.get("Source") or "" for container in containers for mount in container.get("Mounts") or ()]
    files = _prune_files(fs, store, [path for record in records for path in record.get("files", [])], mounted)
    # What is in a volume that is declared no more may be of no use without the password that it was made with.
    orphans = bool(orphaned_on(engine, store.stack, current["definition"]))
    secrets = prune_secrets(fs, os.path.join(store.directory, "secrets"), records, current, mounted, orphans)
    for place in ("", "releases", "files"):
        warnings += discard(fs, fs.stale_staging(os.path.join(store.directory, place)))
    closed = {login["service"] for login in logins if login["version"] in secrets.get(login["secret"], ())}
    # The record of a former version may be gone, as after a removal of the stack, or never have been written.
    closed |= {login["service"] for login in current.get("logins", ()) if login["secret"] in secrets}
    return Pruned(removed, files, images.removed, images.kept, warnings, secrets, sorted(closed))


def _release_directories(fs: FileSystem, store: ReleaseStore) -> t.List[str]:
    """Complete or not."""
    return [name for name in fs.listdir(os.path.join(store.directory, "releases")) if RELEASE_ID.match(name)]


def _readable(store: ReleaseStore, release: str) -> t.Mapping[str, t.Any]:
    """The record of one that goes: what cannot be read names nothing."""
    try:
        return store.read(release)
    except StackError:
        return {}


def _prune_files(
    fs: FileSystem, store: ReleaseStore, recorded: t.Iterable[str], mounted: t.Iterable[str]
) -> t.List[str]:
    top = os.path.join(store.directory, "files")
    if not fs.lstat(top):
        return []
    found = [os.path.join(top, name) for name in fs.listdir(top) if _CONTENT.match(name)]
    real = fs.realpath(top)
    used = list(recorded)
    for source in mounted:
        source = fs.realpath(source) if source else ""
        if source.startswith(real + "/"):
            used.append(top + source[len(real) :])
    unused = unused_files(found, used)
    for path in unused:
        fs.remove_tree(path)
    return unused
