# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way in which a host differs from the current release of one of its stacks.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

# What mends most of it.
SITE = "run site.yml"


class Drift(t.NamedTuple):
    """One difference.

    ``what`` is a sentence without its full stop that follows on the stack and service; ``declared`` and ``found`` are in
    words, and never hold a secret. ``broken`` tells that users are affected: where it is not, the stack serves but differs.
    """

    stack: str
    service: str
    kind: str
    what: str
    declared: str = ""
    found: str = ""
    remedy: str = SITE
    broken: bool = False

    @property
    def subject(self) -> str:
        """Whose it is, as people read it."""
        named = filter(None, (self.stack and "stack " + self.stack, self.service and "service " + self.service))
        return ": ".join(named) or "host"
