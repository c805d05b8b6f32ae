# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diff of a release: against the current one, since that is what a deploy replaces.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._files_diff import DIFF_LIMIT
from ansible_collections.portside.stack.plugins.module_utils._files_diff import diff as files_diff
from ansible_collections.portside.stack.plugins.module_utils._files_plan import Plan
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._release_store import COMPOSE_FILE, RECORD, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._release_write import Files

Entry = t.Dict[str, str]
Record = t.Mapping[str, t.Any]


def release_diff(
    fs: FileSystem, store: ReleaseStore, release: str, files: t.Optional[Files], plan: t.Optional[Plan]
) -> t.List[Entry]:
    """What is to be written, or if another release is current what differs from that, and what is mended."""
    current = store.current()
    if current == release:
        return files_diff(plan, fs) if plan else []
    after = _given(store, release, files) if files else _on_host(store, release)
    before = _on_host(store, current) if current else {}
    entries = [
        _entry("release {0}, {1}".format(current or "(absent)", name), "release {0}, {1}".format(release, name), *texts)
        for name, texts in _pairs(before, after)
    ]
    if plan:
        mended = plan._replace(
            files=[change for change in plan.files if change.before],
            directories=[change for change in plan.directories if change.before],
        )
        entries += files_diff(mended, fs)
    return entries


def summary(record: Record) -> str:
    """What a record pins, one line each."""
    lines = ["image {0} is {1}".format(*item) for item in sorted(record.get("images", {}).items())]
    lines += ["secret {0} version {1}".format(*item) for item in sorted(record.get("secrets", {}).items())]
    lines += [
        "step {name}, {when} the activation, in {service}: {words}".format(words=" ".join(step["command"]), **step)
        for step in record.get("steps", [])
    ]
    return "".join(line + "\n" for line in lines)


def given_record(store: ReleaseStore, release: str, files: Files) -> Record:
    """The record among the files of a release."""
    try:
        record = json.loads(files[os.path.join(store.path(release), RECORD)]["content"])
    except (KeyError, TypeError, ValueError) as error:
        record = error
    if not isinstance(record, dict):
        raise StackError(
            "stack {0}: release {1}: option files: its {2} is not a mapping in JSON. "
            "Remedy: give what the filter release_files makes.".format(store.stack, release, RECORD)
        )
    return record


def _given(store: ReleaseStore, release: str, files: Files) -> t.Dict[str, str]:
    """The texts of a release by a name that its successor has for them too."""
    texts = {_name(store, path): str(entry["content"]) for path, entry in files.items()}
    texts[RECORD] = summary(given_record(store, release, files))
    return texts


def _on_host(store: ReleaseStore, release: str) -> t.Dict[str, str]:
    """The same of a release that is there; what somebody deleted from it is left out."""
    if release not in store.ids():
        return {}
    record = store.read(release)
    texts = {RECORD: summary(record)}
    for path in [store.compose_file(release), *store.edge_files(release, record), *record.get("files", [])]:
        try:
            with open(path, encoding="utf-8", errors="replace") as handle:
                texts[_name(store, path)] = handle.read()
        except FileNotFoundError:
            continue
    return texts


def _name(store: ReleaseStore, path: str) -> str:
    """Without the digest of what it holds: ``compose.yaml``, ``edge/nginx.conf``, ``files/app.conf``."""
    mounted = path.startswith(store.directory + "/files/")
    own = re.match(re.escape(store.directory) + r"/releases/[^/]+/(.+)\Z", path)
    if own:
        return own.group(1)
    return ("files/" if mounted else "") + os.path.basename(path)


def _pairs(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> t.Iterator[t.Tuple[str, t.Tuple[str, str]]]:
    first = (COMPOSE_FILE, RECORD)
    for name in sorted(set(before) | set(after), key=lambda name: (name not in first, name)):
        texts = before.get(name, ""), after.get(name, "")
        if texts[0] != texts[1]:
            yield name, texts


def _entry(before_header: str, after_header: str, before: str, after: str) -> Entry:
    def shown(text: str) -> str:
        return "({0} characters: too long to show)\n".format(len(text)) if len(text) > DIFF_LIMIT else text

    return {
        "before_header": before_header,
        "after_header": after_header,
        "before": shown(before),
        "after": shown(after),
    }
