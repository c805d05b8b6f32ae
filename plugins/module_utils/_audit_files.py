# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the host and of containers, which are only read.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A container's files come from the engine, as `docker cp` has them: nothing runs in it, and links stay inside of it.
"""

from __future__ import annotations

import fnmatch
import io
import posixpath
import stat
import tarfile
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError

# Configuration is small. What is larger, such as databases of addresses beside it, is not read.
LARGEST_FILE = 1 << 20
LARGEST_ARCHIVE = 32 << 20
_MOST_LINKS = 20


class Files(t.Protocol):
    """Where configuration is read from. What is not there is none, what cannot be read an OSError."""

    def read(self, path: str) -> t.Optional[bytes]: ...

    def listdir(self, path: str) -> t.List[str]: ...


class HostFiles:
    """The files of the host itself."""

    def __init__(self, fs: t.Any) -> None:
        self._fs = fs

    def read(self, path: str) -> t.Optional[bytes]:
        about = self._fs.stat(path)
        # Reading from a pipe would wait for ever.
        if about is None or not stat.S_ISREG(about.st_mode):
            return None
        if about.st_size > LARGEST_FILE:
            raise OSError("it is larger than {0} bytes".format(LARGEST_FILE))
        return self._fs.read(path)

    def listdir(self, path: str) -> t.List[str]:
        try:
            return self._fs.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return []


class ContainerFiles:
    """The files of a container; a directory that was listed once is known whole."""

    def __init__(self, engine: EngineClient, container: str) -> None:
        self._engine, self._container = engine, container
        # By path: the content, the target of a link as a text, or none for a directory.
        self._known: t.Dict[str, t.Any] = {}
        self._trees: t.Set[str] = set()

    def read(self, path: str) -> t.Optional[bytes]:
        path = posixpath.normpath(path)
        for _count in range(_MOST_LINKS):
            if path not in self._known:
                self._fetch(path, path)
            found = self._known[path]
            if not isinstance(found, str):
                return found
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found))
        raise OSError("there are too many links")

    def listdir(self, path: str) -> t.List[str]:
        path = posixpath.normpath(path)
        link = self._known.get(path)
        if isinstance(link, str):
            return self.listdir(posixpath.join(posixpath.dirname(path), link))
        if not any(path == tree or path.startswith(tree.rstrip("/") + "/") for tree in self._trees):
            # Of a link to a directory the engine would give the link alone.
            self._fetch(path, path.rstrip("/") + "/.")
            self._trees.add(path)
        return sorted(posixpath.basename(one) for one in self._known if posixpath.dirname(one) == path and one != path)

    def _fetch(self, path: str, asked: str) -> None:
        try:
            archive = self._engine.archive(self._container, asked, LARGEST_ARCHIVE)
        except EngineError as error:
            raise OSError(str(error)) from error
        self._known.setdefault(path, None)
        if archive is None:
            return
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            top = ""
            for member in members:
                # The first is what was asked for: under its name, or as a dot.
                name = posixpath.normpath(member.name)
                top = top or name
                below = name if top == "." else name[len(top) + 1 :]
                place = posixpath.normpath(posixpath.join(path, below))
                if member.issym():
                    self._known[place] = member.linkname
                elif member.isreg() and member.size <= LARGEST_FILE:
                    self._known[place] = members.extractfile(member).read()
                else:
                    self._known[place] = None


def matching(files: Files, pattern: str) -> t.List[str]:
    """The paths that a pattern of glob(3) takes, in its order; nothing but directories of the pattern is listed."""
    found = ["/"]
    for part in [part for part in posixpath.normpath(pattern).split("/") if part]:
        if any(char in part for char in "*?["):
            found = [
                posixpath.join(directory, name)
                for directory in found
                for name in files.listdir(directory)
                if fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))
            ]
        else:
            found = [posixpath.join(directory, part) for directory in found]
    return found
