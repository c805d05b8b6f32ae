# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a release so that it is there whole or not at all, and makes one the current one.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._files import parse
from ansible_collections.portside.stack.plugins.module_utils._files_apply import apply
from ansible_collections.portside.stack.plugins.module_utils._files_plan import Plan, Planner
from ansible_collections.portside.stack.plugins.module_utils._filesystem import Accounts, FileSystem
from ansible_collections.portside.stack.plugins.module_utils._release_store import (
    COMPOSE_FILE,
    EDGE,
    RECORD,
    ReleaseStore,
)

Files = t.Mapping[str, t.Mapping[str, str]]
# Gives a new file or directory its security context: path, the path it will have, whether something is replaced.
Label = t.Callable[[str, str, bool], None]

_MODES = {COMPOSE_FILE: "0644", RECORD: "0600"}


def plan_release(fs: FileSystem, store: ReleaseStore, release: str, files: Files, check_mode: bool) -> Plan:
    """What differs on the host from the release as given: its own files, and those that its services mount."""
    home = store.path(release)
    own = {os.path.join(home, name): name for name in _MODES}
    of_edge = [path for path in sorted(files) if path.startswith(os.path.join(home, EDGE) + "/")]
    problems = ["{0} is not given".format(path) for path in sorted(own) if path not in files]
    for path, entry in sorted(files.items()):
        if path not in own and path not in of_edge and not path.startswith(store.directory + "/files/"):
            problems.append("{0} is neither of the release nor below {1}/files".format(path, store.directory))
        if not isinstance(entry, dict) or set(entry) - {"content", "mode"}:
            problems.append("{0} must be a mapping of content and mode".format(path))
    if problems:
        raise StackError(
            "stack {0}: release {1}: option files: {2}. Remedy: give what the filter release_files makes.".format(
                store.stack, release, "; ".join(problems)
            )
        )
    declared = {path: dict(entry) for path, entry in files.items()}
    for path, name in own.items():
        # The record is long and says little as a diff, so that _release_diff tells what differs in words.
        declared[path].update(mode=_MODES[name], sensitive=name == RECORD)
    directories = {
        os.path.dirname(home): {"mode": "0755"},
        home: {"mode": "0755"},
        **{folder: {"mode": "0755"} for path in of_edge for folder in _folders(path, home)},
        store.state_path(release): {"mode": "0700"},
    }
    return Planner(fs, Accounts(), check_mode).plan(parse(declared, directories=directories))


def _folders(path: str, home: str) -> t.Iterator[str]:
    """The directories of a release that a file in it needs."""
    folder = os.path.dirname(path)
    while folder != home:
        yield folder
        folder = os.path.dirname(folder)


def write_release(fs: FileSystem, store: ReleaseStore, release: str, plan: Plan, label: Label) -> t.List[str]:
    """Carry out a plan of plan_release; answers warnings.

    Mounted files come first: a release that is there has all it needs. A release directory that is there already is
    mended in place, so that what happened to it is not forgotten; the record is the last of its files to come.
    """
    home = store.path(release)
    mounted, own = _parted(plan, home)
    warnings = apply(mounted, fs, None, label)
    if fs.lstat(home):
        return warnings + apply(own, fs, None, label)
    return warnings + _place(fs, store, release, own, label)


def _parted(plan: Plan, home: str) -> t.Tuple[Plan, Plan]:
    def inside(change: t.Any) -> bool:
        return (change.path + "/").startswith(home + "/")

    return (
        plan._replace(
            files=[change for change in plan.files if not inside(change)],
            directories=[change for change in plan.directories if not inside(change)],
        ),
        plan._replace(
            files=[change for change in plan.files if inside(change)],
            directories=[change for change in plan.directories if inside(change)],
        ),
    )


def _place(fs: FileSystem, store: ReleaseStore, release: str, plan: Plan, label: Label) -> t.List[str]:
    """Write the directory of a release out of sight, and let one rename make it a release."""
    home = store.path(release)
    releases = os.path.dirname(home)
    staging = ""
    try:
        staging = fs.make_staging(releases)
        whole = os.path.join(staging, release)
        for directory in plan.directories:
            candidate = whole + directory.path[len(home) :]
            fs.mkdir(candidate)
            fs.chown(candidate, directory.uid, directory.gid)
            fs.chmod(candidate, directory.attributes.mode)
            label(candidate, directory.path, False)
        for change in plan.files:
            candidate = whole + change.path[len(home) :]
            fs.write_new(candidate, change.file.content)
            fs.chown(candidate, change.uid, change.gid)
            fs.chmod(candidate, change.file.attributes.mode)
            label(candidate, change.path, False)
            fs.fsync(candidate)
        for directory in reversed(plan.directories):
            fs.fsync(whole + directory.path[len(home) :])
        fs.rename(whole, home)
        fs.fsync(releases)
    except OSError as error:
        raise StackError(
            "stack {0}: release {1} cannot be written to {2}: {3}. The current release is untouched. "
            "Remedy: mend that on the host (df -h shows whether its disk is full), then deploy again.".format(
                store.stack, release, home, error.strerror or error
            )
        ) from error
    finally:
        left = discard(fs, [staging] if staging else [])
    return left


def switch_current(fs: FileSystem, store: ReleaseStore, release: str) -> None:
    """Have `current` name a release: at every moment it names the old one or the new one."""
    link = os.path.join(store.directory, "current")
    candidate = link + ".new"
    if fs.lstat(candidate):
        fs.unlink(candidate)
    fs.symlink(os.path.join("releases", release), candidate)
    fs.rename(candidate, link)
    fs.fsync(store.directory)


def remove_release(fs: FileSystem, store: ReleaseStore, release: str) -> t.List[str]:
    """Remove the directory of a release, which is gone at once or not at all; answers warnings."""
    home = store.path(release)
    releases = os.path.dirname(home)
    staging = fs.make_staging(releases)
    fs.rename(home, os.path.join(staging, release))
    fs.fsync(releases)
    return discard(fs, [staging])


def discard(fs: FileSystem, directories: t.Iterable[str]) -> t.List[str]:
    """Remove temporary directories; answers a warning for each that stays."""
    left = []
    for path in directories:
        try:
            fs.remove_tree(path)
        except OSError as error:
            left.append("{0}: a temporary directory could not be removed: {1}".format(path, error.strerror or error))
    return left
