# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a plan of _files_plan: every candidate is written and validated first, then all come in place, or none.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import stat

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


def _reason(exc):
    return exc.strerror or str(exc)


def _remove(fs, directories):
    left = []
    for path in directories:
        try:
            fs.remove_tree(path)
        except OSError as exc:
            left.append("%s: a temporary directory could not be removed: %s" % (path, _reason(exc)))
    return left


class Staging:
    """Private directories that hold candidates and, during the change, the files they replace.

    They are made in the closest existing directory of each target: on its file system, and out of the sight of whoever
    reads `*.conf`.
    A `scratch` directory holds all of them instead, when nothing is to be renamed.
    """

    def __init__(self, fs, scratch=None):
        self._fs = fs
        self._scratch = scratch
        self._count = 0
        self.directories = {}

    def slot(self, nearest):
        """A fresh directory, so that a candidate keeps its target's name: some validators look at it."""
        parent = self._scratch or nearest
        if parent not in self.directories:
            self.directories[parent] = self._fs.make_staging(parent)
        self._count += 1
        slot = os.path.join(self.directories[parent], str(self._count))
        self._fs.mkdir(slot)
        return slot

    def keep(self):
        """Leaves what is there for a person to recover; returns where it is."""
        kept = sorted(self.directories.values())
        self.directories = {}
        return kept

    def remove(self):
        """Returns what could not be removed."""
        return _remove(self._fs, self.keep())


def stage(plan, fs, staging, label=None):
    """Writes the candidates; returns {target: candidate's path}. Without label (check mode) attributes are "
    "left alone."""
    candidates = {}
    for change in plan.files:
        try:
            candidate = os.path.join(staging.slot(change.nearest), os.path.basename(change.path))
            candidates[change.path] = candidate
            if change.removes:
                continue
            fs.write_new(candidate, change.file.content)
            if label:
                _set_attributes(fs, candidate, change.uid, change.gid, change.file.attributes.mode)
                label(candidate, change.path, bool(change.before))
                fs.fsync(candidate)
        except OSError as exc:
            raise StackError(
                "%s: the change cannot be prepared in %s: %s. Nothing was changed."
                % (change.path, change.nearest, _reason(exc))
            ) from exc
    return candidates


def _set_attributes(fs, path, uid, gid, mode):
    fs.chown(path, uid, gid)
    fs.chmod(path, mode)


def _to_validate(change):
    return not change.removes and change.content_differs and change.file.validate


def validate(plan, candidates, programs, check_mode=False):
    """Lets every validator judge its candidate; all refusals at once. Returns [(path, program)] that check "
    "mode could not ask."""
    refusals, not_validated = [], []
    for change in plan.files:
        if not _to_validate(change):
            continue
        argv = [word.replace("%s", candidates[change.path]) for word in change.file.validate]
        program = programs.find(argv[0])
        if program is None and check_mode:
            not_validated.append((change.path, argv[0]))
        elif program is None:
            refusals.append(
                "%s: its validator %s is not on this host: install it before, or leave validate out"
                % (change.path, argv[0])
            )
        else:
            code, output = programs.run([program] + argv[1:])
            if code != 0:
                output = "its output is withheld, the file is sensitive" if change.file.sensitive else output.strip()
                refusals.append(
                    "%s: refused by %s (exit %d): %s" % (change.path, " ".join(change.file.validate), code, output)
                )
    if refusals:
        raise StackError("\n".join(refusals + ["Nothing was changed."]))
    return not_validated


class _Journal:
    """What was done, and how to undo it."""

    def __init__(self):
        self._undo = []
        self.doing = ""

    def did(self, undo, *arguments):
        self._undo.append((self.doing, undo, arguments))

    def roll_back(self):
        """Returns what could not be undone."""
        failures = []
        while self._undo:
            path, undo, arguments = self._undo.pop()
            try:
                undo(*arguments)
            except OSError as exc:
                failures.append("%s: %s" % (path, _reason(exc)))
        return failures


def _change_directory(change, fs, journal, label):
    before = change.before
    if before is None:
        fs.mkdir(change.path)
        journal.did(fs.rmdir, change.path)
        label(change.path, change.path, False)
    else:
        journal.did(_set_attributes, fs, change.path, before.st_uid, before.st_gid, stat.S_IMODE(before.st_mode))
    _set_attributes(fs, change.path, change.uid, change.gid, change.attributes.mode)


def _change_file(change, fs, journal, candidate):
    backup = os.path.dirname(candidate) + ".before"
    if change.removes:
        fs.rename(change.path, backup)
        journal.did(fs.rename, backup, change.path)
    elif change.before:
        fs.link(change.path, backup)
        fs.rename(candidate, change.path)
        journal.did(fs.rename, backup, change.path)
    else:
        fs.rename(candidate, change.path)
        journal.did(fs.unlink, change.path)


def _commit(plan, fs, staging, candidates, label):
    journal = _Journal()
    try:
        for change in plan.directories:
            journal.doing = change.path
            _change_directory(change, fs, journal, label)
        for change in plan.files:
            journal.doing = change.path
            _change_file(change, fs, journal, candidates[change.path])
        for parent in sorted({os.path.dirname(change.path) for change in plan.files + plan.directories}):
            journal.doing = parent
            fs.fsync(parent)
    except BaseException as exc:
        doing = journal.doing
        failures = journal.roll_back()
        if failures:
            raise StackError(
                "%s: cannot be changed: %s. Undoing the rest failed too (%s): move the files kept in %s back by hand."
                % (doing, exc, "; ".join(failures), ", ".join(staging.keep()))
            ) from exc
        if isinstance(exc, OSError):
            raise StackError("%s: cannot be changed: %s. Nothing was changed." % (doing, _reason(exc))) from exc
        raise


def preview(plan, fs, programs, scratch):
    """What check mode can know beyond the plan; returns [(path, program)] whose validator is not on the host yet."""
    staging = Staging(fs, scratch)
    plan = plan._replace(files=[change for change in plan.files if _to_validate(change)])
    try:
        return validate(plan, stage(plan, fs, staging), programs, check_mode=True)
    finally:
        staging.remove()


def apply(plan, fs, programs, label):
    """Changes everything, or nothing and raises StackError. Returns warnings.

    `label(path, target, replaces)` gives a new file or directory its security context.
    """
    staging = Staging(fs)
    try:
        candidates = stage(plan, fs, staging, label)
        validate(plan, candidates, programs)
        _commit(plan, fs, staging, candidates, label)
    finally:
        warnings = staging.remove()
    # Only now: what an earlier run left may hold the only copy of a file, until everything is as declared.
    stale = [path for place in plan.places for path in fs.stale_staging(place)]
    return warnings + _remove(fs, stale)
