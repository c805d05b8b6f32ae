# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when a certificate counts, read from its own bytes: Python's standard library tells it of trusted ones alone.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import calendar
import re
import typing as t

_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
# UTCTime and GeneralizedTime.
_TIMES = (0x17, 0x18)


def certificate_end(der: bytes) -> float:
    """The seconds since 1970 of its `notAfter`. Raises ValueError where there is none."""
    certificate, _rest = _take(der, _SEQUENCE)
    inside, _rest = _take(certificate, _SEQUENCE)
    if inside[:1] == bytes([_VERSION]):
        _version, inside = _take(inside, _VERSION)
    for tag in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, algorithm, issuer
        _skipped, inside = _take(inside, tag)
    validity, _rest = _take(inside, _SEQUENCE)
    _begin, validity = _take(validity, *_TIMES)
    end, _rest = _take(validity, *_TIMES)
    return _seconds(end.decode("ascii", "replace"))


def _take(data: bytes, *tags: int) -> t.Tuple[bytes, bytes]:
    """The content of the first element, which has one of these tags, and what follows it."""
    if len(data) < 2 or data[0] not in tags:
        raise ValueError("it is no certificate")
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("it is cut off")
    return data[start : start + length], data[start + length :]


def _seconds(text: str) -> float:
    if not re.fullmatch(r"([0-9]{2})?[0-9]{12}Z", text):
        raise ValueError("its end is no time")
    if len(text) == 13:
        # As X.509 has it: two digits are of the years from 1950 to 2049.
        text = ("20" if text < "50" else "19") + text
    parts = [int(text[:4])] + [int(text[at : at + 2]) for at in range(4, 14, 2)]
    if not (1 <= parts[1] <= 12 and 1 <= parts[2] <= 31):
        raise ValueError("its end is no time")
    return float(calendar.timegm((*parts, 0, 0, 0)))
