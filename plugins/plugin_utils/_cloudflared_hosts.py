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
# Go's idna and Python's know different editions of Unicode, and map these letters by rules of their own.
_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d\u1e9e\u0130")
_LETTERS = frozenset(("Ll", "Lo", "Lm", "Mn", "Mc", "Nd"))


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
    form = ".".join(_ascii_label(label) for label in re.split("[.\u3002\uff0e\uff61]", hostname))
    # One label that is refused, and there is no second form at all.
    return "" if "\0" in form else form


def _ascii_label(label: str) -> str:
    lowered = label.lower()
    if not label.isascii():
        mapped = unicodedata.normalize("NFC", lowered)
        if not _plain_letters(mapped) or _DEVIATIONS & set(label) or mapped.startswith(_ACE):
            raise Undecided("whether the host name {0!r} has a form in ASCII that cloudflared also takes".format(label))
        lowered = _ACE + mapped.encode("punycode").decode("ascii") if _hyphens_fit(mapped) else "\0"
    elif lowered.startswith(_ACE):
        if not _well_encoded(lowered):
            raise Undecided("whether the host name {0!r}, which is both encoded and in upper case, is taken in lower case too".format(label))
    elif not re.fullmatch("[a-z0-9-]*", lowered) or not _hyphens_fit(lowered):
        return "\0"
    return lowered


def _plain_letters(label: str) -> bool:
    """Letters of scripts from left to right that no mapping changes, so every edition of the tables agrees."""
    foreign = [char for char in label if not char.isascii()]
    return (
        unicodedata.normalize("NFKC", label) == label
        and label.casefold() == label
        and all(unicodedata.category(char) in _LETTERS and unicodedata.bidirectional(char) not in ("R", "AL", "AN") for char in foreign)
        and unicodedata.category(label[0])[0] != "M"
        and re.fullmatch("[a-z0-9-]*", "".join(char for char in label if char.isascii())) is not None
    )


def _well_encoded(label: str) -> bool:
    try:
        plain = label[len(_ACE) :].encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return bool(plain) and not plain.isascii() and plain == plain.lower() and not _DEVIATIONS & set(plain) and _plain_letters(plain) and _hyphens_fit(plain)


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
    if plain.isascii() and plain != plain.lower() and not plain.lower().startswith(_ACE) and not second_form(hostname):
        return "the host of a request is in lower case, and cloudflared does not convert this name. Write it in lower case"
    return ""
