# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as Compose reads them, and as people are told them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}


def byte_size(value: t.Any) -> t.Optional[int]:
    """The bytes of a size as Compose reads it, or None."""
    if isinstance(value, bool):
        return None
    found = _SIZE.fullmatch(str(value)) if isinstance(value, (int, str)) else None
    return int(float(found.group(1)) * _FACTORS[found.group(2).lower()]) if found else None


def size_text(size: float) -> str:
    """A number of bytes for people, in the units in which Compose counts."""
    return "{0:.1f} GiB".format(size / 2**30) if size >= 2**30 else "{0:.0f} MiB".format(size / 2**20)
