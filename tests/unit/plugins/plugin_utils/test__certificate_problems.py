# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import functools
import subprocess
import sys

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._certificate_problems import certificate_covers, certificate_problems
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from declarations import ANYTHING
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
WHERE = "edge.tls.certificates"
DAY = datetime.timedelta(days=1)


@functools.lru_cache(maxsize=None)
def key(name, bits):
    """One for each name."""
    return rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())


def pem(one):
    return one.public_bytes(serialization.Encoding.PEM).decode()


def issued(subject, issuer, names=(), start=-10, end=80, ca=False, bits=0):
    """A certificate of that subject, signed with the key of the issuer."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key(subject, bits).public_key())
        .serial_number(1)
        .not_valid_before(NOW + start * DAY)
        .not_valid_after(NOW + end * DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return pem(builder.sign(key(issuer, bits if issuer == subject else 0), hashes.SHA256()))


ROOT = issued("root", "root", ca=True)
MIDDLE = issued("middle", "root", ca=True)
OTHER = issued("other", "root", ca=True)
LEAF = issued("leaf", "middle", ["example.com", "www.example.com"])
WILD = issued("wild", "middle", ["*.example.com"])
KEY = key("leaf", 0).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
REQUEST = pem(x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key("leaf", 0), hashes.SHA256()))
BROKEN = LEAF.replace(LEAF[200:260], "A" * 60)


def declared(*certificates, hosts=("example.com",), secrets=("leaf_key",), **edge):
    routes = [{"host": host, "service": "api", "port": 8000} for host in hosts]
    given = {"kind": "nginx", "tls": {"kind": "files", "certificates": list(certificates)}, **edge}
    secrets = {**dict.fromkeys(secrets), "made": {"generate": 32}}
    return {"name": "shop", "services": {"api": {"image": "x"}}, "routes": routes, "edge": given, "secrets": secrets}


def one(*chain, key="leaf_key", **more):
    return {"certificate": "".join(chain), "key": key, **more}


def problems(stack, now=NOW):
    found = []
    certificate_problems(Report("shop", found), model.mapping(stack), now)
    return found


GOOD = one(LEAF, MIDDLE)
# What is wrong -> the declaration, the key, and the words its one problem must have.
BAD = {
    "none": (declared(), WHERE, ["none are declared", "key: NAME"]),
    "not a list": (declared(tls={"kind": "files", "certificates": GOOD}), WHERE, ["not a list"]),
    "not declared": (declared(tls={"kind": "files"}), WHERE, ["none are declared"]),
    "a text": (declared(LEAF), WHERE + "[0]", ["not a mapping", "certificate: PEM text"]),
    "unknown key": (declared(dict(GOOD, chain=MIDDLE)), WHERE + "[0]", ["'chain'", "certificate and key"]),
    "no key": (declared({"certificate": LEAF + MIDDLE}), WHERE + "[0].key", ["missing", "key: NAME"]),
    "key not declared": (declared(GOOD, secrets=["leaf_kay"]), WHERE + "[0].key", ["did you mean 'leaf_kay'"]),
    "key made": (declared(one(LEAF, MIDDLE, key="made")), WHERE + "[0].key", ["generate", "stack_secrets"]),
    "key itself": (declared(one(LEAF, MIDDLE, key=KEY)), WHERE + "[0].key", ["not the name", "stack_secrets"]),
    "no certificate": (declared({"key": "leaf_key"}), WHERE + "[0].certificate", ["missing", "lookup"]),
    "a path": (declared(one("/etc/ssl/example.com.pem")), WHERE + "[0].certificate", ["path", "lookup"]),
    "a number": (declared({"certificate": 1, "key": "leaf_key"}), WHERE + "[0].certificate", ["not text"]),
    "no PEM": (declared(one("MIIB....")), WHERE + "[0].certificate", ["no certificate in PEM"]),
    "key among it": (declared(one(LEAF, KEY)), WHERE + "[0].certificate", ["in the open", "new key", "stack_secrets"]),
    "a request": (declared(one(REQUEST)), WHERE + "[0].certificate", ["asked for with"]),
    "old PEM": (declared(one(LEAF.replace("CERT", "TRUSTED CERT"))), WHERE + "[0].certificate", ["TRUSTED CERTIFICATE", "alone"]),
    "broken": (declared(one(BROKEN, MIDDLE)), WHERE + "[0].certificate", ["cannot be read", "as it was issued"]),
    "cut short": (declared(one(LEAF, MIDDLE[:200])), WHERE + "[0].certificate", ["certificate"]),
    "expired": (declared(one(issued("leaf", "middle", ["example.com"], end=-1), MIDDLE)), WHERE + "[0].certificate", ["expired", "2026-10-31", "acme"]),
    "not yet": (declared(one(issued("leaf", "middle", ["example.com"], start=1), MIDDLE)), WHERE + "[0].certificate", ["not valid yet", "2026-11-02"]),
    "chain expired": (
        declared(one(LEAF, issued("middle", "root", ca=True, end=-1))),
        WHERE + "[0].certificate",
        ["certificate 2 of the chain", "CN=middle", "expired"],
    ),
    "order turned round": (declared(one(MIDDLE, LEAF)), WHERE + "[0].certificate", ["begins with an authority", "CN=middle", "turn"]),
    "another's chain": (declared(one(LEAF, OTHER)), WHERE + "[0].certificate", ["CN=leaf", "not issued", "CN=other"]),
    "root before": (declared(one(LEAF, MIDDLE, OTHER, ROOT)), WHERE + "[0].certificate", ["certificate 2", "CN=middle", "CN=other", "without others"]),
    "no names": (declared(one(issued("bare", "middle"), MIDDLE), hosts=[]), WHERE + "[0].certificate", ["subjectAltName"]),
    "a short key": (declared(one(issued("short", "short", ["example.com"], bits=1024))), WHERE + "[0].certificate", ["1024 bits", "2048"]),
    "host without one": (declared(GOOD, hosts=["example.com", "shop.example.net"]), WHERE, ["shop.example.net", "take the host out"]),
    "star for two labels": (declared(one(WILD, MIDDLE), hosts=["a.example.com", "a.b.example.com"]), WHERE, ["a.b.example.com", "one label alone"]),
    "star for the apex": (declared(one(WILD, MIDDLE), hosts=["a.example.com", "example.com"]), WHERE, ["none is for example.com", "below it"]),
    "wildcard host": (declared(GOOD, hosts=["example.com", "*.example.com"]), WHERE, ["none is for *.example.com"]),
    "for other hosts": (declared(GOOD, one(issued("x", "middle", ["example.net"]), MIDDLE)), WHERE + "[1]", ["example.net", "example.com", "edge.hosts"]),
    "twice": (declared(GOOD, GOOD), WHERE + "[1]", ["example.com", "edge.tls.certificates[0]"]),
}


@pytest.mark.parametrize(("stack", "where", "words"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_once_with_its_key_and_a_remedy(stack, where, words):
    found = problems(stack)
    assert len(found) == 1, found
    assert found[0].startswith("stack 'shop', key {0!r}: ".format(where))
    assert [word for word in words if word not in found[0]] == []


@pytest.mark.parametrize("stack", [declared(one(LEAF, MIDDLE, key=KEY)), declared(one(LEAF, KEY))])
def test_no_key_is_repeated(stack):
    assert not any(line in "".join(problems(stack)) for line in KEY.splitlines()[1:-1])


GOODS = {
    "a leaf and who issued it": declared(GOOD),
    "a leaf alone": declared(one(LEAF)),
    "with the root": declared(one(LEAF, MIDDLE, ROOT)),
    "self-signed, as openssl makes it": declared(one(issued("own", "own", ["example.com"], ca=True))),
    "with what openssl writes around it": declared(one("Certificate:\n  Data: x\n", LEAF.replace("\n", "\r\n"), "\n\n", MIDDLE)),
    "a star": declared(one(WILD, MIDDLE), hosts=["a.example.com", "b.example.com", "*.example.com"]),
    "two of them": declared(GOOD, one(WILD, MIDDLE), hosts=["example.com", "api.example.com"]),
    "a star first": declared(one(WILD, MIDDLE), GOOD, hosts=["www.example.com", "api.example.com", "example.com"]),
    "another kind": declared(tls={"kind": "acme", "certificates": 1}),
    "cloudflared": declared(one("x"), kind="cloudflared"),
    "no edge": {"name": "shop"},
    "the last minute": declared(one(issued("leaf", "middle", ["example.com"], end=0), MIDDLE)),
}


@pytest.mark.parametrize("stack", GOODS.values(), ids=GOODS)
def test_what_is_right_has_no_problem(stack):
    assert problems(stack) == []


def test_a_weak_signature_is_refused_as_openssl_would(tmp_path):
    (tmp_path / "request").write_text(pem(x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key("leaf", 0), hashes.SHA256())))
    (tmp_path / "issuer").write_text(MIDDLE)
    (tmp_path / "names").write_text("subjectAltName=DNS:example.com\n")
    (tmp_path / "key").write_bytes(
        key("middle", 0).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    # Python makes none such any more.
    command = "openssl x509 -req -sha1 -days 9 -in request -CA issuer -CAkey key -set_serial 1 -extfile names"
    made = subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    found = problems(declared(one(made, MIDDLE)), datetime.datetime.now(datetime.timezone.utc))
    assert len([problem for problem in found if "SHA1" in problem and "have a new one issued" in problem]) == 1


def test_what_cannot_be_read_says_nothing_of_hosts():
    found = problems(declared(one("x"), GOOD, hosts=["example.com", "other.example.net"]))
    assert len(found) == 1 and "no certificate in PEM" in found[0]


def test_edge_hosts_need_certificates_too():
    stack = declared(GOOD)
    stack["edge"]["hosts"] = ["EXAMPLE.com", "example.org"]
    stack["routes"] = [{"service": "api", "port": 8000}]
    found = problems(stack)
    assert len(found) == 1 and "none is for example.org" in found[0]


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    found = problems(declared(GOOD))
    assert len(found) == 1 and "`cryptography`" in found[0] and "pip" in found[0]


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (["example.com"], "example.com", True),
        (["EXAMPLE.com"], "example.com", True),
        (["*.example.com"], "a.example.com", True),
        (["*.example.com"], "*.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], "a.b.example.com", False),
        (["*.example.com"], "*.b.example.com", False),
        (["example.com"], "*.example.com", False),
        (["*.com"], "*.example.com", False),
    ],
)
def test_a_star_of_a_certificate_stands_for_one_label(names, host, expected):
    assert certificate_covers(names, host) is expected


FRAGMENTS = ["-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "x\n", "\ud800"]
PIECES = st.lists(st.sampled_from([LEAF, MIDDLE, ROOT, KEY, BROKEN, *FRAGMENTS]), max_size=4)
CERTIFICATE = st.fixed_dictionaries({}, optional={"certificate": PIECES.map("".join) | ANYTHING, "key": st.just("leaf_key") | ANYTHING})


@settings(max_examples=200, deadline=None)
@given(st.lists(CERTIFICATE | ANYTHING, max_size=3) | ANYTHING, ANYTHING, ANYTHING, st.datetimes(timezones=st.just(datetime.timezone.utc)))
def test_anything_is_borne(certificates, routes, secrets, now):
    stack = declared(tls={"kind": "files", "certificates": certificates})
    assert all(isinstance(problem, str) for problem in problems(stack, now))
    assert all(isinstance(problem, str) for problem in problems({**stack, "routes": routes, "secrets": secrets}, now))
