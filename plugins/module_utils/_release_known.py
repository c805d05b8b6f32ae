# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all that a host knows of a stack's releases.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._release_rollback import Entry, Release
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger


def known_releases(store: ReleaseStore) -> t.List[Release]:
    """The complete releases of a stack, by name."""
    return [_known(store, release) for release in store.ids()]


def _known(store: ReleaseStore, release: str) -> Release:
    record = store.read(release)
    verified = store.verified(release) or {}
    entries = StepLedger(store, release).entries()
    return Release(
        release, verified.get("verified") or "", verified.get("schema"), record, [_with_dump(entry, record) for entry in entries]
    )


def _with_dump(entry: Entry, record: t.Mapping[str, t.Any]) -> Entry:
    """The ledger has where the dump is, the record what it is a dump of."""
    path = entry.get("dump")
    declared = [step["dump"] for step in record.get("steps", []) if step["name"] == entry["step"] and step.get("dump")]
    if not path or not declared or not os.path.exists(path):
        return dict(entry, dump=None)
    return dict(entry, dump=dict(declared[0], path=path, taken=entry["started"]))
