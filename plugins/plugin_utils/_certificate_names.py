# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that a certificate is for.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t


def certificate_names(pem: t.Any) -> t.List[str]:
    """The subject's alternative names of the first certificate of a PEM text; none where it cannot be read.

    Browsers look at nothing else: https://datatracker.ietf.org/doc/html/rfc9110#section-4.3.4
    """
    # Only who brings certificates needs it; ansible-core depends on it.
    from cryptography import x509

    unreadable = (x509.DuplicateExtension, x509.ExtensionNotFound, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
    try:
        certificate = x509.load_pem_x509_certificate(str(pem).encode("utf-8"))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, *unreadable):
        return []
    found = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return found + [str(address) for address in names.get_values_for_type(x509.IPAddress)]


def certificate_covers(names: t.Iterable[str], host: str) -> bool:
    """Whether a certificate with these names is for a host or a host pattern: a star in it stands for one label alone."""
    names = [name.lower() for name in names]
    return host in names or (not host.startswith("*.") and "*." + host.partition(".")[2] in names)


def certificate_index(certificates: t.Sequence[t.Collection[str]], host: str) -> t.Optional[int]:
    """Which of several certificates, each given by its names, a host gets: one with just its name, or else the first that covers it."""
    exact = [index for index, names in enumerate(certificates) if host in names]
    return next(iter(exact + [index for index, names in enumerate(certificates) if certificate_covers(names, host)]), None)
