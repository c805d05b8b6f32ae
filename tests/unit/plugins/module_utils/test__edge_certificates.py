# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import (
    DAY,
    Leaf,
    OpenSsl,
    chain_of,
    together,
    why_renew,
)
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

NAMES = ["a.test", "*.b.test", "xn--mnchen-3ya.test", "10.0.0.1", "2001:db8::1"]


def run(argv, data):
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(name="openssl")
def openssl_fixture():
    return OpenSsl(run)


def test_what_is_made_is_for_all_names_and_its_own_key(openssl, tmp_path):
    pem = openssl.self_signed(NAMES)
    leaf = openssl.look(pem)
    assert leaf.names == set(NAMES) and leaf.lacks(NAMES) == []
    assert leaf.since <= time.time() < leaf.until - 800 * DAY
    assert openssl.fits(pem, chain_of(pem))
    (tmp_path / "x.pem").write_bytes(pem)
    # As any client does that was told to trust it.
    code, out, _err = run(["openssl", "verify", "-CAfile", str(tmp_path / "x.pem"), "-verify_hostname", "x.b.test", str(tmp_path / "x.pem")], "")
    assert code == 0, out
    assert pem != openssl.self_signed(NAMES)


def test_a_key_of_another_certificate_does_not_fit(openssl):
    one, other = openssl.self_signed(["a.test"]), openssl.self_signed(["a.test"])
    assert not openssl.fits(one, chain_of(other))
    assert openssl.fits(one, chain_of(one) + chain_of(other))
    assert not openssl.fits(one, chain_of(other) + chain_of(one))


def test_a_key_and_its_chain_are_one_file_from_which_both_are_had_again():
    key, chain = b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", b"-----BEGIN CERTIFICATE-----\ny\n-----END CERTIFICATE-----\n\n"
    both = together(key, chain)
    assert both == key + b"\n" + chain.strip() + b"\n"
    assert chain_of(both) == chain.strip() + b"\n"


@pytest.mark.parametrize("data", [b"", b"hunter2", b"-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_told_without_quoting_it(openssl, data):
    with pytest.raises(StackError) as failure:
        openssl.look(data)
    assert "hunter2" not in str(failure.value)


def test_a_wildcard_is_for_one_label():
    leaf = Leaf(frozenset(["*.a.test"]), 0, 1)
    assert leaf.lacks(["x.a.test", "*.a.test"]) == []
    assert leaf.lacks(["a.test", "x.y.a.test", "*.x.a.test"]) == ["a.test", "x.y.a.test", "*.x.a.test"]


def test_when_it_is_made_anew():
    leaf = Leaf(frozenset(["a.test"]), 0, 100 * DAY)
    assert why_renew(leaf, ["a.test"], 69 * DAY) == ""
    assert why_renew(leaf, ["a.test"], 71 * DAY) == "ends in less than 30 days"
    assert why_renew(leaf, ["a.test", "b.test"], 0) == "is not for b.test"
    assert why_renew(leaf, [], 0) == "is not for localhost"
