# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers see of the files that are mounted into them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A mounted file is mounted as what it was when the container was started: whoever edits it in place edits it in there too,
and whoever replaces it leaves the container with the one of before. So what is on the host by now is not what counts.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._container_drift import Difference
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

Mapping = t.Mapping[str, t.Any]

# What the kernel adds to the name of a mounted file that was replaced or removed since.
_GONE = "//deleted"
_ESCAPE = re.compile(r"\\([0-7]{3})")
# Of a path, what tells the files of a stack from each other, wherever its directory is mounted from.
_PARTS = 3


def stale_mounts(fs: FileSystem, definition: Mapping, service: str, pid: int) -> t.List[Difference]:
    """The files of a running container that are not what its release mounts; what cannot be seen is not judged."""
    body, there = definition["services"][service], _mounts(fs, pid)
    found = []
    for reference in body.get("configs") or ():
        path = _path(definition, "configs", reference)
        seen = _seen(fs, pid, there, path)
        # Such a file is named by its content.
        if seen is not None and not is_named_after(path, seen):
            found.append(_difference("file", "configuration", reference, path))
    for reference in body.get("secrets") or ():
        path = _path(definition, "secrets", reference)
        seen, wanted = _seen(fs, pid, there, path), _read(fs, path)
        if None not in (seen, wanted) and seen != wanted:
            found.append(_difference("secret", "secret", reference, path))
    return found


def is_named_after(path: str, content: bytes) -> bool:
    """Whether a mounted configuration file has the content that it is named after."""
    return hashlib.sha256(content).hexdigest()[:12] == path.split("/")[-2]


def _path(definition: Mapping, section: str, reference: Mapping) -> str:
    return ((definition.get(section) or {}).get(reference["source"]) or {}).get("file") or ""


def _difference(kind: str, word: str, reference: Mapping, path: str) -> Difference:
    return Difference(kind, "sees another content of the {0} {1}".format(word, reference["target"]), path, "another content")


def _mounts(fs: FileSystem, pid: int) -> t.Dict[str, str]:
    """Where the files of the stack are in a container, by the end of their own path."""
    text = _read(fs, "/proc/{0}/mountinfo".format(pid)) or b""
    found = {}
    for line in text.decode("utf-8", "replace").splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            root, place = (_ESCAPE.sub(lambda one: chr(int(one.group(1), 8)), field) for field in fields[3:5])
            found[_end(root[: -len(_GONE)] if root.endswith(_GONE) else root)] = place
    return found


def _end(path: str) -> str:
    return "/".join(path.split("/")[-_PARTS:])


def _seen(fs: FileSystem, pid: int, there: t.Mapping[str, str], path: str) -> t.Optional[bytes]:
    place = there.get(_end(path)) if path else None
    # A place where something is mounted is no link.
    return _read(fs, "/proc/{0}/root{1}".format(pid, place)) if place else None


def _read(fs: FileSystem, path: str) -> t.Optional[bytes]:
    try:
        return fs.read(path)
    except OSError:
        return None
