# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a PostgreSQL server, or a pooler before one, lets in: its start-up and authentication, and no query.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import struct
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure, Stream
from ansible_collections.portside.stack.plugins.module_utils._external_url import Target
from ansible_collections.portside.stack.plugins.module_utils._scram import Exchange, Refused

_SSL_REQUEST = struct.pack(">II", 8, 80877103)
_LONGEST = 1 << 20
_MECHANISM = "SCRAM-SHA-256"
_OTHER_METHODS = {2: "Kerberos", 7: "GSSAPI", 9: "SSPI"}
# Whether with TLS, one after the other; any other mode asks for it.
_WAYS = {"disable": (False,), "allow": (False, True), "prefer": (True, False)}


class _OtherWay(Failure):
    """Refused over this connection for what it is, with or without TLS."""


def try_postgresql(connect: t.Callable[[], Stream], target: Target, nonce: str) -> None:
    """Be let in as the URL says, as libpq goes about its sslmode. Raises Failure."""
    failure: t.Optional[Failure] = None
    for secured in _WAYS.get(target.tls, (True,)):
        stream = connect()
        try:
            if secured:
                _start_tls(stream, target)
            _log_in(stream, target, nonce)
            return
        except Failure as error:
            failure = error
        finally:
            stream.close()
        # A password that is wrong would be so again.
        if failure.outcome != "tls" and not isinstance(failure, _OtherWay):
            break
    raise failure


def _start_tls(stream: Stream, target: Target) -> None:
    """Go over to TLS if the server has it; where that is asked for, it has to."""
    stream.send(_SSL_REQUEST)
    answer = stream.take(1)
    if answer == b"S":
        mode = "require" if target.tls in ("allow", "prefer") or not target.verifiable else target.tls
        stream.start_tls(mode)
    elif answer != b"N":
        raise Failure("protocol", "what answers is no PostgreSQL")
    elif target.tls != "prefer":
        raise Failure("tls", "it has no TLS, and the URL asks for it (sslmode)")


def _log_in(stream: Stream, target: Target, nonce: str) -> None:
    fields = ("user", target.user or "", "database", target.database, "application_name", "portside")
    body = b"".join(_text(field) for field in fields) + b"\0"
    stream.send(struct.pack(">II", 8 + len(body), 196608) + body)
    exchange = Exchange((target.password or "").encode("utf-8"), nonce)
    while True:
        kind, data = _message(stream)
        if kind == b"Z":
            stream.send(b"X" + struct.pack(">I", 4))
            return
        if kind == b"E":
            raise _refusal(data, target)
        if kind == b"R":
            answer = _answer(data, target, exchange)
            if answer is not None:
                stream.send(b"p" + struct.pack(">I", 4 + len(answer)) + answer)


def _message(stream: Stream) -> t.Tuple[bytes, bytes]:
    kind = stream.take(1)
    if kind not in b"EKNRSZv":
        raise Failure("protocol", "what answers is no PostgreSQL")
    (length,) = struct.unpack(">I", stream.take(4))
    if not 4 <= length <= _LONGEST:
        raise Failure("protocol", "what answers is no PostgreSQL")
    return kind, stream.take(length - 4)


def _answer(data: bytes, target: Target, exchange: Exchange) -> t.Optional[bytes]:
    """What to answer to one message of the authentication, if anything."""
    if len(data) < 4:
        raise Failure("protocol", "what answers is no PostgreSQL")
    (method,) = struct.unpack(">I", data[:4])
    rest = data[4:]
    if method == 0:
        return None
    if method in (3, 5, 10) and not target.password:
        raise Failure("authentication", "it asks for a password, and the URL has none")
    if method == 3:
        return _text(target.password)
    if method == 5:
        return _text(md5_answer(target.user or "", target.password, rest[:4]))
    try:
        if method == 10:
            offered = [name.decode("ascii", "replace") for name in rest.split(b"\0") if name]
            if _MECHANISM not in offered:
                raise Failure("protocol", "it offers none but {0} to log in".format(", ".join(offered)))
            first = exchange.first()
            return _text(_MECHANISM) + struct.pack(">I", len(first)) + first
        if method == 11:
            return exchange.final(rest)
        if method == 12:
            exchange.check(rest)
            return None
    except Refused as error:
        raise Failure("protocol", str(error)) from error
    name = _OTHER_METHODS.get(method, "method {0}".format(method))
    raise Failure("authentication", "it asks for {0}, and not for a password".format(name))


def md5_answer(user: str, password: str, salt: bytes) -> str:
    inner = hashlib.md5(password.encode("utf-8") + user.encode("utf-8")).hexdigest()
    return "md5" + hashlib.md5(inner.encode("ascii") + salt).hexdigest()


def _refusal(data: bytes, target: Target) -> Failure:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in data.split(b"\0") if part}
    code, message = fields.get(b"C", ""), " ".join(fields.get(b"M", "it says nothing").split())
    if target.password:
        message = message.replace(target.password, "***")
    if code == "28P01":
        return Failure("authentication", "it does not know this user and password")
    if code == "28000" and "pg_hba.conf" in message:
        return _OtherWay("authentication", "its pg_hba.conf does not let this user in from here: {0}".format(message))
    if code.startswith("28") or "authentication failed" in message or "no such user" in message:
        return Failure("authentication", message)
    if code == "3D000" or "no such database" in message:
        return Failure("protocol", "it knows no database {0}".format(target.database))
    if code == "42501":
        return Failure("authentication", "the user may not connect to database {0}".format(target.database))
    return Failure("protocol", "it refuses: {0}".format(message))


def _text(text: str) -> bytes:
    return text.encode("utf-8") + b"\0"
