# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64

import pytest
from ansible_collections.portside.stack.plugins.module_utils._scram import Exchange, Refused, matches, verifier
from hypothesis import given
from hypothesis import strategies as st
from scram_server import Server

PASSWORDS = st.one_of(st.binary(max_size=60), st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")))
SALTS = st.binary(min_size=1, max_size=24)
# What PostgreSQL 17 itself made of each password.
STORED = {
    "secret": "AfxIU/5hRNB8Zrb6HwCRSw==$lMNeIXuEQkeDPf+KzWQnReTm1o5+pWe+Fk7wQBxFOg0=:Kx26vOAK8JampJYfFjQSDBnq6q6AvhlQ5a05BHMM/KU=",
    "\u2168": "5Eca9xdIsJuBAifY0Q6lww==$4yigyJut3YzAMCrlfdqCQ3EmChEIV/k4vgEV+z52t38=:WAEH6eTjsQCm7ZS/aSTYqV/3ZPdyLAXomVGKxWCtZsc=",
    "a\u00adb\u00a0c": "p6z0dDBgWHXazwRchLd8bw==$2ZNoOOUyc9lOKx4E81YdqW/zdN1d8EbYoILdK4W1KJY=:WJqslsQ5UpmrnYkYVOKLES79zQkk0Zt1grBU+J1a5/0=",
    "\u200bx": "0EqkV8o4Soc1hwvgk9ULVQ==$ZJ0PXsLnPy7KdrKXhO+t3AscMG7puW4/7gIggWN+lP4=:6eO0NsP5OgngEPVe+1wPtzgXMpGBep1Eh6vAA9Ivd60=",
    "\ufaa5\u0670": "GPfubrYbrk8N6t3gS8GkyQ==$8uWl5Hl19EQYbGxGjtNK7hp9eTVd7jarkNTJE9ZFWKo=:IMI809oLLQJr4maGO6z6zjHWWOYjN+zBaeLlXa4Hl/Q=",
    "\u0627a": "AhUvOg5LI5nw7GDiRdmp5A==$IbPuUfGXNLcr1L20ZxeOfd/2eFz6PHEYf2qLU+kRzT0=:lXRBY5iVpaKwCbaDqI/+3W6/9ClN2fQxw/SSjJTRaHI=",
    "\u00e9\u0007": "5GqKMZ6fDUT3c8aBP20sLg==$FvVBxG3YGs0dsVo+QhEONdDYtaHID8iGLJM+oG436CE=:pvXox0verwg9Pyr+FRC1AY6t36kk7ZIbByEmUMqFjXI=",
}


@pytest.mark.parametrize("password", STORED, ids=ascii)
def test_the_same_is_stored_as_by_postgresql_itself(password):
    stored = "SCRAM-SHA-256$4096:" + STORED[password]
    assert matches(stored, password.encode())
    assert verifier(password.encode(), base64.b64decode(STORED[password].partition("$")[0])) == stored
    assert not matches(stored, password.encode() + b"x")


def test_the_example_of_the_rfc():
    talk = Exchange(b"pencil", "rOprNGfwEbeRWgbNEkqO")
    # The RFC's client gives its name here too, so that its proof is another.
    talk._bare = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = talk.final(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    talk.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@given(PASSWORDS, SALTS, PASSWORDS)
def test_a_password_is_let_in_by_what_is_stored_of_it_and_no_other_is(password, salt, other):
    stored = verifier(password, salt, 2)
    assert matches(stored, password)
    for tried in (password, other):
        server, talk = Server(stored), Exchange(tried, "ours")
        outcome = server.outcome(talk.final(server.challenge(talk.first())))
        assert (outcome is not None) == matches(stored, tried)
        if outcome:
            talk.check(outcome)
            with pytest.raises(Refused, match="prove"):
                talk.check(outcome[:-4] + b"AAA=")


@given(st.one_of(st.none(), st.text(max_size=80), st.just("md5" + "0" * 32), st.just("SCRAM-SHA-256$1:a$b:c")), PASSWORDS)
def test_anything_else_that_is_stored_matches_nothing(stored, password):
    assert not matches(stored, password)


@given(st.binary(max_size=60))
def test_a_challenge_of_anything_is_refused(challenge):
    with pytest.raises(Refused):
        Exchange(b"x", "a-nonce-of-its-own").final(challenge)


@pytest.mark.parametrize("challenge", ["r=ours,s=AAAA,i=1", "r=other,s=AAAA,i=1", "r=oursx,s=AAAA,i=0", "r=oursx,s=A,i=1"])
def test_a_challenge_for_another_talk_is_refused(challenge):
    with pytest.raises(Refused):
        Exchange(b"x", "ours").final(challenge.encode())
