# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which definition the module compose_stack is to work with: a given one, or that of a release on the host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore


class Source(t.NamedTuple):
    """A definition, the Compose file with the same content, and the release that both are of, or none."""

    definition: t.Dict[str, t.Any]
    file: str
    release: str = ""


def of_release(store: ReleaseStore, release: str) -> Source:
    """A release on the host. Raises StackError where there is none of that name."""
    return Source(store.read(release)["definition"], store.compose_file(release), release)


def source_of(params: t.Mapping[str, t.Any], store: ReleaseStore, check_mode: bool) -> Source:
    """What the options mean: in check mode a release may be one that is still to be written."""
    release = params["release"] or ""
    planned = not release or (check_mode and release not in store.ids())
    if params["definition"] is None or not planned:
        return of_release(store, release)
    return Source(params["definition"], params["file"] or "", release)
