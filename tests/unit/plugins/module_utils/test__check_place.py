# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._check_place import Place, place_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgres", Place("postgres", "", 5432)),
        ("pg_bouncer-1:6432", Place("pg_bouncer-1", "", 6432)),
        ("db.example.org", Place("", "db.example.org", 5432)),
        ("10.0.0.5:5433", Place("", "10.0.0.5", 5433)),
        ("localhost:1", Place("", "localhost", 1)),
        ("[::1]:5433", Place("", "::1", 5433)),
        ("postgres:0", None),
        ("postgres:65536", None),
        ("::1", None),
        ("a b", None),
        ("redis://x", None),
        ("", None),
        (5432, None),
    ],
)
def test_a_name_without_a_dot_is_a_service(text, place):
    assert place_of(text, 5432) == place


def test_what_has_no_port_of_its_own_needs_one():
    assert place_of("api") is None and place_of("api:8000") == Place("api", "", 8000)


@given(st.text())
def test_whatever_the_text_it_is_a_place_or_none(text):
    place = place_of(text, 80)
    assert place is None or (bool(place.service) != bool(place.host) and 0 < place.port < 65536)
