# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 as PostgreSQL has it (RFC 5802, RFC 7677): what a server stores, and a client's side of the talk.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import typing as t
import unicodedata

# PostgreSQL's own defaults.
ITERATIONS = 4096
SALT_BYTES = 16

_STORED = re.compile(r"SCRAM-SHA-256\$([1-9][0-9]{0,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_NOT_ALLOWED = (
    stringprep.in_table_a1,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class Refused(Exception):
    """The other side does not speak SCRAM as it should; the text says how."""


def verifier(password: bytes, salt: bytes, iterations: int = ITERATIONS) -> str:
    """What the server stores of a password, and takes in place of it."""
    salted = _salted(password, salt, iterations)
    stored, server = _stored_key(salted), _server_key(salted)
    return "SCRAM-SHA-256${0}:{1}${2}:{3}".format(iterations, *(_text(part) for part in (salt, stored, server)))


def matches(stored: t.Optional[str], password: bytes) -> bool:
    """Whether a server that stores this takes the password."""
    found = _STORED.fullmatch(stored or "")
    if not found:
        return False
    try:
        salt = _bytes(found.group(2))
    except Refused:
        return False
    return hmac.compare_digest(verifier(password, salt, int(found.group(1))), stored)


class Exchange:
    """One talk with a server, without channel binding. ``nonce`` is never used twice."""

    def __init__(self, password: bytes, nonce: str) -> None:
        self._password, self._nonce = password, nonce
        self._bare = "n=,r=" + nonce  # the name is in the start-up message
        self._signature = b""

    def first(self) -> bytes:
        return ("n,," + self._bare).encode("ascii")

    def final(self, challenge: bytes) -> bytes:
        """The proof, which has nothing of the password in it."""
        try:
            said = challenge.decode("ascii")
            fields = dict(part.split("=", 1) for part in said.split(","))
            nonce, salt, iterations = fields["r"], _bytes(fields["s"]), int(fields["i"])
        except (ValueError, KeyError) as error:
            raise Refused("its challenge cannot be read") from error
        if not nonce.startswith(self._nonce) or nonce == self._nonce or iterations < 1:
            raise Refused("its challenge is not for this talk")
        salted = _salted(self._password, salt, iterations)
        without_proof = "c=biws,r=" + nonce
        talk = ",".join((self._bare, said, without_proof)).encode("ascii")
        self._signature = _mac(_server_key(salted), talk)
        proof = bytes(a ^ b for a, b in zip(_client_key(salted), _mac(_stored_key(salted), talk)))
        return "{0},p={1}".format(without_proof, _text(proof)).encode("ascii")

    def check(self, outcome: bytes) -> None:
        """See that the server knows the password too. Raises Refused."""
        if not hmac.compare_digest(outcome, b"v=" + _text(self._signature).encode("ascii")):
            raise Refused("it does not prove that it knows the password")


def prepared(password: bytes) -> bytes:
    """A password as both sides use it (SASLprep); as it is where that does not apply, which PostgreSQL does too."""
    try:
        text = password.decode("utf-8")
    except UnicodeDecodeError:
        return password
    if text.isascii():
        return password
    # PostgreSQL judges the text before it is normalised, and has this one character among the spaces.
    text = "".join(" " if one == "\u200b" or stringprep.in_table_c12(one) else one for one in text)
    text = "".join(one for one in text if not stringprep.in_table_b1(one))
    if not text or any(table(one) for one in text for table in _NOT_ALLOWED) or not _one_direction(text):
        return password
    return unicodedata.normalize("NFKC", text).encode("utf-8")


def _one_direction(text: str) -> bool:
    if not any(stringprep.in_table_d1(one) for one in text):
        return True
    mixed = any(stringprep.in_table_d2(one) for one in text)
    return not mixed and stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])


def _salted(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)


def _client_key(salted: bytes) -> bytes:
    return _mac(salted, b"Client Key")


def _stored_key(salted: bytes) -> bytes:
    return hashlib.sha256(_client_key(salted)).digest()


def _server_key(salted: bytes) -> bytes:
    return _mac(salted, b"Server Key")


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refused("its challenge cannot be read") from error
