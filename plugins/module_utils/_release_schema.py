# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas of a stack's databases, as a release is verified with them and judged by.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._release_known import known_releases
from ansible_collections.portside.stack.plugins.module_utils._release_rollback import last_known
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._schema import Fingerprints, fingerprints, servers


def schemas_now(engine: EngineClient, run: Run, stack: str) -> t.Optional[Fingerprints]:
    """The schemas as running databases tell them: empty where none runs, none where nothing could tell."""
    try:
        if not servers(engine, stack):
            return {}
    except EngineUnavailable:
        return None
    return fingerprints(engine, run, stack)


def schemas_to_record(store: ReleaseStore, engine: EngineClient, run: Run) -> t.Optional[Fingerprints]:
    """The schemas that a release is verified with: of what a step's own command tells, as that told it last."""
    now = schemas_now(engine, run, store.stack)
    if now is None:
        return None
    told = last_known(known_releases(store))
    return dict({name: value for name, value in told.items() if name.startswith("command:")}, **now)
