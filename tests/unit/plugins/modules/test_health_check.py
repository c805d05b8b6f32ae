# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import json
import socket
import threading
import time

import pytest
from ansible_collections.portside.stack.plugins.modules import health_check
from module_runner import run_module


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append((self.path, dict(self.headers)))
        path = self.path.split("?", 1)[0]
        if path == "/slow":
            server.released.wait(10)
        status = {"/moved": 302, "/broken": 500}.get(path, 200)
        if path.startswith("/late") and [seen for seen, _headers in server.requests].count(self.path) <= 3:
            status = 503
        self.send_response(status)
        if path == "/moved":
            self.send_header("Location", "/")
        self.end_headers()
        try:
            self.wfile.write(b'{"status": %d}' % status)
            while path == "/stream" and not server.released.wait(0.02):
                self.wfile.write(b"data: tick\n\n")
        except OSError:
            pass  # the client has had enough

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100


@pytest.fixture(name="server")
def server_fixture():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        server.released = threading.Event()
        server.address = "http://127.0.0.1:%d" % server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(name="run")
def run_fixture(capsys):
    def run(*checks, check=False, **arguments):
        return run_module(
            health_check.main, capsys, dict({"stack": "selflink", "checks": list(checks)}, **arguments), check
        )

    return run


@pytest.fixture(name="closed_port")
def closed_port_fixture():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets it, and connections are refused
        yield sock.getsockname()[1]


def test_the_checks_of_a_release_are_made_with_the_headers_of_its_record(server, capsys, tmp_path):
    headers = {"Authorization": "Bearer t0ken", "Host": "shop.example"}
    record = {"checks": [{"name": "a", "url": server.address + "/a", "headers": headers}]}
    release = tmp_path / "releases" / ("a" * 16)
    release.mkdir(parents=True)
    (release / "release.json").write_text(json.dumps(record))
    arguments = {"stack": "shop", "directory": str(tmp_path), "release": release.name}
    outcome = run_module(health_check.main, capsys, arguments)
    assert [one["name"] for one in outcome["timeline"]] == ["a"]
    ((_path, sent),) = server.requests
    assert headers.items() <= sent.items()
    assert "t0ken" not in outcome.seen
    # As an older release may have it: what is a number may be text, and what is not set be there.
    loose = {"name": "b", "url": server.address + "/moved", "status": "302", "timeout": "5", "interval": "1", "body": None}
    (release / "release.json").write_text(json.dumps({"checks": [loose]}))
    assert [one["tries"] for one in run_module(health_check.main, capsys, arguments)["timeline"]] == [1]
    missing = run_module(health_check.main, capsys, dict(arguments, release="b" * 16))
    assert "there is no release bbbbbbbbbbbbbbbb" in missing["msg"]


def test_no_secret_of_the_stack_is_in_what_is_shown_of_an_answer(run, server, tmp_path):
    (tmp_path / "secrets" / "pw").mkdir(parents=True)
    (tmp_path / "secrets" / "pw" / "1").write_text('"status":')
    check = {"name": "a", "url": server.address, "status": 418, "interval": 0.1}
    failed = run(check, deadline=0.2, directory=str(tmp_path))
    assert "status 200 instead of 418, body: {[secret pw] 200" in failed["msg"]
    assert run({"name": "a", "url": server.address, "body": '"status": 200'}, directory=str(tmp_path))["timeline"]


def test_many_checks_at_once(run, server):
    outcome = run(
        {"name": "root", "url": server.address},
        {"name": "query", "url": server.address + "/q?a=1&b=2", "body": '"status": 200'},
        {"name": "moved", "url": server.address + "/moved", "status": 302},
        {"name": "stream", "url": server.address + "/stream"},
        *[
            {"name": "late%d" % number, "url": "%s/late/%d" % (server.address, number), "interval": 0.2}
            for number in range(20)
        ],
    )
    assert outcome["changed"] is False and outcome["not_checked"] == []
    names = ["root", "query", "moved", "stream"] + ["late%d" % number for number in range(20)]
    assert [entry["name"] for entry in outcome["timeline"]] == names
    for entry in outcome["timeline"][:4]:
        assert entry["tries"] == 1 and entry["first_failure"] is None and entry["seconds"] == entry["first_success"]
        assert entry["seconds"] < 4  # the stream is not read to the end of its try
    for entry in outcome["timeline"][4:]:
        assert entry["tries"] == 4 and entry["first_failure"] + 0.6 <= entry["first_success"] == entry["seconds"]
        assert entry["seconds"] < 6  # one after the other they would take 12
    asked = [path for path, _headers in server.requests]
    assert "/q?a=1&b=2" in asked and asked.count("/moved") == 1


def test_a_service_that_starts_late(run):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

        def serve():
            time.sleep(0.4)
            sock.listen()
            connection, _address = sock.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        outcome = run({"name": "late", "url": "http://127.0.0.1:%d/" % port, "interval": 0.05}, deadline=10)
        thread.join()
    entry = outcome["timeline"][0]
    assert entry["first_failure"] < entry["first_success"] and entry["tries"] > 1


def test_what_does_not_pass_is_named_with_what_was_seen(run, server, closed_port):
    refused = "http://127.0.0.1:%d/" % closed_port
    start = time.monotonic()
    outcome = run(
        {"name": "good", "url": server.address},
        {"name": "broken", "url": server.address + "/broken", "interval": 0.1},
        {"name": "refused", "url": refused, "interval": 0.1},
        {"name": "slow", "url": server.address + "/slow", "timeout": 0.2},
        {"name": "body", "url": server.address, "body": "healthy", "interval": 0.1},
        {"name": "followed", "url": server.address + "/moved", "interval": 0.1},
        {"name": "unresolved", "url": "http://no-such-host.invalid/", "interval": 0.1},
        deadline=0.6,
    )
    elapsed = time.monotonic() - start
    assert elapsed < sum(entry["seconds"] for entry in outcome["timeline"]), "they do not run at once"
    assert outcome["failed"]
    lines = {line.split(":")[0]: line for line in outcome["msg"].splitlines()}
    assert lines["stack selflink"] == outcome["msg"].splitlines()[0] and "6 of 7 checks" in lines["stack selflink"]
    assert server.address + '/broken: status 500 instead of 200, body: {"status": 500}' in lines["check broken"]
    assert refused + ": connection refused" in lines["check refused"]
    assert "/slow: no answer within 0." in lines["check slow"]
    assert "the body does not match 'healthy'" in lines["check body"]
    assert "status 302 instead of 200" in lines["check followed"]
    assert "check unresolved" in lines and "check good" not in lines
    timeline = {entry["name"]: entry for entry in outcome["timeline"]}
    assert timeline["good"]["first_success"] is not None
    assert timeline["broken"]["first_success"] is None and timeline["broken"]["tries"] > 2
    assert timeline["broken"]["seconds"] >= 0.6


def test_an_endless_body_ends_with_its_try(run, server):
    outcome = run({"name": "tick", "url": server.address + "/stream", "body": "tick", "timeout": 0.3}, deadline=5)
    assert outcome["timeline"][0]["tries"] == 1 and outcome["timeline"][0]["first_success"] is not None
    outcome = run(
        {"name": "tock", "url": server.address + "/stream", "body": "tock", "timeout": 0.2, "interval": 0.1},
        deadline=0.5,
    )
    assert outcome["failed"] and "does not match 'tock'" in outcome["msg"]


def test_what_is_no_http_is_an_observation(run):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()

        def serve():
            connection, _address = sock.accept()
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        outcome = run(
            {"name": "ssh", "url": "http://127.0.0.1:%d/" % sock.getsockname()[1], "interval": 9}, deadline=0.5
        )
        thread.join()
    assert "BadStatusLine" in outcome["msg"] and "SSH-2.0" in outcome["msg"]


def test_headers_are_sent_and_no_proxy_is_used(run, server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    headers = {"Host": "selflink.example.org", "X-Number": 1}
    outcome = run({"name": "edge", "url": server.address + "/edge", "headers": headers})
    assert outcome["timeline"][0]["tries"] == 1
    sent = server.requests[0][1]
    assert sent["Host"] == "selflink.example.org" and sent["X-Number"] == "1"


def test_secret_headers_are_masked_and_harmless_ones_are_not(run, closed_port):
    headers = {"Authorization": "Bearer hunter2", "X-Forwarded-Proto": "http"}
    outcome = run({"name": "edge", "url": "http://127.0.0.1:%d/" % closed_port, "headers": headers}, deadline=0.2)
    assert "hunter2" not in outcome.seen
    assert "http://127.0.0.1:%d/" % closed_port in outcome["msg"]


def test_check_mode_probes_nothing(run, server):
    outcome = run({"name": "api", "url": server.address}, {"name": "edge", "url": server.address}, check=True)
    assert outcome["changed"] is False and outcome["not_checked"] == ["api", "edge"]
    assert server.requests == []


def test_check_mode_refuses_wrong_checks_too(run):
    assert "not an http or https address" in run({"name": "api", "url": "x"}, check=True)["msg"]
