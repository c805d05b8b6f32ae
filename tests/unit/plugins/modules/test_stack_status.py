# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.modules import stack_status
from fake_engine import FakeEngine
from module_runner import run_module

PIN = "registry.test/app:1@sha256:" + "a" * 64
OTHER = "registry.test/app:0@sha256:" + "0" * 64
EDGE = {"service": "edge", "kind": "nginx", "config": "c", "port": 80, "tls": {"kind": "self_signed", "file": "own.pem", "names": ["a.test"]}}
DEFINITION = {
    "name": "shop",
    "services": {
        "db": {"image": "db:1", "expose": ["6543", "9000-9001", "53/udp"]},
        "api": {"image": PIN, "ports": [{"target": 8000, "published": "8000", "host_ip": "127.0.0.1", "protocol": "tcp"}], "deploy": {"replicas": 2}},
        "tool": {"image": "tool:1"},
        "edge": {"image": "nginx:1", "ports": [{"target": 80, "published": "80", "protocol": "tcp"}]},
        "job": {"image": PIN, "restart": "no"},
        "gone": {"image": "gone:1"},
    },
    "volumes": {"data": {"name": "shop_data", "external": True}},
    "x-portside": {
        "edge": EDGE,
        "unpublished_ports": {"tool": [3000]},
        "routes": [{"via": "edge", "text": "prefix /", "service": "api", "stack": "shop", "port": 8000}],
    },
}


def run_program(argv, data):
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Host:
    def __init__(self, top, engine, capsys):
        self.top, self.engine, self._capsys = top, engine, capsys
        self.root, self.run_directory = top / "stacks", top / "run"
        self.run_directory.mkdir()

    def look(self, *stacks):
        return run_module(stack_status.main, self._capsys, {"stack_root": str(self.root), "stacks": list(stacks)})

    def release(self, name, definition, stack="shop", verified="", current=False):
        home = self.root / stack / "releases" / name
        (home / "state").mkdir(parents=True)
        record = {"stack": stack, "images": {"registry.test/app:1": PIN}, "definition": definition, "visible": {"api": ["STRIPE_KEY"]}}
        (home / "release.json").write_text(json.dumps(record))
        if verified:
            (home / "state" / "verified.json").write_text(json.dumps({"verified": verified, "schema": {}}))
        if current:
            (self.root / stack / "current").symlink_to("releases/" + name)
        return home

    def container(self, service, image=PIN, networks=None, ports=None, host=None, **keys):
        key = self.engine.add(service, "1", project="shop", image=image, **keys)
        found = self.engine.containers[key]
        found["Name"] = "/shop-{0}-{1}".format(service, self.engine.made)
        found["HostConfig"] = host or {}
        found["NetworkSettings"] = {"Networks": networks or {}, "Ports": ports or {}}
        return found


def address(one):
    return {"shop_default": {"NetworkID": "n", "IPAddress": one}}


def listening(host, found, pid, *ports):
    """That a container's process has these, on all its addresses; and one for itself alone."""
    found["State"]["Pid"] = pid
    home = host.top / "proc" / str(pid) / "net"
    home.mkdir(parents=True)
    row = "0: {0}:{1:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n"
    (home / "tcp").write_text("head\n" + "".join(row.format("00000000", port) for port in ports) + row.format("0100007F", 9999))


def bound(*places):
    return [{"HostIp": one, "HostPort": port} for one, port in places]


@pytest.fixture(name="host")
def host_fixture(tmp_path, monkeypatch, capsys):
    world = stack_status.World
    with FakeEngine(tmp_path / "docker.sock") as engine:
        host = Host(tmp_path, engine, capsys)
        monkeypatch.setattr(stack_status, "EngineClient", lambda **_keys: EngineClient(engine.path))
        monkeypatch.setattr(stack_status, "World", lambda *args: world(*args, run_directory=str(host.run_directory), proc=str(tmp_path / "proc")))
        yield host


@pytest.fixture(name="shop")
def shop_fixture(host):
    """A stack of which most is well."""
    home = host.release("b" * 16, DEFINITION, verified="2026-11-21T10:01:00Z", current=True)
    host.release("a" * 16, dict(DEFINITION, services={"api": {"image": OTHER}}), verified="2026-11-20T10:01:00Z")
    limits = {"NanoCpus": 500000000, "Memory": 2048}
    exposed = {"5432/tcp": None, "9999/tcp": None, "6000/tcp": None}
    found = host.container("db", "db:1", address("172.20.0.2"), exposed, {"CpuQuota": 150000}, status={"Health": {"Status": "healthy"}})
    listening(host, found, 31, 5432, 7000)
    for number in ("3", "4"):
        ports = {"8000/tcp": bound(("127.0.0.1", "8000"))} if number == "3" else {"8000/tcp": None}
        found = host.container("api", PIN, address("172.20.0." + number), ports, limits, status={"Health": {"Status": "healthy"}})
    found["State"]["Health"]["Status"], found["RestartCount"] = "unhealthy", 3
    host.container("tool", "tool:1", address("172.20.0.5"))
    host.container("edge", "nginx:1", address("172.20.0.6"), {"80/tcp": bound(("0.0.0.0", "80"), ("::", "80")), "443/tcp": None})
    host.container("job", PIN, state="exited", status={"ExitCode": 3})
    host.container("old", "old:1")
    host.container("api", PIN, labels={"com.docker.compose.oneoff": "True"})
    host.engine.volumes = {"shop_data": {"Labels": {"portside.stack": "shop"}}, "shop_left": {"Labels": {"portside.stack": "shop"}}, "else": {}}
    history = History(str(host.root / "shop"))
    history.append({"event": "started", "time": "2026-11-21T09:59:00Z", "release": "b" * 16, "run": "1"})
    history.append(
        {"event": "deployed", "time": "2026-11-21T10:00:00Z", "release": "b" * 16, "run": "1", "who": "ann", "from": "laptop", "stages": [], "seconds": 60.0}
    )
    (home / "state" / "start.json").write_text(json.dumps({"seconds": 3, "services": []}))
    (host.run_directory / "heal.json").write_text(json.dumps({"shop/db": {"restarts": 1}, "blog/db": {"restarts": 2}}))
    certificates = host.root / "shop" / "edge" / "certificates"
    certificates.mkdir(parents=True)
    (certificates / "own.pem").write_bytes(OpenSsl(run_program).self_signed(["a.test"]))
    return home


def services(outcome):
    return {one["name"]: one for one in outcome["stacks"][0]["services"]}


def test_each_service_is_told_once_with_how_it_is(host, shop):
    found = services(host.look())
    assert list(found) == ["db", "api", "tool", "edge", "job", "gone"]
    told = {name: (one["state"], one["health"], one["running"], one["containers"], one["wanted"], one["restarts"]) for name, one in found.items()}
    assert told == {
        "db": ("running", "healthy", 1, 1, 1, 0),
        "api": ("running", "unhealthy", 2, 2, 2, 3),
        "tool": ("running", "none", 1, 1, 1, 0),
        "edge": ("running", "none", 1, 1, 1, 0),
        "job": ("exited", "none", 0, 1, 1, 0),
        "gone": ("missing", "none", 0, 0, 1, 0),
    }
    assert found["job"]["exit_code"] == 3 and found["db"]["exit_code"] is None
    assert (found["api"]["image"], found["api"]["digest"]) == ("registry.test/app:1", "sha256:" + "a" * 64)
    assert (found["db"]["image"], found["db"]["digest"]) == ("db:1", "sha256:db:1")
    assert (found["db"]["cpu_limit"], found["db"]["memory_limit"]) == (1.5, None)
    assert (found["api"]["cpu_limit"], found["api"]["memory_limit"], found["api"]["cpu_percent"]) == (1.0, 4096, None)


def test_who_reaches_it_and_how_else_to_get_there(host, shop):
    found = services(host.look())
    told = {name: (one["exposure"], one["reach"], one["via"], one["published"], one["routes"]) for name, one in found.items()}
    assert told == {
        "db": ("internal", "internal", "", [], []),
        "api": ("loopback", "public", "edge", ["127.0.0.1:8000 -> 8000/tcp"], ["prefix /"]),
        "tool": ("internal", "internal", "", [], []),
        "edge": ("public", "public", "", ["0.0.0.0:80 -> 80/tcp", "[::]:80 -> 80/tcp"], []),
        "job": ("internal", "internal", "", [], []),
        "gone": ("internal", "internal", "", [], []),
    }
    assert {name: [(end["address"], end["port"]) for end in one["tunnel_to"]] for name, one in found.items() if one["tunnel_to"]} == {
        # What its image exposes and it has, and what is declared.
        "db": [("172.20.0.2", 5432), ("172.20.0.2", 6543)],
        "api": [("127.0.0.1", 8000)],
        # Its port is declared, though nothing on the host says so.
        "tool": [("172.20.0.5", 3000)],
    }


def test_release_history_certificates_and_what_is_left_over(host, shop):
    outcome = host.look()
    (found,) = outcome["stacks"]
    assert (found["name"], found["release"], found["since"], found["by"]) == ("shop", "b" * 16, "2026-11-21T10:00:00Z", "ann from laptop")
    assert found["history"] == [
        {"event": "deployed", "time": "2026-11-21T10:00:00Z", "release": "b" * 16, "who": "ann", "from": "laptop", "seconds": 60.0}
    ]
    (other,) = found["can_roll_back_to"]
    assert (other["id"], other["verified"], other["schema"]) == ("a" * 16, "2026-11-20T10:01:00Z", "same")
    assert {"service": "api", "image": "registry.test/app:0 (000000000000)", "current": "registry.test/app:1 (aaaaaaaaaaaa)"} in other["changes"]
    (certificate,) = found["certificates"]
    assert (certificate["file"], certificate["hosts"]) == ("own.pem", ["a.test"]) and 820 <= certificate["days"] <= 825
    assert found["orphans"] == {"containers": ["shop-old-7"], "volumes": ["shop_left"]}
    assert (found["visible"], found["start"], found["healing"]) == ({"api": ["STRIPE_KEY"]}, {"seconds": 3, "services": []}, {"db": {"restarts": 1}})
    assert found["at_work"] is None and found["unseen"] == [] and outcome["unseen"] == [] and outcome["changed"] is False
    assert "PRIVATE KEY" not in outcome.seen


def test_who_is_at_work_is_told(host, shop):
    lock = StackLock("shop", time.time, str(host.run_directory))
    lock.acquire({"who": "bob", "origin": "desk", "pid": 7, "started": "x"}, "deploy", "t0ken", 60)
    outcome = host.look()
    work = outcome["stacks"][0]["at_work"]
    assert (work["purpose"], work["who"], work["after_stage"]) == ("deploy", "bob@desk (process 7)", "")
    assert "t0ken" not in outcome.seen


def test_without_an_engine_the_rest_is_told(host, shop):
    host.engine.away = 10**6
    outcome = host.look()
    assert "Containers and volumes were not seen" in outcome["unseen"][0]
    assert {(one["state"], one["health"]) for one in services(outcome).values()} == {("unknown", "unknown")}
    assert outcome["stacks"][0]["release"] == "b" * 16 and outcome["stacks"][0]["orphans"] == {"containers": [], "volumes": []}


def test_a_broken_stack_hides_no_other(host, shop):
    (host.root / "blog").mkdir()
    (host.root / "blog" / "current").write_text("no link")
    (shop.parent.parent / "edge" / "certificates" / "own.pem").write_text("nonsense")
    blog, found = host.look()["stacks"]
    assert (blog["name"], blog["release"], blog["services"]) == ("blog", "", []) and "must be a link" in blog["unseen"][0]
    assert len(blog["unseen"]) == 1 and len(found["services"]) == 6
    assert "certificate own.pem of the edge" in found["unseen"][0] and found["certificates"] == []


def test_one_stack_can_be_chosen_and_one_that_is_not_there_is_told(host, shop):
    host.release("c" * 16, {"name": "blog", "services": {}}, stack="blog", current=True)
    assert [one["name"] for one in host.look()["stacks"]] == ["blog", "shop"]
    assert [one["name"] for one in host.look("shop")["stacks"]] == ["shop"]
    (found,) = host.look("shopp")["stacks"]
    assert found["release"] == "" and found["unseen"] == ["stack shopp: nothing of it is on the host; on the host are: blog, shop."]
    refused = host.look("../etc")
    assert refused["failed"] and "is not a project name" in refused["msg"]


def test_a_bare_host_has_nothing(host):
    outcome = host.look()
    assert outcome["stacks"] == [] and outcome["unseen"] == []


def test_what_containers_use_is_told_by_service(host, shop):
    directory = host.top / "cgroup" / "x"
    directory.mkdir(parents=True)
    for name, text in (("cpu.stat", "usage_usec 5\n"), ("memory.current", "900\n"), ("memory.stat", "inactive_file 100\n")):
        (directory / name).write_text(text)
    for pid in ("41", "42"):
        (host.top / "proc" / pid).mkdir(parents=True)
        (host.top / "proc" / pid / "cgroup").write_text("0::/x\n")
    (host.top / "proc" / "self").mkdir()
    (host.top / "proc" / "self" / "mountinfo").write_text("1 1 0:1 / {0} rw - cgroup2 cgroup2 rw\n".format(host.top / "cgroup"))
    for pid, one in zip((41, 42), [one for one in host.engine.containers.values() if "-api-" in one["Name"]]):
        one["State"]["Pid"] = pid
    found = services(host.look())
    assert (found["api"]["cpu_percent"], found["api"]["memory"]) == (0.0, 1600)
    assert (found["db"]["cpu_percent"], found["db"]["memory"]) == (None, None)
