# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a stack off its host. Its volumes, secrets and history stay, but for the volumes that were named.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

The order is one that a kill may cut at any point. Until nothing runs, the current release is current, so that a deploy
or a restart of the host brings it back; whatever is left after that, the next removal finds.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import BootUnit
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger
from ansible_collections.portside.stack.plugins.module_utils._compose_remove import remove_stack
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._history import Event, History, event
from ansible_collections.portside.stack.plugins.module_utils._lease import Lease
from ansible_collections.portside.stack.plugins.module_utils._release_images import prune_images
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._release_write import discard, remove_release
from ansible_collections.portside.stack.plugins.module_utils._removal_plan import HISTORY, OWN, Removal
from ansible_collections.portside.stack.plugins.module_utils._secrets import shred_tree


class StackRemoval:
    """The removal of one stack, as planned; ``lease`` is the run's, none when it has none."""

    def __init__(
        self,
        store: ReleaseStore,
        plan: Removal,
        fs: FileSystem,
        engine: EngineClient,
        boot: BootUnit,
        certbot: Certbot,
        tell: t.Callable[[str], None],
        warn: t.Callable[[str], None],
    ) -> None:
        self._store, self._plan, self._fs, self._engine = store, plan, fs, engine
        self._boot, self._certbot, self._tell, self._warn = boot, certbot, tell, warn

    def carry_out(self, why: str, lease: t.Optional[Lease], now: t.Callable[[], float]) -> t.Optional[Event]:
        """Remove what is planned; answers the event, or none where there was nothing to do."""
        plan, store, fs = self._plan, self._store, self._fs
        if not plan.changes:
            return None
        remove_stack(store.stack, plan.services, self._engine, False, self._tell)
        OneShotLedger(store.directory).clear()
        self._boot.disable(store.directory)
        self._remove_edge()
        for release in plan.verified:
            fs.unlink(store.state_path(release, "verified.json"))
        if plan.current:
            fs.unlink(os.path.join(store.directory, "current"))
        for name in plan.delete:
            self._delete_volume(name)
        record = event(
            "removed",
            "remove",
            lease,
            now(),
            stack=store.stack,
            release=plan.current,
            previous=plan.current,
            why=why,
            deleted_volumes=plan.deleted_with_keys,
            kept_volumes=plan.keep,
        )
        if fs.lstat(store.directory):
            History(store.directory).append(record)
            self._keep_dumps(record["time"])
            self._clear_directory()
        return record

    def _remove_edge(self) -> None:
        """Its keys were made or copied here, so that they are of no use without it: a deploy has them again."""
        plan = self._plan
        self._certbot.forget(plan.certificates)
        for name in plan.certificates:
            self._tell("removed certificate {0}".format(name))
        if plan.edge:
            shred_tree(self._fs, plan.edge)
            self._tell("removed {0}, with its keys".format(plan.edge))

    def _delete_volume(self, name: str) -> None:
        try:
            self._engine.delete("/volumes/{0}".format(name))
        except StackError as error:
            raise StackError(
                "stack {0}: nothing of it runs any more, but volume {1} could not be deleted: {2}. Remedy: mend that, "
                "then run the same again.".format(self._store.stack, name, error)
            ) from error
        self._tell("deleted volume {0} with all that was in it".format(name))

    def _keep_dumps(self, time: str) -> None:
        """Where no later deploy lets them go: they may be all that is left of some data."""
        store, fs = self._store, self._fs
        for release in self._plan.dumps:
            kept = os.path.join(store.directory, "dumps", "{0}-{1}".format(time, release))
            os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
            fs.rename(store.state_path(release, "dumps"), kept)
            fs.fsync(os.path.dirname(kept))
            self._tell("keeps the dumps of release {0} in {1}".format(release, kept))

    def _clear_directory(self) -> None:
        plan, store, fs = self._plan, self._store, self._fs
        self._let_images_go()
        releases = os.path.join(store.directory, "releases")
        for release in plan.releases:
            for warning in remove_release(fs, store, release):
                self._warn(warning)
            self._tell("removed release {0}".format(release))
        left = [path for place in (store.directory, releases) for path in fs.stale_staging(place)]
        for warning in discard(fs, [*left, *plan.files]):
            self._warn(warning)
        if plan.whole:
            self._remove_directory()
            self._tell("removed {0}, with its secrets, its dumps and its history".format(store.directory))

    def _remove_directory(self) -> None:
        """The history last, and whole: it knows what was deleted."""
        home, fs = self._store.directory, self._fs
        for name in filter(OWN.fullmatch, fs.listdir(home)):
            # Overwrites what it removes: there are secrets, and there may be dumps.
            shred_tree(fs, os.path.join(home, name))
        fs.unlink(os.path.join(home, HISTORY))
        left = fs.listdir(home)
        if left:
            self._warn("{0}: {1} was not put there by a deploy, and stays".format(home, ", ".join(left)))
        else:
            fs.rmdir(home)

    def _let_images_go(self) -> None:
        store, fs = self._store, self._fs
        names = store.left_images()
        pruned = prune_images(
            self._engine, store.stack, self._engine.containers(), [], list(self._plan.images.values()), names
        )
        if pruned.names != names:
            write_json(fs, store.left_images_path, pruned.names)
        for reference in pruned.removed:
            self._tell("let image {0} go".format(reference))
