# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What path nginx makes of a request target, before it looks for a location.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9.-]*|\[[A-Za-z0-9:._~!$&'()*+,;=-]*\])(?::[0-9]*)?(?=[/?]|\Z)")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_SLASH, _DOT = 0x2F, 0x2E


def nginx_path(target: str, merge_slashes: bool = True) -> t.Optional[bytes]:
    """The path, decoded and resolved, as C($uri) holds it; None where nginx answers 400."""
    # Any number of blanks parts the words of a request line.
    raw = target.encode("utf-8", "surrogateescape").strip(b" ")
    if any(byte <= 0x20 or byte == 0x7F for byte in raw):
        return None
    if not raw.startswith(b"/"):
        absolute = _ABSOLUTE.match(raw)
        if not absolute or absolute.group(1) in (b"", b".") or b".." in absolute.group(1):
            return None
        raw = raw[absolute.end() :]
        if not raw.startswith(b"/"):
            raw = b"/" + raw
    return _resolved(raw, merge_slashes)


def _resolved(raw: bytes, merge_slashes: bool) -> t.Optional[bytes]:
    """One pass: escapes are decoded where they stand, so an encoded slash or dot counts as one; nothing is decoded twice."""
    path = bytearray()
    # How the segment begins that is being read: "/" nothing yet, "." and ".." just that, "" anything else.
    segment = ""
    at = 0
    while at < len(raw) and raw[at] not in b"?#":
        byte, literal = raw[at], False
        at += 1
        if byte == 0x25:
            escape = _ESCAPE.match(raw, at - 1)
            if not escape or escape.group(1) == b"00":
                return None
            byte = int(escape.group(1), 16)
            at = escape.end()
            literal = byte in b"%#?"
        if byte == _SLASH and segment in (".", ".."):
            if not _left(path, segment):
                return None
            segment = "/"
        elif byte == _SLASH:
            if segment != "/" or not merge_slashes:
                path.append(byte)
            segment = "/"
        else:
            path.append(byte)
            segment = {"/": ".", ".": ".."}.get(segment, "") if byte == _DOT and not literal else ""
    return bytes(path) if _left(path, segment) else None


def _left(path: bytearray, segment: str) -> bool:
    """Takes the segment "." or ".." off the path, with its parent; False above the root."""
    if segment == ".":
        del path[-1:]
    elif segment == "..":
        parent = path.rfind(b"/", 0, len(path) - 3)
        if parent < 0:
            return False
        del path[parent + 1 :]
    return True
