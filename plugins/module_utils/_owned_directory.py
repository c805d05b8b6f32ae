# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of the host that is to have an owner and a mode: the root of a volume, or one that services bind-mount.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What lies on the way to it may belong to the user of a container, who could put a link there. So the way is gone step by
step, and no link is followed: root never changes the owner of a file that somebody else has pointed it to.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_PARENT_MODE = 0o755


class Owner(t.NamedTuple):
    """Owner, group and mode of a directory. One that is not declared is None, and stays what it is."""

    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[int] = None

    def over(self, found: Owner) -> Owner:
        """What comes out where it is put on what was found."""
        return Owner(*(there if mine is None else mine for mine, there in zip(self, found)))

    def __str__(self) -> str:
        parts = []
        if self.uid is not None or self.gid is not None:
            parts.append("owner {0}:{1}".format(*("" if one is None else one for one in self[:2])))
        if self.mode is not None:
            parts.append("mode {0:04o}".format(self.mode))
        return ", ".join(parts)


def owner_of(body: t.Mapping[str, t.Any]) -> Owner:
    """What a document says of it."""
    mode = body.get("mode")
    return Owner(body.get("uid"), body.get("gid"), None if mode is None else int(mode, 8))


def look(path: str) -> t.Optional[Owner]:
    """Whose the directory is, or none if it is not there. Raises StackError where something else is."""
    try:
        descriptor = _open(path, None)
    except FileNotFoundError:
        return None
    try:
        return _owner(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def have(path: str, wanted: Owner) -> None:
    """Have the directory there, and be as wanted; those above it that are missing become root's. Raises StackError."""
    descriptor = _open(path, wanted)
    try:
        found = _owner(os.fstat(descriptor))
        owner = wanted.over(found)
        if owner[:2] != found[:2]:
            os.fchown(descriptor, owner.uid, owner.gid)
        # A change of the owner may take bits of the mode away.
        if owner != found:
            os.fchmod(descriptor, owner.mode)
    finally:
        os.close(descriptor)


def _owner(status: os.stat_result) -> Owner:
    return Owner(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def _open(path: str, wanted: t.Optional[Owner]) -> int:
    """The directory, opened; with ``wanted`` it is made where it is missing."""
    parts = [part for part in path.split("/") if part]
    descriptor = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for index, part in enumerate(parts):
            made = wanted is not None and _make(part, descriptor)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            if made and index < len(parts) - 1:
                os.fchmod(descriptor, _PARENT_MODE)
    except FileNotFoundError:
        os.close(descriptor)
        raise
    except OSError as error:
        at = "/" + "/".join(parts[: index + 1])
        os.close(descriptor)
        raise StackError(_refusal(path, at, error)) from error
    return descriptor


def _make(part: str, above: int) -> bool:
    """Nobody gets in before its mode is set."""
    try:
        os.mkdir(part, 0o700, dir_fd=above)
    except FileExistsError:
        return False
    return True


def _refusal(path: str, at: str, error: OSError) -> str:
    if os.path.islink(at):
        return (
            "{0} is a link to {1}, and no owner is set through a link, since whoever may change it could point it "
            "elsewhere. Remedy: declare and mount the path it stands for ({2})"
        ).format(at, os.readlink(at), os.path.realpath(path))
    if os.path.lexists(at) and not os.path.isdir(at):
        return "{0} is no directory. Remedy: move it away, or declare another path".format(at)
    return "{0}: {1}. Remedy: mend that on the host".format(at, error.strerror)
