# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which headers of checks are to be masked.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

_HARMLESS = {
    "accept",
    "accept-language",
    "host",
    "origin",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
}


def secret_values(checks: t.Iterable[t.Mapping[str, t.Any]]) -> t.Set[str]:
    """The values of headers that may be secret."""
    return {
        str(value)
        for check in checks
        for name, value in (check.get("headers") or {}).items()
        # What is shorter is no secret, and would be masked in every number of the result.
        if len(str(value)) > 3 and name.lower() not in _HARMLESS
    }
