# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions of secrets stay on the host, and shredding the others.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import SECRET_NAME_RE
from ansible_collections.portside.stack.plugins.module_utils._secrets import FILE_RE, shred_tree

Versions = t.Dict[str, t.Set[int]]


def unused_versions(
    found: t.Mapping[str, t.AbstractSet[int]],
    records: t.Iterable[t.Mapping[str, t.Any]],
    current: t.Mapping[str, t.Any],
    mounted: t.Mapping[str, t.AbstractSet[int]],
    orphans: bool = False,
) -> Versions:
    """Of the versions found, those that go.

    A version stays for a kept release that names it and a container that mounts it. The newest stays of a secret that
    the current release names, as a number that came back with another value would look unchanged, and of one that is
    declared but idle, as the host alone knows it and a volume may need it; with ``orphans``, volumes that are declared
    no more, the newest of every secret stays.
    """
    records = list(records)
    going: Versions = {}
    for name, versions in found.items():
        kept = {record["secrets"][name] for record in records if name in record.get("secrets", {})}
        kept |= mounted.get(name, set())
        if orphans or name in current.get("secrets", {}) or any(name in record.get("idle_secrets", ()) for record in records):
            kept.add(max(versions, default=0))
        going[name] = set(versions) - kept
    return {name: versions for name, versions in going.items() if versions}


def prune_secrets(
    fs: FileSystem,
    directory: str,
    records: t.Sequence[t.Mapping[str, t.Any]],
    current: t.Mapping[str, t.Any],
    mounted: t.Iterable[str],
    orphans: bool = False,
) -> t.Dict[str, t.List[int]]:
    """Shred what is not needed; answers the versions by secret. A secret without any goes with its directory."""
    files = _files(fs, directory)
    found = {name: {version for version, _path in one} for name, one in files.items()}
    going = unused_versions(found, records, current, _mounted_versions(fs, directory, mounted), orphans)
    for name, versions in going.items():
        for stale in fs.stale_staging(os.path.join(directory, name)):
            shred_tree(fs, stale)
        for version, path in files[name]:
            if version in versions:
                shred_tree(fs, path)
        if versions == found[name]:
            shred_tree(fs, os.path.join(directory, name))
    return {name: sorted(versions) for name, versions in sorted(going.items())}


def _files(fs: FileSystem, directory: str) -> t.Dict[str, t.List[t.Tuple[int, str]]]:
    """The files of each secret, with the version that each is of."""
    files = {}
    for name in fs.listdir(directory) if fs.lstat(directory) else []:
        home = os.path.join(directory, name)
        if SECRET_NAME_RE.fullmatch(name) and stat.S_ISDIR(fs.lstat(home).st_mode):
            parsed = [(FILE_RE.fullmatch(entry), entry) for entry in fs.listdir(home)]
            files[name] = [(int(match.group(1)), os.path.join(home, entry)) for match, entry in parsed if match]
    return files


def _mounted_versions(fs: FileSystem, directory: str, mounted: t.Iterable[str]) -> Versions:
    versions: Versions = {}
    real = fs.realpath(directory) + "/"
    for source in mounted:
        source = fs.realpath(source) if source else ""
        name, _slash, entry = source[len(real) :].partition("/") if source.startswith(real) else ("", "", "")
        match = FILE_RE.fullmatch(entry)
        if match:
            versions.setdefault(name, set()).add(int(match.group(1)))
    return versions
