# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real HTTP over real sockets and real TLS."""

from __future__ import annotations

import contextlib
import ssl
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _external_main
from check_host import certificate, objection, serving, world


def answering(answer, seen=None):
    """A server that reads a request's head, and says that."""

    def talk(peer):
        head = b""
        while b"\r\n\r\n" not in head:
            data = peer.recv(65536)
            if not data:
                return
            head += data
        if seen is not None:
            seen.append(head.decode())
        peer.sendall(answer)

    return serving(talk)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Frame-Options: DENY\r\nSet-Cookie: id=s3cret\r\nset-cookie: b=2\r\n\r\nok"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /login/?next=s3cret\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "check", "said"),
    [
        (OK, {}, None),
        (OK, {"body": "^ok$"}, None),
        (OK, {"response_headers": {"x-FRAME-options": "^DENY$", "SET-COOKIE": "id=.*b=2"}}, None),
        (OK, {"response_headers": {"X-Frame-Options": "SAMEORIGIN"}}, "status 200, but header X-Frame-Options does not match 'SAMEORIGIN'"),
        (OK, {"response_headers": {"Set-Cookie": "nothing"}}, "status 200, but header Set-Cookie does not match 'nothing'"),
        (OK, {"response_headers": {"X-Other": ""}}, "status 200, but there is no header X-Other"),
        (OK, {"body": "no"}, "status 200, but the body does not match 'no'"),
        (OK, {"status": 204}, "status 200 instead of 204, body"),
        (OK, {"location": "/"}, "status 200 instead of a redirect, body"),
        (MOVED, {"location": "^/login/"}, None),
        (MOVED, {"status": 302}, None),
        (MOVED, {"location": "^/login/", "status": 301}, "status 302 instead of 301, body"),
        (MOVED, {"location": "^/start/"}, "status 302, but it leads to a place that does not match '^/start/'"),
        (MOVED.replace(b"Location", b"Elsewhere"), {"location": ""}, "status 302, but it leads nowhere: there is no header Location"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {}, "BadStatusLine: SSH-2.0-OpenSSH_9.2\r\n"),
        (b"", {}, "RemoteDisconnected: Remote end closed connection without response"),
    ],
)
def test_what_is_judged_of_an_answer(answer, check, said):
    with answering(answer) as port:
        found = objection(dict({"url": "http://127.0.0.1:%d/x" % port}, **check))
    assert (found and found.said) == said
    assert found is None or "s3cret" not in found.said + (found.seen or "")


def test_what_is_sent():
    seen = []
    with answering(OK, seen) as port:
        assert objection({"url": "http://127.0.0.1:%d/a?b=1" % port, "method": "HEAD", "headers": {"X-A": "1"}}) is None
        assert objection({"url": "http://shop.test/", "address": "shop:%d" % port}) is None
        assert objection({"url": "http://shop.test:81", "address": "127.0.0.1:%d" % port, "headers": {"host": "b.test"}}) is None
    first, second, third = (head.splitlines() for head in seen)
    assert first[0] == "HEAD /a?b=1 HTTP/1.1" and "Host: 127.0.0.1:%d" % port in first and "X-A: 1" in first
    assert second[0] == "GET / HTTP/1.1" and "Host: shop.test" in second
    assert "host: b.test" in third and not [line for line in third if line.startswith("Host:")]


def test_nobody_there():
    with answering(OK) as port:
        pass
    found = objection({"url": "http://127.0.0.1:%d/" % port})
    assert found.said == "connection refused" and "whether the service runs" in found.remedy
    assert "its name is not found" in objection({"url": "http://no-such-host.invalid/"}).said
    assert objection({"url": "http://a.test/", "address": "gone:80"}).said == "service gone has no container"


@pytest.mark.parametrize("piece", [b"H", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 500 Oh\r\n\r\n", b""])
def test_whatever_comes_slowly_or_endlessly_ends_with_its_try(piece):
    def talk(peer):
        peer.recv(65536)
        peer.sendall(piece)
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(b"x")
                time.sleep(0.02)

    with serving(talk) as port:
        began = time.monotonic()
        found = objection({"url": "http://127.0.0.1:%d/" % port}, timeout=0.4)
        assert time.monotonic() - began < 3
    assert found.said.startswith("status 500 instead of 200") if b"500" in piece else "(0.4 s)" in found.said or "BadStatusLine" in found.said


@pytest.fixture(name="tls")
def tls_fixture(tmp_path, monkeypatch):
    """A server over TLS, whose certificate is trusted when asked for."""
    made = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)

    def talk(peer):
        peer.recv(65536)
        peer.sendall(OK)

    def trust():
        monkeypatch.setattr(_external_main.ssl, "create_default_context", lambda real=ssl.create_default_context: real(cafile=str(made)))

    with serving(talk, context) as port:
        yield port, trust


def test_a_certificate_is_judged(tls):
    port, trust = tls
    check = {"url": "https://localhost/", "address": "127.0.0.1:%d" % port, "body": "ok"}
    assert "its certificate is not trusted: self" in objection(check).said
    assert objection(dict(check, verify=False)) is None
    trust()
    assert objection(check) is None
    assert "is not trusted: Hostname mismatch" in objection(dict(check, url="https://other.test/")).said
    assert objection(dict(check, url="https://other.test/", verify=False)) is None
    plain = objection(dict(check, url="http://localhost/"))
    assert plain is not None


def test_the_days_that_a_certificate_still_has(tls):
    port, _trust = tls
    check = {"url": "https://localhost/", "address": "127.0.0.1:%d" % port, "verify": False}
    assert objection(dict(check, certificate_days=1)) is None
    found = objection(dict(check, certificate_days=14))
    assert found.said.startswith("its certificate ends in 2.0 days, less than 14, on 20") and "renew the certificate of localhost" in found.remedy
    later = world(today=lambda: time.time() + 3 * 86400)
    assert objection(dict(check, certificate_days=0), later).said.startswith("its certificate ended 1.0 days ago, on 20")


def test_no_tls_where_it_is_asked_for():
    with answering(OK) as port:
        found = objection({"url": "https://127.0.0.1:%d/" % port, "verify": False}, timeout=1)
    assert "TLS handshake" in found.said
