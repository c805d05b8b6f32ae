# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._reconcile import reconcile
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from fake_engine import FakeEngine

ALICE = {"who": "alice", "origin": "laptop", "pid": 41, "started": "x"}
RELEASES = {"a" * 16: "d-old", "b" * 16: "d-new"}


class Server:
    """A host with two releases of one service, and what is done to it."""

    def __init__(self, directory, engine):
        self.directory, self.engine = directory, engine
        self.lock = StackLock("demo", self.time, str(directory.parent / "run"), "boot")
        self.now, self.later, self.lines, self.commands, self.state = 1600000000.0, {}, [], [], "running"
        for release, digest in RELEASES.items():
            home = directory / "releases" / release
            home.mkdir(parents=True)
            body = {"image": "example/app:1", "labels": {"portside.digest": digest}}
            definition = {"name": "demo", "services": {"web": body}}
            (home / "release.json").write_text(json.dumps({"definition": definition}))
            (home / "compose.yaml").write_text(json.dumps(definition))

    def current(self, release):
        (self.directory / "current").unlink(missing_ok=True)
        os.symlink("releases/" + release, self.directory / "current")

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds
        # A real pause lets the worker threads do their part.
        time.sleep(0.01)
        for at in [at for at in self.later if at <= self.now - 1600000000]:
            self.later.pop(at)()

    def run(self, argv, _data):
        file = argv[argv.index("-f") + 1]
        self.commands.append((file, argv[-1]))
        digest = RELEASES[file.split("/")[-2]]
        self.engine.containers.clear()
        self.engine.add(argv[-1], digest, state=self.state)
        return 0, "", ""

    def reconcile(self):
        store = ReleaseStore(str(self.directory))
        client = EngineClient(self.engine.path)
        reconcile(store, self.lock, client, self.run, self, list, self.lines.append)

    def digests(self):
        return [one["Config"]["Labels"]["portside.digest"] for one in self.engine.containers.values()]


@pytest.fixture
def server(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        (tmp_path / "demo").mkdir()
        made = Server(tmp_path / "demo", engine)
        made.current("a" * 16)
        yield made


def test_where_all_is_well_nothing_is_done(server):
    server.engine.add("web", "d-old")
    server.reconcile()
    assert (server.commands, server.lines) == ([], ["stack demo: release {0}: all is well".format("a" * 16)])
    assert not [one for one in server.engine.requests if not one.startswith("GET")]


def test_a_service_without_a_container_comes_back(server):
    server.reconcile()
    assert server.commands == [("{0}/releases/{1}/compose.yaml".format(server.directory, "a" * 16), "web")]
    assert server.lines[-1].endswith(": create web")
    assert server.lock.read() is None


def test_what_a_run_that_died_had_activated_makes_room_for_the_current_release(server):
    server.engine.add("web", "d-new")
    server.lock.acquire(ALICE, "deploy", "a", 100)
    server.reconcile()
    assert server.digests() == ["d-old"]
    assert server.now > 1600000100


def test_a_run_that_goes_on_is_left_to_finish(server):
    server.engine.add("web", "d-new")
    server.lock.acquire(ALICE, "deploy", "a", 1000)
    server.later[30] = lambda: (server.current("b" * 16), server.lock.release("a"))
    server.reconcile()
    assert (server.digests(), server.commands) == (["d-new"], [])
    (told,) = [line for line in server.lines if line.startswith("waits for a run to end")]
    assert "alice@laptop" in told
    assert server.now < 1600000100


def test_before_the_first_release_there_is_nothing_to_do(server):
    (server.directory / "current").unlink()
    server.reconcile()
    assert (server.commands, server.lines) == ([], ["stack demo: there is no current release"])


def test_the_engine_is_waited_for(server):
    server.engine.away = 5
    server.engine.add("web", "d-old")
    server.reconcile()
    assert server.lines[-1].endswith("all is well")


def test_an_engine_that_never_answers_is_told(server):
    server.engine.away = 10**6
    with pytest.raises(StackError, match="stack demo: no Docker engine answers .* Remedy"):
        server.reconcile()
    assert server.now >= 1600000300


def test_a_service_that_does_not_come_up_is_told_and_the_lock_is_free(server):
    server.state = "exited"
    with pytest.raises(StackError, match="web"):
        server.reconcile()
    server.lock.acquire(ALICE, "deploy", "a", 100)


def test_what_stops_meanwhile_is_started_by_another_try(server):
    found = server.engine.add("web", "d-old", status={"Health": {"Status": "starting", "Log": []}})
    server.later[10] = lambda: server.engine.containers[found]["State"].update({"Status": "exited", "ExitCode": 137})
    server.reconcile()
    assert [service for _file, service in server.commands] == ["web"]
    (told,) = [line for line in server.lines if "brought up once more" in line]
    assert "service web stopped meanwhile: exited with code 137" in told
    assert server.lines[-1].endswith(": start web")
    assert server.now < 1600000100
