# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules of production find.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t


class Fault(t.NamedTuple):
    """What breaks a rule: the place, why, and what to do."""

    key: str
    why: str
    remedy: str


Faults = t.Iterator[Fault]
