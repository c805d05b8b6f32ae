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
from ansible_collections.portside.stack.plugins.module_utils._check_rules import parse
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._health_check import HealthCheck
from ansible_collections.portside.stack.plugins.modules import health_check
from check_host import serving
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
    assert "/slow: connected, but it did not answer in time (0." in lines["check slow"]
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
    assert "'x' is not an address that can be asked" in run({"name": "api", "url": "x"}, check=True)["msg"]


def test_checks_that_do_not_pass_may_be_returned_without_failing(run, server, closed_port):
    checks = [{"name": "good", "url": server.address}, {"name": "bad", "tcp": "127.0.0.1:%d" % closed_port, "deadline": 0.2}]
    outcome = run(*checks, fail=False)
    # A result called `failed` would make Ansible take the task for failed, whatever is in it.
    assert "failed" not in outcome.result and [one["passed"] for one in outcome["timeline"]] == [True, False]
    (bad,) = outcome["not_passed"]
    assert (bad["name"], bad["kind"]) == ("bad", "tcp") and set(bad) == {"name", "kind", "what", "remedy"}
    assert bad["what"].startswith("tcp 127.0.0.1:%d: connection refused: dead: never passed in 0.2 s" % closed_port)
    assert outcome["timeline"][1]["seconds"] == 0.2
    failed = run(*checks)
    assert failed["failed"] is True and failed["not_passed"][0]["name"] == "bad"
    assert "check bad: " + failed["not_passed"][0]["what"] in failed["msg"] and bad["remedy"] in failed["msg"]


def test_fifty_endpoints_are_one_call(run, server):
    """One call of the module is one remote execution, whatever the number of its checks."""
    checks = [{"name": str(number), "url": "%s/%d" % (server.address, number)} for number in range(50)]
    outcome = run(*checks)
    assert [one["passed"] for one in outcome["timeline"]] == [True] * 50
    assert sorted(path for path, _headers in server.requests) == sorted("/%d" % number for number in range(50))


def test_the_password_is_that_of_the_release_and_in_no_output(capsys, tmp_path):
    seen = []

    def talk(peer):
        file = peer.makefile("rb")
        while file.readline():
            lines = [file.readline(), file.readline()]
            seen.append(lines[1].strip())
            if lines[1] == b"AUTH\r\n":
                file.readline()
                seen.append(file.readline().strip())
            peer.sendall(b"+OK\r\n" if lines[1] == b"AUTH\r\n" else b"-ERR wrong: old-password new-password\r\n")

    for version, value in ((1, "old-password"), (2, "new-password")):
        (tmp_path / "secrets" / "pw").mkdir(parents=True, exist_ok=True)
        (tmp_path / "secrets" / "pw" / str(version)).write_text(value)
    release = tmp_path / "releases" / ("a" * 16)
    release.mkdir(parents=True)
    with serving(talk) as port:
        check = {"name": "redis", "redis": "127.0.0.1:%d" % port, "password_secret": "pw", "interval": 9}
        (release / "release.json").write_text(json.dumps({"checks": [check], "secrets": {"pw": 1}}))
        arguments = {"stack": "shop", "directory": str(tmp_path), "deadline": 0.3}
        of_release = run_module(health_check.main, capsys, dict(arguments, release=release.name))
        assert seen == [b"AUTH", b"old-password", b"PING"]
        newest = run_module(health_check.main, capsys, dict(arguments, checks=[check]))
        assert seen[3:] == [b"AUTH", b"new-password", b"PING"]
        missing = run_module(health_check.main, capsys, dict(arguments, checks=[dict(check, password_secret="other")]))
        assert "secret other cannot be read: No such file" in missing["msg"]
    for outcome in (of_release, newest):
        assert "it refuses PING: ERR wrong: [secret pw] [secret pw]" in outcome["msg"]
        assert "-password" not in outcome.seen


def test_an_engine_that_is_away_is_a_failing_check(run, monkeypatch, tmp_path):
    monkeypatch.setattr(health_check, "EngineClient", lambda timeout: EngineClient(str(tmp_path / "none"), timeout))
    outcome = run({"name": "api", "container": "api", "interval": 0.1}, {"name": "db", "postgresql": "db", "interval": 0.1}, deadline=0.3)
    assert outcome["timeline"][0]["tries"] > 1 and outcome["timeline"][1]["tries"] > 1
    assert outcome["msg"].count("no Docker engine answers on") == 2 and "journalctl -u docker" in outcome["msg"]


def test_an_engine_that_hangs_is_given_up(run, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        monkeypatch.setattr(health_check, "EngineClient", lambda timeout: EngineClient(str(tmp_path / "s"), timeout))
        began = time.monotonic()
        outcome = run({"name": "api", "container": "api", "timeout": 0.2}, deadline=0.3)
        assert time.monotonic() - began < 3
    assert outcome["failed"] and "timed out" in outcome["msg"]


def test_the_lease_lasts_as_long_as_the_longest_check():
    checks = parse([{"name": str(deadline), "tcp": "a:1", "deadline": deadline} for deadline in (5, 900, None)])
    assert HealthCheck("shop", checks, 60).longest == 900 and HealthCheck("shop", checks[:1], 60).longest == 60
