# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one directory that an edge mounts: files in it are replaced, each at once, and the directory itself never.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What nginx was last seen to serve is written down beside them, so that files which a killed run left without a reload
are known as such.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._edge_places import CERTIFICATES, CHALLENGES, CONFIG, MOUNT, OWN, SELF_SIGNED, WEBROOT
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secrets import shred_tree

CANDIDATE = CONFIG + ".new"
_CHALLENGES = WEBROOT + CHALLENGES.rstrip("/")
_SERVED = "served"
_DIGEST = re.compile(re.escape(OWN) + "([0-9a-f]{16})")

# The directories in it, and the modes of what is no secret.
_FOLDERS = ("", CERTIFICATES, WEBROOT)
_MODES = {"": 0o755, CERTIFICATES: 0o700, WEBROOT: 0o755, CONFIG: 0o644}

Files = t.Mapping[str, bytes]


class EdgeDirectory:
    """``edge`` in a stack's directory, which need not exist to be read."""

    def __init__(self, stack_directory: str, fs: FileSystem) -> None:
        self.path = os.path.join(stack_directory, "edge")
        self._fs = fs

    def read(self, name: str) -> t.Optional[bytes]:
        path = os.path.join(self.path, name)
        found = self._fs.lstat(path)
        return self._fs.read(path) if found else None

    def ensure(self, names: t.Iterable[str] = ()) -> None:
        """Have the directory and those in it, and of these files the owner and mode; what a killed run was writing goes."""
        for name in _FOLDERS:
            os.makedirs(os.path.join(self.path, name).rstrip("/"), mode=_mode(name), exist_ok=True)
        for name in self.misowned(names):
            path = os.path.join(self.path, name).rstrip("/")
            self._fs.chown(path, 0, 0)
            self._fs.chmod(path, _mode(name))
        home = os.path.join(self.path, CERTIFICATES)
        for name in self._fs.listdir(home):
            if name.endswith(".new"):
                shred_tree(self._fs, os.path.join(home, name))

    def misowned(self, names: t.Iterable[str]) -> t.List[str]:
        """What is there of the directories and of these files with another owner or mode than it is written with."""
        found = [(name, self._fs.lstat(os.path.join(self.path, name).rstrip("/"))) for name in (*_FOLDERS, *names)]
        return [name for name, there in found if there and (there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)) != (0, 0, _mode(name))]

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, or replace it: at every moment there is the old one or the new one."""
        path = self.prepare(name, data)
        self._fs.rename(path, os.path.join(self.path, name))
        self._fs.fsync(os.path.dirname(path))

    def prepare(self, name: str, data: bytes) -> str:
        """Write a file beside the one that it is to replace; answers where."""
        path = os.path.join(self.path, name) + ".new"
        if self._fs.lstat(path):
            self._fs.unlink(path)
        self._fs.write_new(path, data)
        self._fs.chmod(path, _mode(name))
        self._fs.fsync(path)
        return path

    def discard(self, name: str) -> None:
        path = os.path.join(self.path, name)
        if self._fs.lstat(path):
            self._fs.unlink(path)

    def tidy(self, wanted: t.Container[str]) -> None:
        """Remove the keys that no file of the release is made of any more."""
        home = os.path.join(self.path, CERTIFICATES)
        for name in self._fs.listdir(home):
            # That one is made once, and good for every release with the same names.
            if os.path.join(CERTIFICATES, name) not in wanted and name != SELF_SIGNED:
                shred_tree(self._fs, os.path.join(home, name))

    def remove(self) -> bool:
        """Remove all of it; answers whether there was anything."""
        there = bool(self._fs.lstat(self.path))
        if there:
            shred_tree(self._fs, self.path)
        return there

    def holds(self, files: Files) -> bool:
        """Whether these are what is there."""
        return all(self.read(name) == data for name, data in files.items())

    def is_seen_by(self, pid: int) -> bool:
        """Whether a process of a container sees this directory: one that was removed and made again is another."""
        try:
            seen = self._fs.stat("/proc/{0}/root{1}".format(pid, MOUNT))
        except PermissionError:
            seen = None
        there = self._fs.stat(self.path)
        return seen is None or (there is not None and os.path.samestat(seen, there))

    # -- what is served --------------------------------------------------------------------------------------------

    def served(self, files: Files) -> bool:
        """Whether nginx was last seen to serve just these."""
        return self.read(_SERVED) == _fingerprint(files)

    def note_served(self, files: Files) -> None:
        self.write(_SERVED, _fingerprint(files))

    def forget_served(self) -> None:
        self.discard(_SERVED)

    # -- challenges ------------------------------------------------------------------------------------------------

    def put_challenge(self, token: str, text: str) -> str:
        """Have a challenge there as certbot would; answers the path that it is to be had under."""
        home = os.path.join(self.path, WEBROOT)
        for name in _CHALLENGES.split("/")[1:]:
            home = os.path.join(home, name)
            if not self._fs.lstat(home):
                self._fs.mkdir(home)
            # Whatever the umask is: nginx reads it as a user of its own.
            self._fs.chmod(home, 0o755)
        path = os.path.join(home, token)
        if self._fs.lstat(path):
            self._fs.unlink(path)
        self._fs.write_new(path, text.encode("ascii"))
        self._fs.chmod(path, 0o644)
        return path[len(os.path.join(self.path, WEBROOT)) :]

    def remove_challenge(self, token: str) -> None:
        self.discard(os.path.join(_CHALLENGES, token))


def _mode(name: str) -> int:
    return _MODES.get(name, 0o600)


def digest_in(config: t.Optional[bytes]) -> str:
    """The digest that a configuration of ours answers to, empty where there is none."""
    found = _DIGEST.search((config or b"").decode("utf-8", "replace"))
    return found.group(1) if found else ""


def _fingerprint(files: Files) -> bytes:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update("{0}\0{1}\0".format(name, hashlib.sha256(files[name]).hexdigest()).encode("utf-8"))
    return (whole.hexdigest() + "\n").encode("ascii")
