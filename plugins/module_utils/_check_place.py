# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a check connects to: a service of the stack, or a host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

_PLACE = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)(?::([1-9][0-9]{0,4}))?")


class Place(t.NamedTuple):
    """One of ``service`` and ``host`` is empty."""

    service: str
    host: str
    port: int


def place_of(text: t.Any, port: t.Optional[int] = None) -> t.Optional[Place]:
    """The place that ``NAME``, ``NAME:PORT``, ``HOST:PORT`` or ``[ADDRESS]:PORT`` means; none where it means none.

    The host's name servers know no service, and a host has a dot in its name: so a name without one is a service.
    """
    found = _PLACE.fullmatch(text) if isinstance(text, str) else None
    number = int(found.group(2) or port or 0) if found else 0
    if not found or not 0 < number < 65536:
        return None
    name = found.group(1)
    if name == "localhost" or "." in name or name.startswith("["):
        return Place("", name.strip("[]"), number)
    return Place(name, "", number)
