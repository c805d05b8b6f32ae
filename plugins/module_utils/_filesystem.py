# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file system and the accounts of the host, as objects that logic is handed and tests replace.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import re
import shutil
import tempfile

STAGING_RE = re.compile(r"\.portside-([0-9]+)-")


class FileSystem:
    """What is done to files, one system call or so per method; symlinks are followed by stat alone."""

    def lstat(self, path):
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stat(self, path):
        try:
            return os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def realpath(self, path):
        return os.path.realpath(path)

    def readlink(self, path):
        return os.readlink(path)

    def listdir(self, path):
        return sorted(os.listdir(path))

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def mkdir(self, path):
        os.mkdir(path, 0o700)

    def rmdir(self, path):
        os.rmdir(path)

    def write_new(self, path, data):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with _named(path), os.fdopen(descriptor, "wb") as file:
            file.write(data)

    def shred(self, path):
        """Remove a file, so that its content is gone from the disk too, where the file system writes in place.

        The name goes first: what is cut off in between never leaves zeros that count as the content.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "wb") as file:
            os.unlink(path)
            file.write(bytes(os.fstat(descriptor).st_size))
            file.flush()
            os.fsync(descriptor)

    def chown(self, path, uid, gid):
        os.chown(path, uid, gid)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def symlink(self, target, path):
        os.symlink(target, path)

    def link(self, existing, new):
        os.link(existing, new, follow_symlinks=False)

    def rename(self, old, new):
        os.rename(old, new)

    def unlink(self, path):
        os.unlink(path)

    def fsync(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with _named(path):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_staging(self, directory):
        """A private directory on the same file system as the targets, so that a rename into place is atomic."""
        return tempfile.mkdtemp(prefix=".portside-%d-" % os.getpid(), dir=directory)

    def stale_staging(self, directory):
        """Staging directories left by processes that were killed, where they can be seen."""
        found = []
        try:
            names = os.listdir(directory)
        except OSError:
            names = []
        for name in names:
            match = STAGING_RE.match(name)
            if match and not os.path.exists("/proc/" + match.group(1)):
                found.append(os.path.join(directory, name))
        return found

    def remove_tree(self, path):
        shutil.rmtree(path)


@contextlib.contextmanager
def _named(path):
    """Has errors of an open file, such as that of a full disk, say which it is."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise


def put(fs, path, data):
    """Write what everybody may read, whole or not at all; answers whether that is new."""
    if fs.lstat(path) and fs.read(path) == data:
        return False
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    candidate = path + ".new"
    if fs.lstat(candidate):
        fs.unlink(candidate)
    fs.write_new(candidate, data)
    fs.chmod(candidate, 0o644)
    fs.fsync(candidate)
    fs.rename(candidate, path)
    return True


def read_json(fs, path):
    """What write_json wrote, where that is an object; an empty one where there is none, or half of it."""
    try:
        found = json.loads(fs.read(path).decode("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(fs, path, value):
    """Write what only root reads, whole or not at all, and so that it survives a power loss."""
    candidate = path + ".new"
    if fs.lstat(candidate):
        fs.unlink(candidate)
    fs.write_new(candidate, (json.dumps(value, indent=1) + "\n").encode("utf-8"))
    fs.fsync(candidate)
    fs.rename(candidate, path)
    fs.fsync(os.path.dirname(path))


class Accounts:
    """Names of users and groups to numbers; a number in digits stands for itself; None when unknown."""

    def uid(self, name):
        if name.isdigit():
            return int(name)
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return None

    def gid(self, name):
        if name.isdigit():
            return int(name)
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None
