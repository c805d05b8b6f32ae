# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of files as declared. What to change is in _files_plan and _files_diff, changing it in _files_apply.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

MODE_RE = re.compile(r"0?[0-7]{3,4}")
FILE_KEYS = ("content", "mode", "owner", "group", "state", "validate", "sensitive")
DIRECTORY_KEYS = ("mode", "owner", "group")


class Attributes(NamedTuple):
    mode: int
    owner: str
    group: str


class File(NamedTuple):
    path: str
    present: bool
    content: bytes
    attributes: Attributes
    validate: list[str]
    sensitive: bool


class Declaration(NamedTuple):
    files: list[File]
    directories: dict[str, Attributes]
    purge: list[str]


def _path_problem(path):
    if not isinstance(path, str) or not path.startswith("/") or path == "/":
        return "%r: not an absolute path" % (path,)
    if os.path.normpath(path) != path or path.startswith("//"):
        return "%s: write the path without '.', '..', doubled or trailing '/': %s" % (path, os.path.normpath(path))
    return None


def _attributes(path, entry, default_mode, problems):
    mode = entry.get("mode")
    mode = default_mode if mode is None else mode
    if not isinstance(mode, str) or not MODE_RE.fullmatch(mode):
        problems.append(
            "%s: mode %r is not an octal string: write it in digits and in quotes, for example mode: '%s'"
            % (path, mode, default_mode)
        )
        mode = default_mode
    names = {}
    for key in ("owner", "group"):
        value = entry.get(key)
        names[key] = "root" if value is None else str(value)
    return Attributes(int(mode, 8), names["owner"], names["group"])


def _entry(path, entry, keys, problems):
    problem = _path_problem(path)
    if problem:
        problems.append(problem)
    entry = {} if entry is None else entry
    if not isinstance(entry, dict):
        problems.append("%s: must be a mapping of %s, not %s" % (path, ", ".join(keys), type(entry).__name__))
        return {}
    for key in sorted(set(entry) - set(keys), key=str):
        problems.append("%s: unknown key %r: known are %s" % (path, key, ", ".join(keys)))
    return entry


def _content(path, entry, secret_contents, problems):
    content = entry.get("content")
    if path in secret_contents:
        if content is not None:
            problems.append("%s: content is given in files and in secret_contents: keep one" % path)
        content = secret_contents[path]
    if content is None:
        problems.append("%s: has no content: give content, an entry in secret_contents, or state: absent" % path)
    elif not isinstance(content, str):
        problems.append(
            "%s: content must be text, not %s: render it, for example with to_nice_json"
            % (path, type(content).__name__)
        )
    else:
        try:
            return content.encode("utf-8")
        except UnicodeEncodeError:
            problems.append("%s: content is not valid Unicode text" % path)
    return b""


def _flag(path, key, value, problems):
    if value is None or isinstance(value, bool):
        return bool(value)
    problems.append("%s: %s must be true or false, not %r" % (path, key, value))
    return False


def _file(path, entry, secret_contents, problems):
    state = entry.get("state") or "present"
    if state not in ("present", "absent"):
        problems.append("%s: state %r: must be present or absent" % (path, state))
    present = state != "absent"
    validate = entry.get("validate") or []
    if not isinstance(validate, list) or not all(isinstance(word, str) for word in validate):
        problems.append("%s: validate must be a list of words, for example [visudo, -cf, '%%s']" % path)
        validate = []
    elif validate and "".join(validate).count("%s") != 1:
        problems.append(
            "%s: validate must hold '%%s' exactly once, where the candidate's path goes: %s"
            % (path, " ".join(validate))
        )
    return File(
        path=path,
        present=present,
        content=_content(path, entry, secret_contents, problems) if present else b"",
        attributes=_attributes(path, entry, "0644", problems),
        validate=validate,
        sensitive=_flag(path, "sensitive", entry.get("sensitive"), problems) or path in secret_contents,
    )


def parse(files, secret_contents=None, directories=None, purge=None):
    """The declaration, checked; every problem that needs no look at the host is reported at once."""
    secret_contents = secret_contents or {}
    problems = []
    parsed = [
        _file(path, _entry(path, entry, FILE_KEYS, problems), secret_contents, problems)
        for path, entry in sorted(files.items())
    ]
    for path in sorted(set(secret_contents) - set(files)):
        problems.append("%s: is in secret_contents but not in files: declare the file too" % path)
    parsed_directories = {
        path: _attributes(path, _entry(path, entry, DIRECTORY_KEYS, problems), "0755", problems)
        for path, entry in sorted((directories or {}).items())
    }
    purge = sorted(set(purge or []))
    problems += [problem for problem in map(_path_problem, purge) if problem]
    present = {file.path for file in parsed if file.present}
    for path in sorted(present & set(parsed_directories)):
        problems.append("%s: is declared as a file and as a directory" % path)
    for path in sorted(present | set(parsed_directories) | set(purge)):
        for parent in parents(path):
            if parent in present:
                problems.append("%s: cannot exist below %s, which is declared as a file" % (path, parent))
    for path in purge:
        if path in present:
            problems.append("%s: cannot be purged, it is declared as a file" % path)
    if problems:
        raise StackError("\n".join(problems))
    return Declaration(parsed, parsed_directories, purge)


def parents(path):
    """/a and /a/b for /a/b/c, outermost first."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]
