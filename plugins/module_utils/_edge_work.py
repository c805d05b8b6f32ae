# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an activation has to do for the edge, and how that is told.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._edge_material import Wanted

Diff = t.Dict[str, str]


class EdgeWork:
    """What there is to do for an edge. ``kept`` tells that its container stays, ``wanted`` are its files, by name.

    ``challenge`` tells that it is to be started with what answers challenges alone, as it has no certificate yet.
    ``action`` is what becomes of a kept one; ``early`` tells that this cannot wait, as it would never be healthy before.
    """

    def __init__(self, service: str, kept: bool, wanted: t.Dict[str, Wanted], reasons: t.List[str], diff: t.Optional[Diff]) -> None:
        self.service, self.kept, self.wanted, self.reasons, self._diff = service, kept, wanted, reasons, diff
        self.challenge, self.early, self.action = False, False, "reload"
        self.running: t.List[str] = []

    @property
    def changes(self) -> bool:
        return self.kept and bool(self.reasons)

    @property
    def is_nothing(self) -> bool:
        return self.kept and not self.reasons

    @property
    def files(self) -> t.Dict[str, bytes]:
        return {name: one.content for name, one in self.wanted.items() if one.content is not None}

    def report(self) -> t.List[t.Dict[str, str]]:
        """The action as it is returned."""
        return [{"service": self.service, "action": self.action, "reason": ", ".join(self.reasons)}] if self.changes else []

    def diff(self, whole: Diff) -> t.Any:
        """The diff of an activation, with what is done for the edge."""
        if self.changes:
            whole = dict(whole, after="{0}{1}: {2}ed ({3})\n".format(whole["after"], self.service, self.action, ", ".join(self.reasons)))
        return [whole, self._diff] if self._diff else whole
