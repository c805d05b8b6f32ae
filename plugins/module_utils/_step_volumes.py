# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps are to run again because a volume is gone: what they did to it is lost.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

That a volume is new is noted when it is created. When the engine says that it was created is no help: that is when a
directory last changed, which it also does when the engine's data are moved to another disk.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import services_of
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import working_on
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger


def missing_volumes(engine: EngineClient, definition: t.Mapping[str, t.Any]) -> t.Set[str]:
    """The volumes that a document makes and the engine does not have."""
    own = set((definition.get("x-portside") or {}).get("volumes") or ())
    return own - {volume["Name"] for volume in engine.get("/volumes").get("Volumes") or ()} if own else own


def steps_on(record: t.Mapping[str, t.Any], volumes: t.AbstractSet[str]) -> t.Set[str]:
    """The steps of a release that work on these volumes, by themselves or through what their service depends on."""
    steps = record.get("steps") or ()
    if not volumes or not steps:
        return set()
    services = working_on(services_of(record["definition"]), volumes)
    return {step["name"] for step in steps if step["service"] in services}


def lose_steps(store: ReleaseStore, volumes: t.AbstractSet[str], time: str) -> None:
    """Note in every release that what its steps did to these volumes is lost."""
    for release in store.ids() if volumes else ():
        lost = steps_on(store.read(release), volumes)
        StepLedger(store, release).undo(lambda _index, entry, lost=lost: entry["step"] in lost, time)
