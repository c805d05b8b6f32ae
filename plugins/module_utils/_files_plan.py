# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared set of files compared with what is there: the plan.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._files import Attributes, File, parents


class FileChange(NamedTuple):
    path: str
    file: File | None  # None: removed by purge
    before: os.stat_result | None
    content_differs: bool
    uid: int
    gid: int
    nearest: str  # the closest directory that exists already

    @property
    def removes(self):
        return self.file is None or not self.file.present


class DirectoryChange(NamedTuple):
    path: str
    attributes: Attributes
    before: os.stat_result | None
    uid: int
    gid: int


class Plan(NamedTuple):
    files: list[FileChange]
    directories: list[DirectoryChange]
    places: list[str]  # every directory that a run may have used for its temporary files
    warnings: list[str]

    @property
    def changed(self):
        return bool(self.files or self.directories)


def kind(mode):
    kinds = (
        (stat.S_ISLNK, "a symlink"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISREG, "a file"),
        (stat.S_ISFIFO, "a pipe"),
    )
    return next((name for test, name in kinds if test(mode)), "a device or socket")


class Planner:
    """Reads the host through `fs`, and nothing more. With check_mode, accounts may be missing: the play may "
    "create them."""

    def __init__(self, fs, accounts, check_mode=False):
        self._fs = fs
        self._accounts = accounts
        self._check_mode = check_mode
        self._problems = []
        self._warnings = []
        self._nearest = {}
        self._real_parents = {}
        self._numbers = {}

    def plan(self, declaration):
        directories = {parent: None for path in declaration.directories for parent in parents(path)}
        directories.update(declaration.directories)
        declared = {}
        files = []
        for file in declaration.files:
            real = self._real(file.path)
            if real in declared:
                self._problems.append("%s and %s are the same file: declare one" % (declared[real], file.path))
            declared[real] = file.path
            if file.present:
                for parent in parents(file.path):
                    directories.setdefault(parent, None)
            files.append(self._file(file))
        for path in declaration.purge:
            files += self._purge(path, declared)
        changes = [self._directory(path, attributes) for path, attributes in sorted(directories.items())]
        if self._problems:
            raise StackError("\n".join(sorted(set(self._problems))))
        paths = [file.path for file in declaration.files] + list(declaration.directories)
        places = {parent for path in paths for parent in parents(path)}.union(["/"], declaration.purge)
        return Plan(
            sorted((change for change in files if change), key=lambda change: change.path),
            [change for change in changes if change],
            sorted(places),
            sorted(set(self._warnings)),
        )

    def _real(self, path):
        parent, name = os.path.split(path)
        if parent not in self._real_parents:
            self._real_parents[parent] = self._fs.realpath(parent)
        return os.path.join(self._real_parents[parent], name)

    def _number(self, kind, name, path):
        if (kind, name) not in self._numbers:
            lookup = self._accounts.uid if kind == "owner" else self._accounts.gid
            self._numbers[kind, name] = lookup(name)
        number = self._numbers[kind, name]
        if number is None:
            problem = "%s: %s %r does not exist on this host" % (path, kind, name)
            if self._check_mode:
                self._warnings.append(problem + " yet: it must by the time this runs for real")
            else:
                self._problems.append(problem + ": create it before, or name another")
            return -1
        return number

    def _differs(self, attributes, before, uid, gid):
        return (stat.S_IMODE(before.st_mode), before.st_uid, before.st_gid) != (attributes.mode, uid, gid)

    def _file(self, file):
        before = self._fs.lstat(file.path)
        if before and stat.S_ISDIR(before.st_mode):
            self._problems.append("%s: is a directory, not a file: remove it or declare another path" % file.path)
            return None
        if not file.present:
            return FileChange(file.path, file, before, True, 0, 0, os.path.dirname(file.path)) if before else None
        if before and not stat.S_ISREG(before.st_mode):
            what = kind(before.st_mode)
            if stat.S_ISLNK(before.st_mode):
                what += " to %s" % self._fs.readlink(file.path)
            self._problems.append(
                "%s: is %s, and is not replaced: remove it or declare another path" % (file.path, what)
            )
            return None
        uid = self._number("owner", file.attributes.owner, file.path)
        gid = self._number("group", file.attributes.group, file.path)
        content_differs = not before or before.st_size != len(file.content) or self._fs.read(file.path) != file.content
        if not content_differs and not self._differs(file.attributes, before, uid, gid):
            return None
        return FileChange(
            file.path, file, before, content_differs, uid, gid, self._nearest_directory(os.path.dirname(file.path))
        )

    def _nearest_directory(self, path):
        if path not in self._nearest:
            found = self._fs.stat(path)
            self._nearest[path] = path if found else self._nearest_directory(os.path.dirname(path))
        return self._nearest[path]

    def _directory(self, path, attributes):
        before = self._fs.stat(path)
        if before is None and self._fs.lstat(path):
            self._problems.append("%s: is a symlink to %s, which does not exist" % (path, self._fs.readlink(path)))
            return None
        if before and not stat.S_ISDIR(before.st_mode):
            self._problems.append("%s: is %s, but must be a directory" % (path, kind(before.st_mode)))
            return None
        if before and attributes is None:
            return None
        attributes = attributes or Attributes(0o755, "root", "root")
        uid = self._number("owner", attributes.owner, path)
        gid = self._number("group", attributes.group, path)
        if before and not self._differs(attributes, before, uid, gid):
            return None
        return DirectoryChange(path, attributes, before, uid, gid)

    def _purge(self, directory, declared):
        before = self._fs.lstat(directory)
        if before is None:
            return []
        if not stat.S_ISDIR(before.st_mode):
            self._problems.append("%s: is %s, and only a directory can be purged" % (directory, kind(before.st_mode)))
            return []
        changes = []
        for name in self._fs.listdir(directory):
            path = os.path.join(directory, name)
            found = self._fs.lstat(path)
            removable = found and (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode))
            if removable and self._real(path) not in declared:
                changes.append(FileChange(path, None, found, True, 0, 0, directory))
        return changes
