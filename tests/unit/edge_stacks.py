# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks with an nginx edge: one of each kind of certificate, without a tunnel and with one."""

from __future__ import annotations

import datetime
import functools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TUNNEL = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
DIRECTORY = "https://ca.test/directory"
KINDS = ("none", "self_signed", "files", "acme", "acme staging", "acme directory_url")
# Of all secrets that such a stack may have; no two alike, and none the first.
VERSIONS = {"one_key": 3, "two_key": 4, "tunnel": 5, "other": 6}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
EVERY = pytest.mark.parametrize(("kind", "tunnel"), [(kind, tunnel) for kind in KINDS for tunnel in (False, True)])


def certificate(*names):
    """A key and a certificate for the names, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begins = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(begins).not_valid_after(begins + datetime.timedelta(days=3650))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), made.public_bytes(serialization.Encoding.PEM).decode()


@functools.lru_cache(maxsize=None)
def chain(name):
    """The same certificate for a name each time."""
    return certificate(name)[1]


def edge_stack(kind, tunnel=False, **tls):
    """A stack that has no problems."""
    brought = [{"certificate": chain("one.example.com"), "key": "one_key"}, {"certificate": chain("two.example.com"), "key": "two_key"}]
    declared = {
        "none": None,
        "self_signed": {"kind": "self_signed"},
        "files": {"kind": "files", "certificates": brought},
        "acme": {"kind": "acme", "email": "ops@one.example.com"},
        "acme staging": {"kind": "acme", "staging": True},
        "acme directory_url": {"kind": "acme", "directory_url": DIRECTORY},
    }[kind]
    edge = {"kind": "nginx", **({"tls": {**declared, **tls}} if declared else {}), **({"tunnel": TUNNEL, "credentials": "tunnel"} if tunnel else {})}
    secrets = (["one_key", "two_key"] if kind == "files" else []) + (["tunnel"] if tunnel else [])
    return {
        "name": "shop",
        "services": {"api": {"image": "app:1", "secrets": ["other"]}},
        "secrets": {name: {} for name in [*secrets, "other"]},
        "edge": edge,
        "routes": [{"host": "one.example.com", "service": "api", "port": 8000}, {"host": "two.example.com", "respond": 204}],
        "exposure": {} if tunnel else {"edge": "public"},
    }
