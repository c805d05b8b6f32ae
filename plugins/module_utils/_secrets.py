# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versioned secret files: DIRECTORY/NAME/VERSION, and a file for every other reader that a version has.

A version never changes once it is there, so that a release which names it can be rolled back to.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import stat
import string
from typing import NamedTuple

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._secret_env_file import env_line
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import ROOT, Reader
from ansible_collections.portside.stack.plugins.module_utils._secret_templates import (
    Part,
    compose,
    template_parts,
)

VERSION_RE = re.compile(r"[1-9][0-9]{0,8}")
# Any file of a version: itself, or a copy for another reader.
FILE_RE = re.compile(r"({0})(?:[-.].*)?".format(VERSION_RE.pattern), re.DOTALL)
ALPHABET = string.ascii_letters + string.digits
HOME_MODE = 0o700  # no obstacle to bind mounts of what is inside: the engine makes them as root


class Write(NamedTuple):
    path: str
    owner: tuple[int, int, int]  # uid, gid, mode
    action: str  # create, replace or attributes
    content: bytes


class Change(NamedTuple):
    name: str
    before: int  # 0: none yet
    version: int
    data: bytes
    role: str | None
    writes: list[Write]

    @property
    def login(self):
        """The login of this version; empty where the secret is none."""
        return "%s_v%d" % (self.name, self.version) if self.role else ""


class Plan(NamedTuple):
    directories: list[tuple[str, int]]  # path, mode
    changes: list[Change]

    @property
    def changed(self):
        return bool(self.directories or any(change.writes for change in self.changes))

    @property
    def versions(self):
        return {change.name: change.version for change in self.changes}

    @property
    def renewed(self):
        """The secrets that get a version newer than any they had."""
        return [change.name for change in self.changes if change.version > change.before > 0]


def secret_path(directory, name, version, uid=0, gid=0, mode="0400", variable=""):
    """Where the file of that version for that reader is."""
    path = "%s/%s/%d" % (directory, name, version)
    reader = Reader(int(uid), int(gid), int(mode, 8))
    if reader != ROOT:
        path = "%s-%d-%d-%04o" % (path, reader.uid, reader.gid, reader.mode)
    return "%s.%s.env" % (path, variable) if variable else path


class SecretStore:
    """The secrets directory of one stack. `choose` picks one of a sequence, unpredictably."""

    def __init__(self, fs, directory, choose):
        self._fs = fs
        self._directory = directory
        self._choose = choose

    def plan(self, secrets):
        """What is to be written, and the value of every secret; those that are to be generated are chosen here."""
        parents = []
        path = self._directory
        while path != "/" and not self._fs.stat(path):
            parents.append((path, HOME_MODE if path == self._directory else 0o755))
            path = os.path.dirname(path)
        directories = parents[::-1]
        if not parents and self._directory_differs(self._directory):
            directories.append((self._directory, HOME_MODE))
        changes = {}
        for secret in sorted(secrets, key=lambda one: one.template is not None):  # parts before what they compose
            home = os.path.join(self._directory, secret.name)
            if self._directory_differs(home):
                directories.append((home, HOME_MODE))
            value = secret.value if secret.template is None else _composed(secret, changes)
            changes[secret.name] = self._change(secret, home, value)
        return Plan(directories, [changes[name] for name in sorted(changes)])

    def _directory_differs(self, path):
        found = self._fs.lstat(path)
        if found is None:
            return True
        if not stat.S_ISDIR(found.st_mode):
            raise StackError("%s: must be a directory, but something else is there: remove it" % path)
        return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, 0, HOME_MODE)

    def _change(self, secret, home, value):
        names = self._fs.listdir(home) if self._fs.lstat(home) else []
        versions = sorted((int(name) for name in names if VERSION_RE.fullmatch(name)), reverse=True)
        # Containers go by the number: that of a version which is lost, but for copies, never gets another value.
        before = max((int(found.group(1)) for found in map(FILE_RE.fullmatch, names) if found), default=0)
        # A value that was there before has its version still: with it comes back the release that used it.
        known = ((one, self._read(secret_path(self._directory, secret.name, one))) for one in versions)
        same = ((one, data) for one, data in known if value in (None, data) and not secret.rotate)
        version, data = next(same, None) or (before + 1, self._generated(secret) if value is None else value)
        writes = [self._write_of(secret, version, reader, data) for reader in sorted({ROOT, *secret.readers})]
        return Change(secret.name, before, version, data, secret.role, [write for write in writes if write.action])

    def _generated(self, secret):
        return "".join(self._choose(ALPHABET) for unused in range(secret.generate)).encode("ascii")

    def _write_of(self, secret, version, reader, data):
        owner, variable = reader[:3], reader.variable
        path = secret_path(self._directory, secret.name, version, reader.uid, reader.gid, "%o" % reader.mode, variable)
        try:
            content = env_line(variable, _text(secret.name, data)).encode("utf-8") if variable else data
        except StackError as exc:
            raise StackError("secret %r: %s" % (secret.name, exc)) from exc
        return Write(path, owner, self._action(path, owner, content), content)

    def _read(self, path):
        if not stat.S_ISREG(self._fs.lstat(path).st_mode):
            raise StackError("%s: must be a file, but something else is there: remove it" % path)
        return self._fs.read(path)

    def _action(self, path, owner, content):
        found = self._fs.lstat(path)
        if found is None:
            return "create"
        if self._read(path) != content:
            return "replace"
        return "attributes" if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != owner else None

    def apply(self, plan):
        """The version before its copies: what dies in between is completed by the next run, under the same version."""
        path = self._directory
        try:
            for path, mode in plan.directories:
                self._make_directory(path, mode)
            for change in plan.changes:
                path = os.path.join(self._directory, change.name)
                for stale in self._fs.stale_staging(path):
                    shred_tree(self._fs, stale)
                if change.writes:
                    self._write(change)
        except OSError as exc:
            raise StackError(
                "%s: cannot be written: %s. Nothing that runs uses it yet. Remedy: make room or mend that on the host, "
                "then run again" % (path, exc.strerror)
            ) from exc

    def _make_directory(self, path, mode):
        if not self._fs.lstat(path):
            self._fs.mkdir(path)
        self._fs.chown(path, 0, 0)
        self._fs.chmod(path, mode)

    def _write(self, change):
        home = os.path.join(self._directory, change.name)
        staging = self._fs.make_staging(home)
        try:
            for write in change.writes:
                if write.action == "attributes":
                    self._set_attributes(write.path, write.owner)
                else:
                    self._write_file(write, os.path.join(staging, os.path.basename(write.path)))
            self._fs.fsync(home)
        finally:
            shred_tree(self._fs, staging)

    def _write_file(self, write, candidate):
        self._fs.write_new(candidate, write.content)
        self._set_attributes(candidate, write.owner)
        self._fs.fsync(candidate)
        if write.action == "replace":
            self._fs.rename(candidate, write.path)
        else:
            self._fs.link(candidate, write.path)  # unlike a rename, refuses to overwrite what another run has just made

    def _set_attributes(self, path, owner):
        self._fs.chown(path, *owner[:2])
        self._fs.chmod(path, owner[2])


def _text(name, data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise StackError(
            "secret %r: its newest version on the host is not text, so it cannot be put into another one" % name
        ) from None


def _composed(secret, changes):
    """Compose a template from the versions that its parts are about to have."""
    names = {name for name, unused in template_parts(secret.template)}
    parts = {name: Part(_text(name, changes[name].data), changes[name].login) for name in names}
    try:
        return compose(secret.template, parts).encode("utf-8")
    except StackError as exc:
        raise StackError("secret %r: template: %s" % (secret.name, exc)) from exc


def shred_tree(fs, path):
    """Remove a directory of secrets or one file, each overwritten before. A link to what stays is only unlinked."""
    found = fs.lstat(path)
    if found is None:
        return
    if stat.S_ISDIR(found.st_mode):
        for name in fs.listdir(path):
            shred_tree(fs, os.path.join(path, name))
        fs.rmdir(path)
        return
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        fs.shred(path)
    else:
        fs.unlink(path)


def diff(plan):
    """What changes, told by names and versions alone."""
    lines = ["%s/: mode %04o" % directory for directory in plan.directories]
    for change in plan.changes:
        if change.before != change.version:
            lines.append("%s: version %s -> %d" % (change.name, change.before or "none", change.version))
        elif change.writes:
            files = ", ".join(os.path.basename(write.path) for write in change.writes)
            lines.append("%s: version %d, files %s" % (change.name, change.version, files))
    return {"prepared": "".join(line + "\n" for line in lines)}
