# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versioned secret files: DIRECTORY/NAME/VERSION, and a copy for every other owner or mode that a container needs.

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

SECRET_NAME_RE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
)  # use fullmatch: it is part of a path and of Compose names
MODE_RE = re.compile(r"0?[0-7]{3}")
VERSION_RE = re.compile(r"[1-9][0-9]{0,8}")
ALPHABET = string.ascii_letters + string.digits
GENERATE_MINIMUM, GENERATE_MAXIMUM = 16, 4096


class Owner(NamedTuple):
    uid: int
    gid: int
    mode: int


ROOT = Owner(0, 0, 0o400)
HOME_MODE = 0o700  # no obstacle to bind mounts of what is inside: the engine makes them as root


class Secret(NamedTuple):
    name: str
    generate: int | None
    owners: list[Owner]
    value: bytes | None


class Write(NamedTuple):
    path: str
    owner: Owner
    action: str  # create, replace or attributes


class Change(NamedTuple):
    name: str
    before: int  # 0: none yet
    version: int
    data: bytes | None  # None: to be generated
    length: int | None
    writes: list[Write]


class Plan(NamedTuple):
    directories: list[tuple[str, int]]  # path, mode
    changes: list[Change]

    @property
    def changed(self):
        return bool(self.directories or any(change.writes for change in self.changes))

    @property
    def versions(self):
        return {change.name: change.version for change in self.changes}


def secret_path(directory, name, version, uid=0, gid=0, mode="0400"):
    """Where the file of that version for that owner and mode is."""
    path = "%s/%s/%d" % (directory, name, version)
    owner = Owner(int(uid), int(gid), int(mode, 8))
    return path if owner == ROOT else "%s-%d-%d-%04o" % ((path,) + owner)


def _owner_number(where, key, value, problems):
    if isinstance(value, str) and re.fullmatch(r"[0-9]+", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32 - 1:
        problems.append(
            "%s: %s %r is not a number: containers have no names for the host's accounts, give the number"
            % (where, key, value)
        )
        return 0
    return value


def _owner(where, entry, problems):
    if not isinstance(entry, dict) or set(entry) - {"uid", "gid", "mode"}:
        problems.append("%s: each entry of files is a mapping of uid, gid and mode" % where)
        return ROOT
    mode = entry.get("mode")
    mode = "0400" if mode is None else mode
    if not isinstance(mode, str) or not MODE_RE.fullmatch(mode):
        problems.append(
            "%s: mode %r is not an octal string: write it in digits and in quotes, for example mode: '0400'"
            % (where, mode)
        )
        mode = "0400"
    if int(mode, 8) & 0o007:
        problems.append(
            "%s: mode %s lets everybody on the host at it: give the uid or gid that reads it, and mode '0400' or '0440'"
            % (where, mode)
        )
    uid = _owner_number(where, "uid", entry.get("uid") or 0, problems)
    gid = _owner_number(where, "gid", entry.get("gid") or 0, problems)
    return Owner(uid, gid, int(mode, 8))


def _value(where, value, problems):
    """Never names the value."""
    if value is None:
        return None
    if not isinstance(value, str):
        problems.append("%s: its value is not text but %s: put it in quotes" % (where, type(value).__name__))
        return None
    if not value:
        problems.append("%s: its value is empty" % where)
    elif re.fullmatch(r"[0-9]{1,3}", value):
        # Ansible masks values wherever they occur in a result, there even in the version numbers.
        problems.append("%s: its value is too short to be kept secret: use a longer one" % where)
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        problems.append("%s: its value is not valid Unicode text" % where)
        return None


def _secret(name, entry, values, problems):
    where = "secret %r" % name
    if not SECRET_NAME_RE.fullmatch(name):
        problems.append(
            "%s: a name is made of letters, digits, '.', '_' and '-', starts with a letter or digit, and has at most 64"
            % where
        )
    entry = {} if entry is None else entry
    if not isinstance(entry, dict):
        problems.append("%s: must be a mapping of generate and files; values go to another option" % where)
        entry = {"generate": GENERATE_MINIMUM}
    for key in sorted(set(entry) - {"generate", "files"}, key=str):
        problems.append("%s: unknown key %r: known are generate and files" % (where, key))
    generate = entry.get("generate")
    if generate is not None:
        if (
            isinstance(generate, bool)
            or not isinstance(generate, int)
            or not GENERATE_MINIMUM <= generate <= GENERATE_MAXIMUM
        ):
            problems.append(
                "%s: generate %r: must be a length from %d to %d"
                % (where, generate, GENERATE_MINIMUM, GENERATE_MAXIMUM)
            )
    elif values.get(name) is None:
        problems.append(
            "%s: has no value: give it one (in a play: stack_secrets), or let the host make it with generate: 64"
            % where
        )
    files = entry.get("files") or []
    if not isinstance(files, list):
        problems.append("%s: files must be a list of mappings of uid, gid and mode" % where)
        files = []
    owners = [_owner(where, owner, problems) for owner in files]
    return Secret(name, generate, sorted(set(owners)), _value(where, values.get(name), problems))


def parse(secrets, values=None):
    """The declaration, checked; all problems at once."""
    values = values or {}
    problems = []
    parsed = [_secret(str(name), entry, values, problems) for name, entry in sorted(secrets.items())]
    for name in sorted(set(values) - set(secrets)):
        problems.append("secret %r: has a value but is not declared: declare it, or remove the value" % name)
    if problems:
        raise StackError("\n".join(problems))
    return parsed


class SecretStore:
    """The secrets directory of one stack. `choose` picks one of a sequence, unpredictably."""

    def __init__(self, fs, directory, choose):
        self._fs = fs
        self._directory = directory
        self._choose = choose

    def plan(self, secrets):
        parents = []
        path = self._directory
        while path != "/" and not self._fs.stat(path):
            parents.append((path, HOME_MODE if path == self._directory else 0o755))
            path = os.path.dirname(path)
        directories = parents[::-1]
        if not parents and self._directory_differs(self._directory):
            directories.append((self._directory, HOME_MODE))
        changes = []
        for secret in secrets:
            home = os.path.join(self._directory, secret.name)
            if self._directory_differs(home):
                directories.append((home, HOME_MODE))
            changes.append(self._change(secret, home))
        return Plan(directories, changes)

    def _directory_differs(self, path):
        found = self._fs.lstat(path)
        if found is None:
            return True
        if not stat.S_ISDIR(found.st_mode):
            raise StackError("%s: must be a directory, but something else is there: remove it" % path)
        return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, 0, HOME_MODE)

    def _change(self, secret, home):
        names = self._fs.listdir(home) if self._fs.lstat(home) else []
        versions = sorted((int(name) for name in names if VERSION_RE.fullmatch(name)), reverse=True)
        before = versions[0] if versions else 0
        # A value that was there before has its version still: with it comes back the release that used it.
        known = ((one, self._read(secret_path(self._directory, secret.name, one))) for one in versions)
        version, data = next(
            ((one, data) for one, data in known if secret.value in (None, data)), (before + 1, secret.value)
        )
        writes = []
        for owner in [ROOT] + [owner for owner in secret.owners if owner != ROOT]:
            path = secret_path(self._directory, secret.name, version, owner.uid, owner.gid, "%o" % owner.mode)
            action = self._action(path, owner, data)
            if action:
                writes.append(Write(path, owner, action))
        return Change(secret.name, before, version, data, secret.generate, writes)

    def _read(self, path):
        if not stat.S_ISREG(self._fs.lstat(path).st_mode):
            raise StackError("%s: must be a file, but something else is there: remove it" % path)
        return self._fs.read(path)

    def _action(self, path, owner, data):
        found = self._fs.lstat(path)
        if found is None:
            return "create"
        if self._read(path) != data:
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
                    self._fs.remove_tree(stale)
                if change.writes:
                    self._write(change)
        except OSError as exc:
            raise StackError("%s: the secret cannot be written: %s" % (exc.filename or path, exc.strerror)) from exc

    def _make_directory(self, path, mode):
        if not self._fs.lstat(path):
            self._fs.mkdir(path)
        self._fs.chown(path, 0, 0)
        self._fs.chmod(path, mode)

    def _write(self, change):
        data = change.data
        if data is None:
            data = "".join(self._choose(ALPHABET) for unused in range(change.length)).encode("ascii")
        home = os.path.join(self._directory, change.name)
        staging = self._fs.make_staging(home)
        try:
            for write in change.writes:
                if write.action == "attributes":
                    self._set_attributes(write.path, write.owner)
                else:
                    self._write_file(write, os.path.join(staging, os.path.basename(write.path)), data)
            self._fs.fsync(home)
        finally:
            self._fs.remove_tree(staging)

    def _write_file(self, write, candidate, data):
        self._fs.write_new(candidate, data)
        self._set_attributes(candidate, write.owner)
        self._fs.fsync(candidate)
        if write.action == "replace":
            self._fs.rename(candidate, write.path)
        else:
            self._fs.link(candidate, write.path)  # unlike a rename, refuses to overwrite what another run has just made

    def _set_attributes(self, path, owner):
        self._fs.chown(path, owner.uid, owner.gid)
        self._fs.chmod(path, owner.mode)


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
