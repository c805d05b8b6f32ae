# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host names of cloudflared's rules: which hosts they take, and which that nobody meant.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

_ACE = "xn--"
# Letters of their own to Go, though they are folded or taken apart elsewhere.
_KEPT = {"\u00df": "\u00df", "\u03c2": "\u03c2", "\u1e9e": "\u00df"}
_IGNORED = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2064\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0100-\U000e01ef]"
)
# Neither letters nor signs: how ideographs are put together, and what stands for something else.
_REFUSED = re.compile("[\u2ff0-\u2fff\u3002\ufffc\ufffd]")
# Whether these joiners fit depends on the script around them.
_JOINERS = re.compile("[\u200c\u200d]")
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_EITHER = frozenset(("EN", "ES", "CS", "ET", "ON", "BN", "NSM"))


class Undecided(Exception):
    """The text says what cannot be decided of a host name."""


def without_port(host: str) -> t.Optional[str]:
    """The host of "host:port" as Go's net.SplitHostPort cuts it; None where it finds no port."""
    colon = host.rfind(":")
    if colon < 0:
        return None
    if host.startswith("["):
        end = host.find("]")
        if end < 0 or end + 1 != colon or "[" in host[1:] or "]" in host[end + 1 :]:
            return None
        return host[1:end]
    if ":" in host[:colon] or "[" in host or "]" in host:
        return None
    return host[:colon]


def second_form(hostname: str) -> str:
    """The other text that a rule's name also equals: that of Go's idna.Lookup.ToASCII, "" where it fails or changes nothing."""
    if hostname.isascii() and hostname == hostname.lower() and _ACE not in hostname.split("."):
        return ""
    labels = [_plain_label(label) for label in re.split("[.\u3002\uff0e\uff61]", hostname)]
    # One label that is refused, and there is no second form at all.
    if None in labels or (_RIGHT_TO_LEFT & set(map(unicodedata.bidirectional, "".join(labels))) and not all(map(_direction_fits, labels))):
        return ""
    form = ".".join(label if label.isascii() else _ACE + label.encode("punycode").decode("ascii") for label in labels)
    return "" if form == hostname else form


def _plain_label(label: str) -> t.Optional[str]:
    """The label in lower case, mapped and decoded; None where it is refused."""
    mapped = _mapped(label)
    if mapped.startswith(_ACE):
        try:
            mapped = mapped[len(_ACE) :].encode("ascii").decode("punycode")
        except UnicodeError:
            return None
        if mapped and (mapped.isascii() or mapped != _mapped(mapped)):
            return None
    kinds = [unicodedata.category(char) for char in mapped]
    if "Cn" in kinds or _JOINERS.search(mapped):
        raise Undecided("whether the host name {0!r} has a form in ASCII that cloudflared also takes".format(label))
    if _REFUSED.search(mapped) or any(kind[0] in "CZ" for kind in kinds) or (kinds and kinds[0][0] == "M"):
        return None
    fits = re.fullmatch("[a-z0-9-]*", "".join(char for char in mapped if char.isascii())) and _hyphens_fit(mapped)
    return mapped if fits else None


def _mapped(label: str) -> str:
    """As the tables of UTS 46 have it."""
    return unicodedata.normalize("NFC", "".join(_KEPT.get(char) or _folded(char) for char in _IGNORED.sub("", label)))


def _folded(char: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char.casefold()).casefold())


def _direction_fits(label: str) -> bool:
    """The rule of RFC 5893 for names that are written from right to left."""
    kinds = [unicodedata.bidirectional(char) for char in label]
    strong = {"L"} if kinds[:1] == ["L"] else _RIGHT_TO_LEFT
    last = next((kind for kind in reversed(kinds) if kind != "NSM"), "")
    fits = set(kinds) <= strong | _EITHER and not {"EN", "AN"} <= set(kinds)
    return not kinds or (kinds[0] in ("L", "R", "AL") and fits and last in strong | {"EN"})


def _hyphens_fit(label: str) -> bool:
    """No hyphen at the edges, nor two where Go, which counts bytes, sees the mark of an encoded label."""
    raw = label.encode("utf-8")
    return not (raw.startswith(b"-") or raw.endswith(b"-") or (len(raw) > 4 and raw[2:4] == b"--"))


def takes_host(hostname: str, host: str) -> bool:
    """Whether a rule's name takes the host of a request (its port cut)."""
    if hostname in ("", "*") or _same(hostname, host):
        return True
    form = second_form(hostname)
    return bool(form) and _same(form, host)


def _same(hostname: str, host: str) -> bool:
    return hostname == host or (hostname.startswith("*.") and host.endswith(hostname[1:]))


def real_host(hostname: str) -> str:
    """The name as requests have it, in lower case; may be a wildcard, "" for any."""
    return "" if hostname == "*" else second_form(hostname) or hostname


def covers_host(hostname: str, other: str) -> bool:
    """Whether a rule's name takes every host of another's real name."""
    if not other.startswith("*."):
        return hostname in ("", "*") if not other else takes_host(hostname, other)
    return hostname in ("", "*") or (hostname.startswith("*.") and other[1:].endswith(hostname[1:]))


def host_refusal(hostname: str) -> t.Optional[t.Tuple[str, str]]:
    """Why cloudflared refuses the name, and the remedy."""
    if without_port(hostname) is not None:
        return "Hostname cannot contain a port", "write the name alone, without port and scheme"
    if hostname.rfind("*") > 0:
        reason = 'Hostname patterns can have at most one wildcard character ("*") and it can only be used for subdomains, e.g. "*.example.com"'
        return reason, "write the star only as the first label, or write one rule for each name"
    return None


def host_suspicion(hostname: str) -> str:
    """What is wrong with a name that cloudflared accepts; "" when nothing is."""
    plain = hostname[2:] if hostname.startswith("*.") else hostname
    if hostname in ("", "*"):
        return ""
    if plain.startswith("*"):
        return "its star is no wildcard, because no dot follows it: it only takes that very text. Write *.{0}".format(plain[1:].lstrip(".") or "example.com")
    if "/" in plain:
        return "a host never has a slash in it. Write the path under path"
    if hostname.startswith("*.") and not (plain.isascii() and plain == plain.lower()):
        return "a wildcard is compared as it is, and the host of a request is in lower case and ASCII. Write it so (xn--... for other letters)"
    if plain.startswith(".") or plain.endswith(".") or ".." in plain or not plain:
        return "a host has no empty part, and requests leave the last dot out. Write the name without it"
    if plain.isascii() and not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", plain):
        return "no host has such characters. Write the name as it stands in the URL"
    if not (plain.isascii() and plain == plain.lower()) and not second_form(hostname):
        return "the host of a request is in lower case and ASCII, and cloudflared does not convert this name. Write it so (xn--... for other letters)"
    return ""
