# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's side of SCRAM-SHA-256."""

from __future__ import annotations

import base64
import hashlib
import hmac


class Server:
    """The other side of the talk: it knows what is stored, and no password."""

    def __init__(self, stored, nonce="theirs"):
        _name, self.parameters, keys = stored.split("$")
        self.iterations, self.salt = self.parameters.split(":")
        self.stored, self.server = (base64.b64decode(key) for key in keys.split(":"))
        self.nonce = nonce

    def challenge(self, first):
        assert first.startswith(b"n,,n=,r=")
        self.bare = first[3:].decode()
        self.said = "r={0}{1},s={2},i={3}".format(self.bare.partition("r=")[2], self.nonce, self.salt, self.iterations)
        return self.said.encode()

    def outcome(self, final):
        """The server's proof; none when the client's is wrong."""
        without, _comma, proof = final.decode().rpartition(",p=")
        talk = ",".join((self.bare, self.said, without)).encode()
        signature = hmac.new(self.stored, talk, hashlib.sha256).digest()
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        if hashlib.sha256(key).digest() != self.stored:
            return None
        return b"v=" + base64.b64encode(hmac.new(self.server, talk, hashlib.sha256).digest())
