# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the certificates that a user brings: what they are, and for which hosts. Their keys are never seen here.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timezone

from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._brought_secret import brought_secret_problems
from ansible_collections.portside.stack.plugins.plugin_utils._certificate_names import certificate_covers, certificate_index, certificate_names
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

_KEYS = ("certificate", "key")
_LOOKUP = "certificate: \"{{ lookup('ansible.builtin.file', ...) }}\""
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_KEY = "the key in PEM"
_WEAK = ("md5", "sha1")


class _Facts(t.NamedTuple):
    """What of a certificate is shown and compared."""

    subject: str
    start: datetime
    end: datetime
    authority: bool


def certificate_problems(report: Report, stack: model.Mapping, now: t.Optional[datetime]) -> None:
    """Judges the certificates of ``edge.tls`` of kind files, as they are at that time."""
    tls = model.mapping(edges.edge_of(stack).get("tls"))
    if edges.edge_of(stack).get("kind") != edges.NGINX or tls.get("kind") != "files":
        return
    given = tls.get("certificates")
    where = "edge.tls.certificates"
    if not isinstance(given, list) or not given:
        what = "none are declared" if given is None or given == [] else "it is not a list"
        report.add(where, "{0}; write [{{certificate: PEM text, key: NAME of a secret}}]".format(what))
        return
    try:
        import cryptography  # noqa: F401
    except ImportError:
        text = "certificates cannot be read, because the Python that runs Ansible here has no `cryptography`, which ansible-core needs; install it with pip"
        report.add(where, text)
        return
    names = [_one_problems(report, "{0}[{1}]".format(where, index), one, stack, now) for index, one in enumerate(given)]
    _coverage_problems(report, where, stack, names)


def _one_problems(report: Report, where: str, one: t.Any, stack: model.Mapping, now: t.Optional[datetime]) -> t.Optional[t.List[str]]:
    """The names that the certificate is for; nothing where it cannot be read."""
    if not isinstance(one, dict):
        report.add(where, "it is not a mapping; write {certificate: PEM text, key: NAME of a secret}")
        return None
    one = model.mapping(one)
    for key in one:
        if key not in _KEYS:
            report.unknown(where, key, _KEYS, "a key of a certificate", "use certificate and key")
    if not isinstance(one.get("key"), str):
        what = "missing" if "key" not in one else "not text"
        report.add(where + ".key", "the name of the secret that has the key is {0}; write key: NAME, and declare it under `secrets`".format(what))
    else:
        brought_secret_problems(report, where + ".key", one["key"], stack, _KEY)
    text = one.get("certificate")
    if not isinstance(text, str):
        report.add(where + ".certificate", "its PEM text is {0}; write {1}".format("missing" if text is None else "not text", _LOOKUP))
        return None
    return _chain_problems(report, where + ".certificate", text, now)


def _chain_problems(report: Report, where: str, text: str, now: t.Optional[datetime]) -> t.Optional[t.List[str]]:
    from cryptography import exceptions, x509

    blocks = _BLOCK.findall(text)
    if any(block.endswith("PRIVATE KEY") for block in blocks):
        hint = "take it out, and since it has been here have a new key made; its value goes to stack_secrets, and its name to `key`"
        report.add(where, "it has a private key in the open, where everybody reads it; {0}".format(hint))
        return None
    others = [block for block in blocks if block != "CERTIFICATE"]
    if not blocks:
        hint = "; this is a path, and the text itself is part of the declaration" if re.fullmatch(r"[\w./~-]{1,200}", text.strip()) else ""
        report.add(where, "it has no certificate in PEM{0}; write {1}".format(hint, _LOOKUP))
        return None
    if others:
        hint = "that is what a certificate is asked for with" if "REQUEST" in others[0] else "nginx reads -----BEGIN CERTIFICATE----- alone"
        report.add(where, "it has a block {0!r}: {1}; bring the certificate, with those that issued it behind it".format(others[0], hint))
        return None
    try:
        chain = x509.load_pem_x509_certificates(text.encode("utf-8"))
        found = [_facts(one) for one in chain]
        names = certificate_names(text)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        report.add(where, "it cannot be read ({0}); bring it as it was issued, in PEM".format(str(error).partition("\n")[0][:80] or type(error).__name__))
        return None
    if len(chain) != len(blocks):
        report.add(where, "{0} certificates begin in it, and {1} can be read; bring it as it was issued".format(len(blocks), len(chain)))
    for index, facts in enumerate(found):
        if now:
            _time_problems(report, where, index, facts, now)
    if found[0].authority and not found[-1].authority:
        text = "the chain begins with an authority ({0}), and servers show their own certificate first; turn the order round"
        report.add(where, text.format(found[0].subject))
        return None
    _order_problems(report, where, chain, found)
    _strength_problems(report, where, chain[0])
    if not names:
        report.add(where, "it is for no name (subjectAltName is missing or empty), and browsers look at nothing else; have one issued for your hosts")
    return names


def _facts(certificate: t.Any) -> _Facts:
    from cryptography import x509

    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    # Before cryptography 42 times have no zone, and are UTC.
    if hasattr(certificate, "not_valid_after_utc"):
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    else:
        start, end = (one.replace(tzinfo=timezone.utc) for one in (certificate.not_valid_before, certificate.not_valid_after))
    return _Facts(certificate.subject.rfc4514_string() or "without a name", start, end, bool(authority))


def _time_problems(report: Report, where: str, index: int, facts: _Facts, now: datetime) -> None:
    which = "it" if index == 0 else "certificate {0} of the chain ({1})".format(index + 1, facts.subject)
    if now > facts.end:
        report.add(where, "{0} has expired, at {1:%Y-%m-%d %H:%M} UTC; bring a new one, or use kind: acme, which renews by itself".format(which, facts.end))
    elif now < facts.start:
        report.add(where, "{0} is not valid yet, not before {1:%Y-%m-%d %H:%M} UTC; wait, or look at the clock here".format(which, facts.start))


def _order_problems(report: Report, where: str, chain: t.List[t.Any], found: t.List[_Facts]) -> None:
    for index in range(len(chain) - 1):
        if not _is_issued_by(chain[index], chain[index + 1]):
            text = "certificate {0} ({1}) was not issued by the one behind it ({2}); bring them in the order of issue, your own first, without others"
            report.add(where, text.format(index + 1, found[index].subject, found[index + 1].subject))


def _is_issued_by(certificate: t.Any, issuer: t.Any) -> bool:
    from cryptography import exceptions

    # Since cryptography 40; names alone are compared before.
    if not hasattr(certificate, "verify_directly_issued_by"):
        return certificate.issuer == issuer.subject
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, exceptions.InvalidSignature):
        return False
    except exceptions.UnsupportedAlgorithm:
        return certificate.issuer == issuer.subject
    return True


def _strength_problems(report: Report, where: str, certificate: t.Any) -> None:
    """What OpenSSL refuses at the level that Debian and the image of nginx have, 2: https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/"""
    from cryptography import exceptions
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    except (ValueError, exceptions.UnsupportedAlgorithm):
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        report.add(where, "its key has {0} bits, and OpenSSL takes no RSA key with fewer than 2048; have one issued for a new key".format(key.key_size))
    # What signs itself is not judged by its signature.
    if digest is not None and digest.name in _WEAK and certificate.issuer != certificate.subject:
        report.add(where, "it is signed with {0}, which OpenSSL and browsers refuse; have a new one issued".format(digest.name.upper()))


# -- which certificate is for which host ---------------------------------------------------------------------------


def _coverage_problems(report: Report, where: str, stack: model.Mapping, names: t.List[t.Optional[t.List[str]]]) -> None:
    """Judged only where all could be read: what is missing may be what could not."""
    if any(one is None for one in names):
        return
    hosts = edges.certificate_hosts(stack)
    serving: t.Dict[str, int] = {}
    for host in hosts:
        index = certificate_index([one or () for one in names], host)
        if index is not None:
            serving[host] = index
        else:
            report.add(where, "none is for {0}{1}; bring one that has the name, or take the host out".format(host, _near_miss(names, host)))
    for index, one in enumerate(names):
        covered = [host for host in hosts if certificate_covers(one or (), host)]
        place = "{0}[{1}]".format(where, index)
        if one and not covered and hosts:
            text = "it is for {0}, and the edge answers to none of them but to {1}; take it out, or declare the host under edge.hosts"
            report.add(place, text.format(shown(", ".join(one)), shown(", ".join(hosts))))
        elif covered and index not in serving.values():
            text = "each host that it is for ({0}) has {1}[{2}] already, which fits first; take one of them out"
            report.add(place, text.format(shown(", ".join(covered)), where, serving[covered[0]]))


def _near_miss(names: t.List[t.Optional[t.List[str]]], host: str) -> str:
    for one in names:
        for name in one or ():
            if name.startswith("*.") and host.endswith(name[1:]):
                return ", since the star of {0} stands for one label alone".format(name)
            if name.startswith("*.") and host == name[2:]:
                return ", since {0} is for what is below it".format(name)
    return ""
