# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates, as the host's openssl makes and reads them. A key is only ever in memory, a pipe or its own file.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

DAY = 86400.0
# What browsers accept at most of a certificate that was added by hand.
_SELF_SIGNED_DAYS = 825
_RENEW_BEFORE = 30 * DAY
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_CN_LIMIT = 64


class Leaf(t.NamedTuple):
    """What a certificate says of itself: its names, and from when until when it counts."""

    names: t.FrozenSet[str]
    since: float
    until: float

    def lacks(self, names: t.Iterable[str]) -> t.List[str]:
        """The names that it is not for; a pattern only counts as itself."""
        return [name for name in names if name not in self.names and _pattern_of(name) not in self.names]


class OpenSsl:
    """The program on the host."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def look(self, pem: bytes) -> Leaf:
        """What the first certificate in a PEM text says. Raises StackError where there is none that can be read."""
        out = self._ask(["x509", "-noout", "-dates", "-ext", "subjectAltName"], chain_of(pem))
        dates = dict(line.split("=", 1) for line in out.splitlines() if line.startswith(("notBefore=", "notAfter=")))
        found = re.findall(r"(DNS|IP Address):([^,\s]+)", out)
        names = frozenset(_address(name) if kind != "DNS" else name.lower() for kind, name in found)
        return Leaf(names, ssl.cert_time_to_seconds(dates["notBefore"]), ssl.cert_time_to_seconds(dates["notAfter"]))

    def fits(self, key: bytes, chain: bytes) -> bool:
        """Whether a certificate is for that key. Raises StackError where one of the two cannot be read."""
        own = self._ask(["pkey", "-pubout", "-passin", "pass:"], key)
        return own.split() == self._ask(["x509", "-noout", "-pubkey"], chain).split()

    def judge(self, where: str, secret: str, key: bytes, chain: bytes) -> None:
        """Raises StackError, which begins with ``where``, unless a certificate is for the key that is in a secret."""
        try:
            fits = self.fits(key, chain)
        except StackError as error:
            raise StackError(
                "{0}: its certificate, or its key in secret {1}, cannot be read: {2}. Remedy: give both in PEM, the key "
                "without a passphrase.".format(where, secret, str(error).rstrip("."))
            ) from error
        if not fits:
            raise StackError(
                "{0}: its certificate is for another key than the one in secret {1}. Nothing was changed. Remedy: give the "
                "two that belong together under edge.tls.certificates and stack_secrets; in the certificate, the server's "
                "own comes first.".format(where, secret)
            )

    def self_signed(self, names: t.Sequence[str]) -> bytes:
        """A new key and a certificate for these names that it signs itself."""
        key = self._ask(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b"")
        names = names or ["localhost"]
        found = ("{0}:{1}".format("IP" if is_address(name) else "DNS", name) for name in names)
        certificate = self._ask(
            [
                *("req", "-new", "-x509", "-batch", "-key", "/dev/stdin", "-days", str(_SELF_SIGNED_DAYS)),
                *("-subj", "/CN=" + names[0][:_CN_LIMIT], "-addext", "subjectAltName=" + ",".join(found)),
                *("-addext", "extendedKeyUsage=serverAuth"),
            ],
            key.encode("ascii"),
        )
        return (key + certificate).encode("ascii")

    def _ask(self, words: t.Sequence[str], data: bytes) -> str:
        code, out, err = self._run(["openssl", *words], data.decode("latin-1"))
        if code:
            said = next((line.strip() for line in err.splitlines() if line.strip()), "exit code {0}".format(code))
            raise StackError("openssl {0}: {1}".format(words[0], said[:200]))
        return out


def chain_of(pem: bytes) -> bytes:
    """The certificates of a file in which the key comes first."""
    return pem[max(0, pem.find(_BEGIN)) :]


def together(key: bytes, chain: bytes) -> bytes:
    """One file with both, so that it is replaced whole."""
    return key.strip() + b"\n" + chain.strip() + b"\n"


def why_renew(leaf: Leaf, names: t.Sequence[str], now: float) -> str:
    """Why a certificate that was made here is made anew; empty while it is good."""
    lacking = leaf.lacks(names or ["localhost"])
    if lacking:
        return "is not for {0}".format(", ".join(lacking))
    return "ends in less than 30 days" if leaf.until < now + _RENEW_BEFORE else ""


def _pattern_of(name: str) -> str:
    """The pattern of certificates that a name is under: one label, no more."""
    return "" if name.startswith("*.") or is_address(name) else "*." + name.partition(".")[2]


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text)) if is_address(text) else text
