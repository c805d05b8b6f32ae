# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the releases of a stack are on its host, and what each one's record says.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

RELEASE_ID = re.compile(r"[0-9a-f]{16}\Z")
RECORD = "release.json"
COMPOSE_FILE = "compose.yaml"
# What of an edge is kept with its release; what it mounts is elsewhere.
EDGE = "edge"
# In its state: how the services came up when it was last activated.
START = "start.json"


class ReleaseStore:
    """The directory of one stack, read. A release without a record was never completed, and does not exist here."""

    def __init__(self, directory: str) -> None:
        self.directory = directory.rstrip("/")
        self.stack = os.path.basename(self.directory)

    def path(self, release: str) -> str:
        """The directory of a release."""
        return os.path.join(self.directory, "releases", release)

    def compose_file(self, release: str) -> str:
        """The Compose file of a release."""
        return os.path.join(self.path(release), COMPOSE_FILE)

    def state_path(self, release: str, *names: str) -> str:
        """Where what happened to a release is kept."""
        return os.path.join(self.path(release), "state", *names)

    def ids(self) -> t.List[str]:
        """The complete releases, by name."""
        try:
            names = os.listdir(os.path.join(self.directory, "releases"))
        except FileNotFoundError:
            return []
        return sorted(name for name in names if RELEASE_ID.match(name) and os.path.exists(self._record(name)))

    def current(self) -> str:
        """The release that `current` names; empty before the first one."""
        link = os.path.join(self.directory, "current")
        try:
            return os.path.basename(os.readlink(link))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StackError(
                "stack {0}: {1} must be a link to the current release: {2}. Remedy: move it away and deploy again.".format(
                    self.stack, link, error.strerror
                )
            ) from error

    def read(self, release: str) -> t.Dict[str, t.Any]:
        """The record of a release."""
        try:
            with open(self._record(release), encoding="utf-8") as handle:
                return json.load(handle)
        except FileNotFoundError:
            known = ", ".join(self.ids()) or "none"
            raise StackError(
                "stack {0}: there is no release {1} on the host. Remedy: name one of {2}.".format(
                    self.stack, release, known
                )
            ) from None
        except ValueError as error:
            raise StackError(
                "stack {0}: {1} is not what was written there: {2}. Remedy: remove the directory and deploy again.".format(
                    self.stack, self._record(release), error
                )
            ) from error

    def missing(self, release: str) -> t.List[str]:
        """What a release lacks: its Compose file, its edge's, or files that its services mount; its record if it never was."""
        if release not in self.ids():
            return [self._record(release)]
        record = self.read(release)
        paths = [self.compose_file(release), *self.edge_files(release, record), *record.get("files", [])]
        return [path for path in paths if not os.path.exists(path)]

    def edge_files(self, release: str, record: t.Mapping[str, t.Any]) -> t.List[str]:
        """What a release has for its edge; ``record`` is its record."""
        return [os.path.join(self.path(release), name) for name in (record.get(EDGE) or {}).get("files", ())]

    def verified(self, release: str) -> t.Optional[t.Dict[str, t.Any]]:
        """When the release was verified, and the schemas it was verified with; none if it never was."""
        return _read(self.state_path(release, "verified.json"))

    @property
    def left_images_path(self) -> str:
        """Where the names of images are kept that went with their releases, while something still needs the image."""
        return os.path.join(self.directory, "left_images.json")

    def left_images(self) -> t.Dict[str, t.List[str]]:
        """These names, by image."""
        return _read(self.left_images_path) or {}

    def _record(self, release: str) -> str:
        return os.path.join(self.path(release), RECORD)


def released_stacks(stack_root: str) -> t.List[str]:
    """The stacks of a host that have a current release; a link that leads nowhere counts too, and reading it tells so."""
    try:
        names = os.listdir(stack_root)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if os.path.lexists(os.path.join(stack_root, name, "current")))


def _read(path: str) -> t.Optional[t.Dict[str, t.Any]]:
    """A mapping of which nothing is lost when it is; none where there is none."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
