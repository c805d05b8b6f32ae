# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on real sockets that say what PostgreSQL and Redis say; the answers were seen from PostgreSQL 17 and Redis 8."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._external_main import HostNetwork, try_all, try_target
from ansible_collections.portside.stack.plugins.module_utils._external_postgresql import md5_answer
from ansible_collections.portside.stack.plugins.module_utils._external_url import Target, target_of
from ansible_collections.portside.stack.plugins.module_utils._scram import verifier
from hypothesis import given, settings
from hypothesis import strategies as st
from scram_server import Server

SALT = b"0123456789abcdef"


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, EOFError):
            self.server.talk(self)

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.request.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def message(self):
        """One message of PostgreSQL's protocol, without its length."""
        kind = self.take(1)
        return kind, self.take(struct.unpack(">I", self.take(4))[0] - 4)

    def say(self, kind, data=b""):
        self.request.sendall(kind + struct.pack(">I", 4 + len(data)) + data)

    def refuse(self, code, message):
        self.say(b"E", b"SFATAL\0C" + code.encode() + b"\0M" + message.encode() + b"\0\0")


@contextlib.contextmanager
def serving(talk):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.talk = True, talk
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def tried(talk, kind, url, timeout=5.0):
    with serving(talk) as port:
        return try_target(HostNetwork(), target_of(kind, url.replace("PORT", str(port))), timeout, "nonce")


class Postgres:
    """The start of a session, as pg_hba.conf of the server has it."""

    def __init__(self, method="scram", password="s3cret!", tls=None, refusal=None, early=None):
        self.method, self.password, self.tls, self.refusal, self.early = method, password, tls, refusal, early
        self.sessions = []

    def __call__(self, peer):
        start = peer.take(struct.unpack(">I", peer.take(4))[0] - 4)
        secured = False
        if start == struct.pack(">I", 80877103):
            peer.request.sendall(b"S" if self.tls else b"N")
            if self.tls:
                peer.request = self.tls.wrap_socket(peer.request, server_side=True)
                secured = True
            start = peer.take(struct.unpack(">I", peer.take(4))[0] - 4)
        self.sessions.append((secured, start[4:].rstrip(b"\0").split(b"\0")))
        if self.early and self.early(secured):
            peer.refuse(*self.early(secured))
            return
        if not getattr(self, self.method)(peer):
            peer.refuse("28P01", 'password authentication failed for user "app"')
            return
        peer.say(b"R", struct.pack(">I", 0))
        if self.refusal:
            peer.refuse(*self.refusal)
            return
        peer.say(b"S", b"server_version\0" + b"17\0")
        peer.say(b"Z", b"I")
        assert peer.message()[0] == b"X"

    def trust(self, _peer):
        return True

    def kerberos(self, peer):
        peer.say(b"R", struct.pack(">I", 7))
        peer.message()
        return False

    def cleartext(self, peer):
        peer.say(b"R", struct.pack(">I", 3))
        return peer.message()[1] == self.password.encode() + b"\0"

    def md5(self, peer):
        peer.say(b"R", struct.pack(">I", 5) + b"salt")
        return peer.message()[1] == md5_answer("app", self.password, b"salt").encode() + b"\0"

    def scram(self, peer):
        peer.say(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
        mechanism, _zero, rest = peer.message()[1].partition(b"\0")
        assert mechanism == b"SCRAM-SHA-256"
        server = Server(verifier(self.password.encode(), SALT, 16))
        peer.say(b"R", struct.pack(">I", 11) + server.challenge(rest[4:]))
        outcome = server.outcome(peer.message()[1])
        if outcome is None:
            return False
        peer.say(b"R", struct.pack(">I", 12) + (outcome if self.method == "scram" else b"v=AAAA"))
        return True

    imposter = scram


URL = "postgresql://app:s3cret!@127.0.0.1:PORT/shop?sslmode=disable"


@pytest.mark.parametrize("method", ["trust", "cleartext", "md5", "scram"])
def test_the_password_lets_in_by_each_method(method):
    server = Postgres(method)
    assert tried(server, "postgresql", URL) == ("ok", "")
    assert server.sessions == [(False, [b"user", b"app", b"database", b"shop", b"application_name", b"portside"])]


@pytest.mark.parametrize("method", ["cleartext", "md5", "scram"])
def test_another_does_not_and_neither_does_none(method):
    assert tried(Postgres(method, "other"), "postgresql", URL) == ("authentication", "it does not know this user and password")
    outcome, said = tried(Postgres(method), "postgresql", URL.replace(":s3cret!", ""))
    assert (outcome, said) == ("authentication", "it asks for a password, and the URL has none")


@pytest.mark.parametrize(
    ("server", "outcome", "said"),
    [
        (Postgres(early=lambda _tls: ("28000", 'no pg_hba.conf entry for host "10.0.0.9", no encryption')), "authentication", "its pg_hba.conf does not"),
        (Postgres(early=lambda _tls: ("28000", 'role "app" is not permitted to log in')), "authentication", "not permitted"),
        (Postgres(early=lambda _tls: ("08P01", "SASL authentication failed")), "authentication", "SASL authentication failed"),
        (Postgres(early=lambda _tls: ("57P03", "the database system is starting up")), "protocol", "starting up"),
        (Postgres(early=lambda _tls: ("XX000", "what is s3cret! for")), "protocol", "what is *** for"),
        (Postgres(refusal=("3D000", 'database "shop" does not exist')), "protocol", "it knows no database shop"),
        (Postgres(refusal=("42501", "permission denied")), "authentication", "may not connect to database shop"),
        (Postgres("kerberos"), "authentication", "asks for GSSAPI, and not for a password"),
        (Postgres("imposter"), "protocol", "does not prove that it knows"),
    ],
)
def test_what_a_server_refuses_is_told_apart(server, outcome, said):
    found = tried(server, "postgresql", URL)
    assert found[0] == outcome
    assert said in found[1]


def answers(*replies):
    """A server that says these lines, each when something came."""

    def talk(peer):
        for reply in replies:
            if not peer.request.recv(65536):
                return
            peer.request.sendall(reply)
        peer.request.recv(65536)

    return talk


WRONG = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
NO_PASSWORD = b"-ERR AUTH <password> called without any password configured for the default user. Are you sure?\r\n"
UNKNOWN = b"-ERR unknown command `AUTH`, with args beginning with: `s3cret!`, \r\n"
DENIED = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set\r\n"


@pytest.mark.parametrize(
    ("replies", "path", "outcome", "said"),
    [
        ([b"+OK\r\n", b"+PONG\r\n"], "", "ok", ""),
        ([b"+OK\r\n", b"+PONG\r\n", b"+OK\r\n"], "/2", "ok", ""),
        ([b"+OK\r\n", b"-NOPERM this user has no permissions to run the 'ping' command\r\n"], "", "ok", ""),
        ([WRONG], "", "authentication", "does not know"),
        ([NO_PASSWORD], "", "authentication", "it has no password"),
        ([DENIED], "", "authentication", "protected mode"),
        ([UNKNOWN], "", "protocol", "unknown command"),
        ([b"+OK\r\n", b"-NOAUTH Authentication required.\r\n"], "", "authentication", "asks for a password"),
        ([b"+OK\r\n", b"-LOADING Redis is loading the dataset in memory\r\n"], "", "protocol", "loading"),
        ([b"+OK\r\n", b"+PONG\r\n", b"-ERR DB index is out of range\r\n"], "/99", "protocol", "out of range"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "", "protocol", "no Redis"),
        ([b"x" * 5000], "", "protocol", "not one that is known"),
    ],
)
def test_what_a_redis_says_is_told_apart(replies, path, outcome, said):
    found = tried(answers(*replies), "redis", "redis://:s3cret!@127.0.0.1:PORT" + path)
    assert found[0] == outcome
    assert said in found[1] and "s3cret" not in found[1]


@pytest.mark.parametrize("kind", ["postgresql", "redis"])
@pytest.mark.parametrize(
    ("talk", "outcome"),
    [
        (answers(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n" * 9), "protocol"),
        (lambda _peer: None, "protocol"),
        (lambda peer: peer.request.recv(9) and time.sleep(3), "timeout"),
    ],
)
def test_another_server_is_none_of_either(kind, talk, outcome):
    url = "{0}://a:b@127.0.0.1:PORT/1{1}".format(kind, "?sslmode=disable" if kind == "postgresql" else "")
    assert tried(talk, kind, url, 0.5)[0] == outcome


@given(st.binary(max_size=60), st.sampled_from(["postgresql", "redis"]))
@settings(max_examples=40)
def test_no_answer_of_any_kind_is_more_than_an_outcome(data, kind):
    def talk(peer):
        peer.request.recv(65536)
        peer.request.sendall(data)

    outcome, said = tried(talk, kind, kind + "://a:b@127.0.0.1:PORT/1", 2.0)
    assert outcome in ("ok", "tls", "authentication", "protocol")
    assert (outcome == "ok") == (said == "")


# ---- names, ports, addresses


class Elsewhere(HostNetwork):
    """A network where names and addresses are what a test says."""

    def __init__(self, addresses, failures=None):
        self.addresses, self.failures, self.limits = addresses, failures or {}, []

    def look_up(self, host, port, timeout):
        if isinstance(self.addresses, Exception):
            raise self.addresses
        return [(socket.AF_INET, (address, port)) for address in self.addresses]

    def connect(self, family, address, timeout):
        self.limits.append(timeout)
        if address[0] in self.failures:
            raise self.failures[address[0]]
        return super().connect(family, address, timeout)


TCP = Target("tcp", [("db.example.com", 5432)], "disable")


@pytest.mark.parametrize(
    ("addresses", "failures", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), {}, "dns"),
        (UnicodeError("label empty or too long"), {}, "dns"),
        (socket.timeout(), {}, "dns"),
        (["1.1.1.1"], {"1.1.1.1": ConnectionRefusedError(111, "Connection refused")}, "refused"),
        (["1.1.1.1"], {"1.1.1.1": socket.timeout("timed out")}, "timeout"),
        (["1.1.1.1"], {"1.1.1.1": OSError(110, "Connection timed out")}, "timeout"),
        (["1.1.1.1"], {"1.1.1.1": OSError(113, "No route to host")}, "unreachable"),
        (["1.1.1.1", "2.2.2.2"], {"1.1.1.1": OSError(101, "Network is unreachable"), "2.2.2.2": ConnectionRefusedError(111, "x")}, "refused"),
    ],
)
def test_a_server_that_is_not_reached_is_not_reached_for_a_reason(addresses, failures, outcome):
    found = try_target(Elsewhere(addresses, failures), TCP, 3.0, "n")
    assert found[0] == outcome
    assert found[1]


def test_one_address_and_one_host_that_lets_in_are_enough():
    with serving(lambda peer: peer.request.recv(1)) as port:
        network = Elsewhere(["1.1.1.1", "127.0.0.1"], {"1.1.1.1": OSError(101, "Network is unreachable")})
        assert try_target(network, TCP._replace(places=[("a", port)]), 4.0, "n") == ("ok", "")
        assert network.limits[0] <= 2.0 < network.limits[1]
        closed = Target("tcp", [("127.0.0.1", 1), ("127.0.0.1", port)], "disable")
        assert try_target(HostNetwork(), closed, 4.0, "n") == ("ok", "")


def test_all_are_tried_at_once_and_their_order_stays():
    def slow(peer):
        time.sleep(0.2)

    with serving(slow) as port:
        url = "redis://127.0.0.1:{0}".format(port)
        targets = [target_of("redis", url), Target("tcp", [("127.0.0.1", port)], "disable"), target_of("redis", url)]
        assert [outcome for outcome, _said in try_all(HostNetwork(), targets, 3.0)] == ["protocol", "ok", "protocol"]


# ---- TLS


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A server's TLS with a certificate for localhost, and the file that says whom to trust for it."""
    home = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(home / "key"), "-out", str(home / "cert")]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(home / "cert"), str(home / "key"))
    return context, str(home / "cert")


@pytest.fixture
def tls(certified, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", certified[1])
    return certified[0]


SECURE = URL.replace("127.0.0.1", "HOST").replace("disable", "MODE")


@pytest.mark.parametrize(
    ("mode", "host", "has_tls", "outcome", "sessions"),
    [
        ("disable", "127.0.0.1", True, "ok", [False]),
        ("allow", "127.0.0.1", True, "ok", [False]),
        ("prefer", "127.0.0.1", True, "ok", [True]),
        ("prefer", "127.0.0.1", False, "ok", [False]),
        ("require", "127.0.0.1", True, "ok", [True]),
        ("require", "127.0.0.1", False, "tls", []),
        ("verify-ca", "127.0.0.1", True, "ok", [True]),
        ("verify-full", "localhost", True, "ok", [True]),
        ("verify-full", "127.0.0.1", True, "tls", []),
        ("verify-full&sslrootcert=/ca.pem", "127.0.0.1", True, "ok", [True]),
    ],
)
def test_sslmode_means_what_it_does_to_libpq(tls, mode, host, has_tls, outcome, sessions):
    server = Postgres(tls=tls if has_tls else None)
    assert tried(server, "postgresql", SECURE.replace("HOST", host).replace("MODE", mode))[0] == outcome
    assert [secured for secured, _fields in server.sessions] == sessions


@pytest.mark.parametrize(("mode", "way"), [("prefer", True), ("allow", False)])
def test_a_server_that_lets_in_only_the_other_way_is_asked_that_way(tls, mode, way):
    refused = ("28000", "no pg_hba.conf entry for host")
    server = Postgres(tls=tls, early=lambda secured: refused if secured == way else None)
    assert tried(server, "postgresql", SECURE.replace("HOST", "127.0.0.1").replace("MODE", mode)) == ("ok", "")
    assert [secured for secured, _fields in server.sessions] == [way, not way]


def test_a_wrong_password_is_tried_once(tls):
    server = Postgres(password="other", tls=tls)
    assert tried(server, "postgresql", SECURE.replace("HOST", "127.0.0.1").replace("MODE", "prefer"))[0] == "authentication"
    assert len(server.sessions) == 1


def test_a_certificate_is_judged_and_no_tls_is_no_protocol(certified, monkeypatch):
    context, file = certified

    def secured(peer):
        with context.wrap_socket(peer.request, server_side=True) as wrapped:
            wrapped.recv(1)

    with serving(secured) as port:
        target = Target("tls", [("localhost", port)], "verify-full")
        outcome, said = try_target(HostNetwork(), target, 5.0, "n")
        assert (outcome, "not trusted" in said) == ("tls", True)
        monkeypatch.setenv("SSL_CERT_FILE", file)
        assert try_target(HostNetwork(), target, 5.0, "n") == ("ok", "")
    for talk in (lambda peer: peer.request.sendall(b"HTTP/1.1 400\r\n\r\n"), lambda _peer: None, lambda _peer: time.sleep(2)):
        with serving(talk) as port:
            assert try_target(HostNetwork(), Target("tls", [("localhost", port)], "verify-full"), 0.5, "n")[0] == "tls"


def test_what_came_before_tls_does_not_count_as_said_within_it():
    url = URL.replace("disable", "require")
    assert tried(answers(b"SR\0\0\0\10\0\0\0\0"), "postgresql", url) == ("tls", "more came than its answer, before TLS had begun")
