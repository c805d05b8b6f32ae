# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a stack's current release, as they are on its host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A release is named by the digest of all its files, a mounted file by that of its content. Nothing has to be kept aside to
know that one was edited; which of the release's own it was is told by what was noted when the release was verified.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._drift_model import Drift
from ansible_collections.portside.stack.plugins.module_utils._drift_mounts import is_named_after
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._release_store import COMPOSE_FILE, RECORD, ReleaseStore

Record = t.Mapping[str, t.Any]
# Owner, group and mode, as they are told of.
Attributes = t.Tuple[int, int, int]

_NOTED = "digests.json"


def file_drift(fs: FileSystem, store: ReleaseStore, release: str, record: Record) -> t.List[Drift]:
    """The files of a release that are missing, edited, or have another owner or mode."""
    found = [
        *attributes_drift(fs, store.stack, store.path(release), (0, 0, 0o755), True),
        *attributes_drift(fs, store.stack, store.state_path(release), (0, 0, 0o700), True),
    ]
    own = _own(store, release, record)
    contents = {name: read(fs, path) for name, path in own.items()}
    for name, path in own.items():
        found += attributes_drift(fs, store.stack, path, (0, 0, 0o600 if name == RECORD else 0o644))
    mounted = {path: read(fs, path) for path in record.get("files") or ()}
    for path, content in mounted.items():
        found += attributes_drift(fs, store.stack, path, (0, 0, 0o644))
        if content is not None and not is_named_after(path, content):
            found.append(edited(store.stack, path))
    found += [edited(store.stack, own[name]) for name in _not_as_noted(fs, store, release, contents)]
    if not found and release_id(contents, mounted) != release:
        paths = " or ".join(own.values())
        found.append(Drift(store.stack, "", "file", "one of {0} was edited".format(paths), "as the release's name says", "another content"))
    return found


def release_id(own: t.Mapping[str, t.Optional[bytes]], mounted: t.Mapping[str, t.Optional[bytes]]) -> str:
    """The name that a release with these files has: its own by their names in it, those it mounts by their paths."""
    of_edge = sorted(name for name in own if name not in (COMPOSE_FILE, RECORD))
    items = [(name, own[name]) for name in (COMPOSE_FILE, RECORD)]
    items += sorted(mounted.items()) + [(name, own[name]) for name in of_edge]
    digest = hashlib.sha256()
    for path, content in items:
        for data in (path.encode("utf-8"), content or b""):
            digest.update(str(len(data)).encode("ascii") + b":" + data)
    return digest.hexdigest()[:16]


def note_digests(fs: FileSystem, store: ReleaseStore, release: str, secrets: t.Mapping[str, bytes]) -> t.Dict[str, t.Dict[str, str]]:
    """What is to be written down of a release that is being verified: what its files and secrets are, by digests.

    What was noted before stays: a file that was edited since is not what was verified.
    """
    record = store.read(release)
    before = noted(fs, store, release)
    found = {name: read(fs, path) for name, path in _own(store, release, record).items()}
    files = {name: sha256(content) for name, content in found.items() if content is not None}
    return {
        "files": {**files, **before["files"]},
        "secrets": {**{name: sha256(content) for name, content in secrets.items()}, **before["secrets"]},
    }


def noted_path(store: ReleaseStore, release: str) -> str:
    """Where that is."""
    return store.state_path(release, _NOTED)


def noted(fs: FileSystem, store: ReleaseStore, release: str) -> t.Dict[str, t.Dict[str, str]]:
    """That, of a release which may have been verified before anybody noted it."""
    try:
        found = json.loads(fs.read(noted_path(store, release)).decode("utf-8"))
        return {key: dict(found[key]) for key in ("files", "secrets")}
    except (OSError, ValueError, KeyError, TypeError):
        return {"files": {}, "secrets": {}}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def edited(stack: str, path: str) -> Drift:
    return Drift(stack, "", "file", "{0} was edited".format(path), "as the release has it", "another content")


def attributes_drift(fs: FileSystem, stack: str, path: str, wanted: Attributes, directory: bool = False, kind: str = "file") -> t.List[Drift]:
    """Whether a file or directory is missing, something else, or has another owner or mode."""
    there = fs.lstat(path)
    if there is None:
        return [Drift(stack, "", kind, "{0} is missing".format(path), _words(wanted), "none", broken=kind == "secret")]
    if not (stat.S_ISDIR if directory else stat.S_ISREG)(there.st_mode):
        thing = "directory" if directory else "file"
        remedy = "move it away, and run site.yml"
        return [Drift(stack, "", kind, "{0} is no {1}".format(path, thing), thing, "something else", remedy)]
    found = (there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode))
    if found == wanted:
        return []
    texts = _words(wanted), _words(found)
    return [Drift(stack, "", kind, "{0} has {2} instead of {1}".format(path, *texts), *texts)]


def read(fs: FileSystem, path: str) -> t.Optional[bytes]:
    try:
        return fs.read(path)
    except OSError:
        return None


def _own(store: ReleaseStore, release: str, record: Record) -> t.Dict[str, str]:
    home = store.path(release)
    names = [COMPOSE_FILE, RECORD, *((record.get("edge") or {}).get("files") or ())]
    return {name: os.path.join(home, name) for name in names}


def _not_as_noted(fs: FileSystem, store: ReleaseStore, release: str, contents: t.Mapping[str, t.Optional[bytes]]) -> t.List[str]:
    digests = noted(fs, store, release)["files"]
    return [name for name, content in contents.items() if content is not None and digests.get(name, sha256(content)) != sha256(content)]


def _words(attributes: Attributes) -> str:
    return "owner {0}:{1}, mode {2:04o}".format(*attributes)
