# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diff of a plan of _files_plan.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import stat

from ansible_collections.portside.stack.plugins.module_utils._files_plan import kind

DIFF_LIMIT = 100 * 1024


def _shown(data):
    if len(data) > DIFF_LIMIT:
        return "(%d bytes: too long to show)\n" % len(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    return "(binary, %d bytes)\n" % len(data) if "\0" in text else text


def _attribute_text(mode, uid, gid):
    return "mode %04o owner %s group %s\n" % (mode, uid, gid)


def _attribute_diff(change, attributes):
    """Numbers where they are known, so that both sides compare; the name of an account that does not exist yet."""
    before = ""
    if change.before:
        before = _attribute_text(stat.S_IMODE(change.before.st_mode), change.before.st_uid, change.before.st_gid)
    uid = attributes.owner if change.uid < 0 else change.uid
    gid = attributes.group if change.gid < 0 else change.gid
    return before, _attribute_text(attributes.mode, uid, gid)


def _content_diff(change, fs):
    if change.file is None or change.file.sensitive:
        before = "(content withheld)\n" if change.before else ""
        return before, "" if change.removes else "(new content withheld)\n"
    before = ""
    if change.before:
        regular = stat.S_ISREG(change.before.st_mode)
        before = _shown(fs.read(change.path)) if regular else "(%s)\n" % kind(change.before.st_mode)
    return before, "" if change.removes else _shown(change.file.content)


def diff(plan, fs):
    """One entry per directory and file of the plan; content that is sensitive, or was never declared here, is "
    "withheld."""
    entries = []
    for change in plan.directories:
        before, after = _attribute_diff(change, change.attributes)
        entries.append((change.path + "/", change.path + "/", before, after))
    for change in plan.files:
        before_header = change.path if change.before else change.path + " (absent)"
        after_header = change.path + " (absent)" if change.removes else change.path
        if change.content_differs:
            before, after = _content_diff(change, fs)
        else:
            before, after = _attribute_diff(change, change.file.attributes)
        if change.content_differs and not change.removes:
            attributes_before, attributes_after = _attribute_diff(change, change.file.attributes)
            if attributes_before != attributes_after:
                after_header += " (%s)" % attributes_after.strip()
        entries.append((before_header, after_header, before, after))
    keys = ("before_header", "after_header", "before", "after")
    return [dict(zip(keys, entry)) for entry in entries]
