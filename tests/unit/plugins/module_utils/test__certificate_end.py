# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ssl
import subprocess

import pytest
from ansible_collections.portside.stack.plugins.module_utils._certificate_end import certificate_end
from check_host import certificate
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("days", [1, 400, 20000])  # the last one ends after 2049, from when on the year has four digits
def test_the_end_is_what_openssl_says(tmp_path, days):
    pem = certificate(tmp_path, days).read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") :])
    said = subprocess.run(["openssl", "x509", "-noout", "-enddate"], input=pem, capture_output=True, text=True, check=True).stdout
    assert certificate_end(der) == ssl.cert_time_to_seconds(said.strip().partition("=")[2])
    for cut in range(0, 120, 7):
        with pytest.raises(ValueError, match="it is|its end"):
            certificate_end(der[:cut])


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda data: b"\x30\x28\x30\x26\x02\x01\x01\x30\x00\x30\x00\x30\x1e" + data))
def test_whatever_the_bytes_are_it_is_a_time_or_an_error_that_is_known(data):
    try:
        assert isinstance(certificate_end(data), float)
    except ValueError as error:
        assert str(error).startswith(("it is", "its end"))
