# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a stack's secrets, as they are on its host: judged by digests, and never shown.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._drift_files import attributes_drift, read, sha256
from ansible_collections.portside.stack.plugins.module_utils._drift_model import Drift
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secret_env_file import env_line
from ansible_collections.portside.stack.plugins.module_utils._secrets import HOME_MODE, secret_path

# A version, the reader that a copy is for, and the variable that one is a line of.
_FILE = re.compile(r"(?P<version>[1-9][0-9]*)(?:-(?P<uid>[0-9]+)-(?P<gid>[0-9]+)-(?P<mode>[0-7]+))?(?:\.(?P<variable>\w+)\.env)?\Z")
_CHANGED = (
    "run site.yml, which gives a secret whose value is in stack_secrets a new version; one that was generated here is made anew "
    "by -e rotate={0}"
)


def secret_drift(fs: FileSystem, stack: str, directory: str, record: t.Mapping[str, t.Any], digests: t.Mapping[str, str]) -> t.List[Drift]:
    """The files of secrets that a release needs and that are missing, changed, or have another owner or mode.

    ``directory`` is the stack's, ``digests`` are those of the versions when the release was verified, by ``NAME/VERSION``.
    """
    home = os.path.join(directory, "secrets")
    versions = record.get("secrets") or {}
    if not versions:
        return []
    found = attributes_drift(fs, stack, home, (0, 0, HOME_MODE), True, "secret")
    wrong = set()
    for name in sorted(versions):
        found += attributes_drift(fs, stack, os.path.join(home, name), (0, 0, HOME_MODE), True, "secret")
        path = secret_path(home, name, versions[name])
        found += attributes_drift(fs, stack, path, (0, 0, 0o400), False, "secret")
        content, digest = read(fs, path), digests.get("{0}/{1}".format(name, versions[name]))
        if content is not None and digest and sha256(content) != digest:
            wrong.add(name)
            found.append(_changed(stack, name, path, "the release was verified with another one"))
    for path in copies(record.get("definition") or {}, home):
        found += _copy_drift(fs, stack, home, path, wrong)
    return found


def version_contents(fs: FileSystem, directory: str, record: t.Mapping[str, t.Any]) -> t.Dict[str, bytes]:
    """What the versions of a release's secrets are, by ``NAME/VERSION``, as far as they are there."""
    home = os.path.join(directory, "secrets")
    found = {(name, version): read(fs, secret_path(home, name, version)) for name, version in (record.get("secrets") or {}).items()}
    return {"{0}/{1}".format(*key): content for key, content in found.items() if content is not None}


def copies(definition: t.Mapping[str, t.Any], home: str) -> t.List[str]:
    """The files that services mount or read of secrets, other than the versions themselves."""
    paths = {(one or {}).get("file") or "" for one in (definition.get("secrets") or {}).values()}
    for body in (definition.get("services") or {}).values():
        paths.update(path for path in body.get("env_file") or () if isinstance(path, str))
    return sorted(path for path in paths if path.startswith(home + "/") and not os.path.basename(path).isdigit())


def _copy_drift(fs: FileSystem, stack: str, home: str, path: str, wrong: t.Container[str]) -> t.List[Drift]:
    name, _slash, entry = path[len(home) + 1 :].partition("/")
    parts = _FILE.match(entry)
    if not parts:
        return []
    owner = (0, 0, 0o400) if parts.group("uid") is None else (int(parts.group("uid")), int(parts.group("gid")), int(parts.group("mode"), 8))
    found = attributes_drift(fs, stack, path, owner, False, "secret")
    content, version = read(fs, path), read(fs, secret_path(home, name, int(parts.group("version"))))
    # Which of the two was changed is told where it is known.
    if name not in wrong and None not in (content, version) and content != _as_copy(version or b"", parts.group("variable")):
        found.append(_changed(stack, name, path, "the version that it is a copy of is another one"))
    return found


def _as_copy(version: bytes, variable: t.Optional[str]) -> t.Optional[bytes]:
    try:
        return env_line(variable, version.decode("utf-8")).encode("utf-8") if variable else version
    except (StackError, UnicodeDecodeError):
        return None


def _changed(stack: str, name: str, path: str, why: str) -> Drift:
    what = "secret {0}: {1} was changed: {2}".format(name, path, why)
    return Drift(stack, "", "secret", what, "as it was", "another value", _CHANGED.format(name))
