# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that an image is built from: what of it counts, its digest, and its archive.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What is digested is what is built, on the controller as on the host: paths, contents, the targets of symlinks, and
whether a file is executable. Other modes and owners are made the same everywhere, since umasks differ.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
import tarfile
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._docker_ignore import IgnoreRules
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_BLOCK = 2**20
_IGNORE = ".dockerignore"


class Entry(t.NamedTuple):
    """A file, directory or symlink of a context."""

    path: str
    source: str
    kind: str
    size: int
    modified: int


def read_context(directory: str, dockerfile: str, archive: t.Optional[t.BinaryIO] = None) -> str:
    """The digest of what is built from a directory, which is also written as a tar archive if one is given.

    Raises StackError where the directory cannot be built from.
    """
    digest = hashlib.sha256()
    tar = tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) if archive else None
    try:
        for entry in context_entries(directory, dockerfile):
            found = _file(entry, tar) if entry.kind in "fx" else _other(entry, tar)
            for text in (entry.kind.encode("ascii"), os.fsencode(entry.path), found):
                digest.update(b"%d:%s" % (len(text), text))
    except OSError as error:
        raise StackError(
            "{0} cannot be read: {1}. Remedy: correct that, or leave it out of the build in .dockerignore.".format(
                error.filename or directory, error.strerror or error
            )
        ) from error
    if tar:
        tar.close()
    return digest.hexdigest()


def context_entries(directory: str, dockerfile: str) -> t.Iterator[Entry]:
    """What of a directory is built from, in a fixed order. Sockets, pipes and devices are left out, as by Docker."""
    if not os.path.isdir(directory):
        raise StackError("{0} is no directory. Remedy: correct `context`, or make it.".format(directory))
    dockerfile = posixpath.normpath(dockerfile or "Dockerfile")
    if not os.path.isfile(os.path.join(directory, dockerfile)):
        raise StackError("{0} has no {1}. Remedy: write it, or name another in `dockerfile`.".format(directory, dockerfile))
    ignore_file, text = _ignore_file(directory, dockerfile)
    # Docker itself needs these two, and hides them from the build where they are ignored.
    yield from _walk(directory, "", IgnoreRules(text), {dockerfile, ignore_file})


def _ignore_file(directory: str, dockerfile: str) -> t.Tuple[str, str]:
    for name in (dockerfile + _IGNORE, _IGNORE):
        try:
            with open(os.path.join(directory, name), encoding="utf-8", errors="surrogateescape") as file:
                return name, file.read()
        except FileNotFoundError:
            pass
    return "", ""


def _walk(directory: str, below: str, rules: IgnoreRules, always: t.Set[str]) -> t.Iterator[Entry]:
    with os.scandir(os.path.join(directory, below)) as listing:
        found = sorted(listing, key=lambda one: one.name)
    for one in found:
        path = posixpath.join(below, one.name)
        status = one.stat(follow_symlinks=False)
        kind = _kind(status.st_mode)
        wanted = path in always or not rules.ignores(path)
        if kind and wanted:
            yield Entry(path, one.path, kind, status.st_size, int(status.st_mtime))
        if kind == "d" and (wanted or rules.may_hold_more(path) or any(name.startswith(path + "/") for name in always)):
            yield from _walk(directory, path, rules, always)


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "x" if mode & stat.S_IXUSR else "f"
    return "d" if stat.S_ISDIR(mode) else "l" if stat.S_ISLNK(mode) else ""


def _info(entry: Entry, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(entry.path)
    info.type = kind
    info.mode = 0o644 if entry.kind == "f" else 0o777 if entry.kind == "l" else 0o755
    # Web servers tell by it whether a file is another one.
    info.mtime = entry.modified
    return info


def _other(entry: Entry, tar: t.Optional[tarfile.TarFile]) -> bytes:
    info = _info(entry, tarfile.DIRTYPE if entry.kind == "d" else tarfile.SYMTYPE)
    info.linkname = os.readlink(entry.source) if entry.kind == "l" else ""
    if tar:
        tar.addfile(info)
    return os.fsencode(info.linkname)


def _file(entry: Entry, tar: t.Optional[tarfile.TarFile]) -> bytes:
    info = _info(entry, tarfile.REGTYPE)
    info.size = entry.size
    with open(entry.source, "rb") as file:
        reader = _Digesting(file)
        if tar:
            tar.addfile(info, reader)
        while reader.read(_BLOCK):
            pass
    return reader.digest()


class _Digesting:
    """A file that is read once, for the archive and the digest."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file, self._sum = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._sum.update(data)
        return data

    def digest(self) -> bytes:
        return self._sum.digest()
