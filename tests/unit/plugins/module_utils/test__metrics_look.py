# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._heal_report import STATE
from ansible_collections.portside.stack.plugins.module_utils._metrics_look import COUNTED, DIRECTORY, TEXT, MetricsHost, write_metrics

NOW = 1790000000.0
LOGGED = '203.0.113.9 [2026-11-21T10:00:00+00:00] h "GET / HTTP/1.1" {0} 5 0.010s upstream - - -s "-" "-"'


def service(image="example/app:1", **keys):
    return dict({"image": image, "labels": {"portside.digest": "1"}}, **keys)


def container(name, state="running", health="", **keys):
    status = {"Status": state, "StartedAt": "2020-01-01T00:00:00Z", "ExitCode": keys.pop("exit_code", 0)}
    if health:
        status["Health"] = {"Status": health}
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": name, **keys.pop("labels", {})}
    return {
        "Id": name + "-id",
        "Name": "/shop-" + name,
        "RestartCount": keys.pop("restarts", 0),
        "Config": {"Labels": labels},
        "State": status,
        "HostConfig": {},
        "NetworkSettings": {"Networks": {}},
    }


class Engine:
    def __init__(self):
        self.found, self.logged, self.asked = [], [], []

    def inspect_all(self, label):
        return self.found if label == "com.docker.compose.project=shop" else []

    def logs_between(self, name, since, until):
        self.asked.append((name, since, until))
        if self.logged is None:
            raise EngineError(501, "its log driver cannot be read")
        return self.logged


class Host:
    """A host with one stack, which reads the metrics."""

    def __init__(self, root):
        self.root, self.engine, self.now, self.calls, self.told, self.code = root, Engine(), NOW, [], [], 0
        self.services = {"exporter": service(volumes=[DIRECTORY + ":/host/metrics:ro"])}
        self.busy = set()

    def run(self, argv, data):
        self.calls.append(argv)
        if argv[0] == "systemctl":
            return self.code, "", "no\n" if self.code else ""
        done = subprocess.run(argv, input=data, text=True, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def write(self):
        stacks = self.root / "opt/stacks"
        release = stacks / "shop/releases/0123456789ab"
        release.mkdir(parents=True, exist_ok=True)
        (release / "release.json").write_text(json.dumps({"definition": {"name": "shop", "services": self.services}}))
        if not (stacks / "shop/current").is_symlink():
            (stacks / "shop/current").symlink_to("releases/0123456789ab")
        host = MetricsHost(FileSystem(), self.engine, self.run, lambda: self.now, lambda: self.busy, self.told.append, str(self.root))
        write_metrics(host, str(stacks))
        text = (self.root / TEXT[1:]).read_text() if (self.root / TEXT[1:]).exists() else ""
        return [line for line in text.splitlines() if not line.startswith("#")]

    def put(self, path, value):
        (self.root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path[1:]).write_text(json.dumps(value))


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def up(lines, name):
    return [line.rpartition(" ")[2] for line in lines if line.startswith('portside_service_up{stack="shop",service="%s"}' % name)]


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ([container("api")], "1"),
        ([container("api", health="healthy")], "1"),
        ([container("api", health="starting")], "0"),
        ([container("api", health="unhealthy")], "0"),
        ([container("api", "restarting")], "0"),
        ([container("api", "exited")], "0"),
        ([], "0"),
        ([container("api"), container("api", health="unhealthy")], "0"),
        # A step of a release is run beside it, and ends.
        ([container("api"), container("api", "exited", labels={"com.docker.compose.oneoff": "True"})], "1"),
    ],
)
def test_a_service_is_as_well_as_its_worst_container(host, found, value):
    host.services["api"] = service()
    host.engine.found = found
    assert up(host.write(), "api") == [value]


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ([container("job", "exited")], ["1"]),
        ([container("job", "running")], ["1"]),
        ([container("job", "exited", exit_code=3)], ["0"]),
        ([], []),
    ],
)
def test_what_runs_once_is_well_when_it_ended_well(host, found, value):
    host.services["job"] = service(restart="no")
    host.engine.found = found
    assert up(host.write(), "job") == value


def test_fewer_containers_than_replicas_are_not_well_and_none_wanted_are(host):
    host.services["api"] = service(deploy={"replicas": 2})
    host.services["off"] = service(scale=0)
    host.engine.found = [container("api")]
    lines = host.write()
    assert (up(lines, "api"), up(lines, "off")) == (["0"], ["1"])


def test_restarts_healing_and_runs_at_work_are_told(host):
    host.engine.found = [container("exporter", restarts=4)]
    host.busy = {"shop"}
    host.put(STATE, {"shop/api": {"restarts": 5, "last": "x", "next": None, "given_up": True, "why": "secret?"}})
    lines = host.write()
    assert 'portside_service_restarts_total{stack="shop",service="exporter"} 4' in lines
    assert 'portside_healing_given_up{stack="shop",service="api"} 1' in lines
    assert 'portside_healing_restarts_total{stack="shop",service="api"} 5' in lines
    assert 'portside_deploying{stack="shop"} 1' in lines
    assert "secret" not in "".join(lines)


def test_a_state_that_another_version_wrote_is_none(host):
    host.put(STATE, ["what"])
    assert not [line for line in host.write() if "healing" in line]


def test_requests_are_counted_from_the_second_look_on_and_go_on_from_there(host):
    host.services["edge"] = service("docker.io/library/nginx:1.26@sha256:aa")
    host.services["api"] = service("example/nginx-like:1")
    host.engine.found = [container("edge"), container("api")]
    host.engine.logged = [LOGGED.format(200), LOGGED.format(502), "a line of something else"]
    assert not [line for line in host.write() if "responses" in line]
    assert host.engine.asked == []
    host.now += 30
    host.write()
    host.now += 30
    lines = host.write()
    assert host.engine.asked == [("edge-id", NOW, NOW + 30), ("edge-id", NOW + 30, NOW + 60)]
    assert 'portside_http_responses_total{stack="shop",service="edge",code="5xx"} 2' in lines
    assert 'portside_http_request_seconds_count{stack="shop",service="edge"} 4' in lines


def test_a_log_that_cannot_be_read_is_said_and_the_rest_is_told(host):
    host.services["edge"] = service("nginx:1.26")
    host.engine.found, host.engine.logged = [container("edge")], None
    host.write()
    host.now += 30
    assert up(host.write(), "edge") == ["1"]
    assert len(host.told) == 1 and "shop/edge" in host.told[0] and "log driver" in host.told[0]


def test_the_end_of_each_certificate_of_an_edge_is_told_and_never_its_key(host):
    home = host.root / "opt/stacks/shop/edge/certificates"
    home.mkdir(parents=True)
    subject = ["-subj", "/CN=a", "-addext", "subjectAltName=DNS:a.example.com,DNS:b.example.com"]
    key = home / "key"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-keyout", str(key), "-out", str(home / "a"), *subject]
    subprocess.run(made, check=True, capture_output=True)
    (home / "a.pem").write_bytes(key.read_bytes() + (home / "a").read_bytes())
    (home / "broken.pem").write_text("no certificate")
    lines = [line for line in host.write() if "certificate" in line]
    assert len(lines) == 1 and 'names="a.example.com b.example.com"' in lines[0]
    assert float(lines[0].rpartition(" ")[2]) > 1.7e9
    assert len(host.told) == 1 and "broken.pem" in host.told[0]
    assert not any("PRIVATE" in str(one) for one in host.told + lines)


def test_once_no_release_reads_them_the_timer_goes(host):
    host.services = {"api": service(volumes=["data:/data", {"type": "bind", "source": "/srv", "target": "/srv"}])}
    assert host.write() == []
    assert host.calls == [["systemctl", "disable", "--now", "portside-metrics.timer"]]
    host.code = 1
    with pytest.raises(StackError, match="systemctl disable portside-metrics.timer failed: no"):
        host.write()


def test_what_was_counted_is_for_root_alone_and_what_is_told_for_everybody(host):
    host.write()
    assert (host.root / COUNTED[1:]).stat().st_mode & 0o777 == 0o600
    assert (host.root / TEXT[1:]).stat().st_mode & 0o777 == 0o644
