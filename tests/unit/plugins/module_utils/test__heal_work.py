# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._heal_report import STATE, StateFile
from ansible_collections.portside.stack.plugins.module_utils._heal_stacks import Stacks
from ansible_collections.portside.stack.plugins.module_utils._heal_watch import heal
from ansible_collections.portside.stack.plugins.module_utils._heal_work import EVERY, Healer
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock, busy_stacks

ALICE = {"who": "alice", "origin": "laptop", "pid": 41, "started": "x"}
SECRET = "correct-horse-battery"
STOPPED = "exited"


class Server:
    """A host with a stack, its engine and its clock; what is restarted, and what is told."""

    def __init__(self, root):
        self.root, self.now, self.all, self.restarted, self.lines, self.entries = root, 1600000000.0, {}, [], [], []
        self.refusal, self.during = None, None
        self.release({"web": {}, "db": {}})
        self.healer = self.new_healer()

    def new_healer(self):
        run = str(self.root / "run/portside")
        return Healer(
            Stacks(str(self.root / "stacks")),
            lambda stack: StackLock(stack, self.time, run, "boot"),
            lambda: busy_stacks(self.time, run, "boot"),
            self,
            StateFile(FileSystem(), str(self.root)),
            self.lines.append,
            self.entries.append,
        )

    def lock(self, stack="demo"):
        return StackLock(stack, self.time, str(self.root / "run/portside"), "boot")

    def time(self):
        return self.now

    monotonic = time

    def release(self, services, stack="demo", identifier="a" * 16, **settings):
        """Has a current release of these services."""
        home = self.root / "stacks" / stack / "releases" / identifier
        home.mkdir(parents=True, exist_ok=True)
        bodies = {name: {"image": "app:1", "labels": {"portside.digest": "d-" + name}, **body} for name, body in services.items()}
        definition = {"name": stack, "services": bodies, "x-portside": {"self_healing": settings} if settings else {}}
        (home / "release.json").write_text(json.dumps({"definition": definition}))
        link = self.root / "stacks" / stack / "current"
        link.unlink(missing_ok=True)
        os.symlink("releases/" + identifier, link)

    def add(self, service, health="healthy", stack="demo", number=1, status="running", labels=None, **config):
        """A container as Compose makes it."""
        identifier = "{0}-{1}-{2}".format(stack, service, number)
        own = {
            "portside.stack": stack,
            "portside.digest": "d-" + service,
            "com.docker.compose.project": stack,
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": str(number),
        }
        probe = {"ExitCode": 1, "Output": "said {0}\n  twice ".format(SECRET)}
        self.all[identifier] = {
            "Id": identifier,
            "Name": "/" + identifier,
            "RestartCount": 0,
            "Config": {"Labels": {**own, **(labels or {})}, **config},
            "State": {"Status": status, "ExitCode": 0, "StartedAt": "2020-01-01T00:00:00Z"},
            "NetworkSettings": {"Networks": {}},
            "HostConfig": {},
        }
        if health:
            self.all[identifier]["State"]["Health"] = {"Status": health, "FailingStreak": 3, "Log": [probe]}
        return identifier

    def health(self, identifier, status):
        self.all[identifier]["State"].update(Status="running", Health=dict(self.all[identifier]["State"]["Health"], Status=status))

    def look(self, seconds=0.0):
        """A turn of the healer; answers what it restarted."""
        self.now += seconds
        self.restarted = []
        self.pause = self.healer.turn(self)
        return self.restarted

    def state(self):
        return json.loads((self.root / STATE[1:]).read_text())

    # -- as the engine -----------------------------------------------------------------------------------------------

    def inspect_all(self, label):
        assert label == "portside.stack"
        return [json.loads(json.dumps(one)) for one in self.all.values() if label in one["Config"]["Labels"]]

    def get(self, path):
        found = self.all.get(path.split("/")[2])
        if not found:
            raise EngineError(404, "No such container")
        return found

    def post(self, path, timeout):
        identifier, what = path.split("/")[2:]
        assert what == "restart"
        # A run that wants the stack meanwhile is kept out.
        assert self.lock().busy()
        self.restarted.append((identifier, timeout))
        if self.during:
            self.during()
        if self.refusal:
            self.all[identifier]["State"]["Status"] = STOPPED
            raise self.refusal
        self.health(identifier, "starting") if "Health" in self.all[identifier]["State"] else None


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path)


def names(restarted):
    return [identifier for identifier, _timeout in restarted]


def test_what_is_unhealthy_is_restarted_once_and_told(server):
    home = server.root / "stacks/demo/secrets/password"
    home.mkdir(parents=True)
    (home / "1").write_text(SECRET)
    web = server.add("web")
    server.add("db")
    assert (server.look(), server.pause, server.state()) == ([], EVERY, {})
    server.health(web, "unhealthy")
    assert server.look(30) == [(web, 70)]
    assert server.lines == [
        "<4>heal: stack demo: service web: container demo-web-1: unhealthy: 3 failures in a row, the last was exit 1: said [secret password] twice. "
        "It was restarted (1 of 5); should it fail again, the next restart is 10 s after that."
    ]
    assert [(one["what"], one["service"], one["restarts"], one["next"]) for one in server.entries] == [("restarted", "web", 1, None)]
    assert {key: server.state()["demo/web"][key] for key in ("restarts", "last", "next", "given_up")} == {
        "restarts": 1,
        "last": "2020-09-13T12:27:10Z",
        "next": None,
        "given_up": False,
    }
    assert (server.root / STATE[1:]).stat().st_mode & 0o777 == 0o644
    assert SECRET not in json.dumps([server.state(), server.entries, server.lines])
    assert (server.look(1), server.look(1)) == ([], [])
    server.health(web, "healthy")
    assert server.look(10) == []
    assert server.lines[-1] == "<5>heal: stack demo: service web: container demo-web-1: it is healthy again."
    assert server.lock().read() is None and not server.lock().busy()


def test_it_waits_longer_each_time_and_is_given_up_once(server):
    web, restarts, waits = server.add("web", "unhealthy"), 0, []
    for _time in range(200):
        restarts += len(server.look(server.pause if restarts else 0))
        if server.state()["demo/web"]["next"]:
            waits.append(server.pause)
        server.health(web, "unhealthy")
    assert (restarts, waits) == (5, [10, 20, 40, 60, 20])
    (given_up,) = [line for line in server.lines if line.startswith("<3>")]
    assert "It was restarted 5 times, and did not stay healthy. It is left alone from now on. Remedy: see docker logs demo-web-1" in given_up
    assert [one["what"] for one in server.entries] == ["restarted"] * 5 + ["given_up"]
    assert [server.state()["demo/web"][key] for key in ("restarts", "given_up", "next")] == [5, True, None]
    # Also after this program was started anew.
    server.healer = server.new_healer()
    assert (server.look(10**6), server.look(1)) == ([], [])
    server.release({"web": {}})
    del server.all[web]
    server.add("web", "unhealthy", number=2)
    assert names(server.look(5)) == ["demo-web-2"]


def test_what_is_not_of_the_current_release_is_left_alone(server):
    server.release({"web": {}, "db": {}, "once": {"restart": "no"}})
    server.release({"api": {}}, stack="shop")
    server.release({"api": {}}, stack="off", enabled=False)
    server.release({"api": {}, "worker": {}}, stack="some", **{"except": ["api"]})
    server.add("web", "unhealthy", labels={"portside.digest": "older"})
    server.add("web", "unhealthy", number=2, labels={"com.docker.compose.oneoff": "True"})
    server.add("web", "unhealthy", number=3, labels={"com.docker.compose.project": "other"})
    server.add("gone", "unhealthy")
    server.add("once", "unhealthy")
    server.add("api", "unhealthy", stack="off")
    server.add("api", "unhealthy", stack="some")
    server.add("api", "unhealthy", stack="undeployed")
    server.add("web", "unhealthy", number=4, status="paused")
    server.add("web", "starting", number=5)
    foreign = server.add("web", "unhealthy", number=6)
    del server.all[foreign]["Config"]["Labels"]["portside.stack"]
    assert server.look() == server.look(1000) == []
    server.add("worker", "unhealthy", stack="some")
    server.lock = lambda: StackLock("some", server.time, str(server.root / "run/portside"), "boot")
    assert names(server.look(1)) == ["some-worker-1"]


def test_attempts_and_the_time_to_stop_are_those_declared(server):
    server.release({"web": {}}, attempts=1)
    web = server.add("web", "unhealthy", StopTimeout=90)
    assert server.look() == [(web, 150)]
    server.health(web, "unhealthy")
    assert (server.look(60), server.state()["demo/web"]["given_up"]) == ([], True)


def test_nothing_is_done_while_a_run_is_at_work_and_all_starts_anew_after_it(server):
    web = server.add("web", "unhealthy")
    server.lock().acquire(ALICE, "deploy", "a", 1000)
    assert (server.look(), server.pause, server.look(100), server.state()) == ([], 2, [], {})
    server.lock().release("a")
    assert names(server.look(1)) == [web]
    for _time in range(200):
        server.health(web, "unhealthy")
        server.look(server.pause)
    assert server.state()["demo/web"]["given_up"]
    server.lock().acquire(ALICE, "deploy", "a", 1000)
    assert (server.look(5), server.state()["demo/web"]["given_up"]) == ([], True)
    server.lock().release("a")
    assert names(server.look(5)) == [web]


def test_a_module_that_takes_the_lock_first_is_not_waited_for(server):
    web = server.add("web", "unhealthy")
    other = server.lock()
    with other.work("", "deploy", 10):
        server.healer._busy = set
        assert (server.look(), server.pause) == ([], 2)
    assert names(server.look(2)) == [web]


def test_a_release_that_came_meanwhile_is_looked_at_anew(server):
    server.add("web", "unhealthy")
    inspect_all = server.inspect_all

    def switched(label):
        found = inspect_all(label)
        server.release({"web": {}}, identifier="b" * 16)
        return found

    server.inspect_all = switched
    assert server.look() == []


def test_one_that_recovered_or_went_meanwhile_is_left_alone(server):
    web = server.add("web", "unhealthy")
    db = server.add("db", "unhealthy")
    inspect_all = server.inspect_all

    def changed(label):
        found = inspect_all(label)
        server.health(web, "healthy")
        server.all.pop(db, None)
        return found

    server.inspect_all = changed
    assert server.look() == []


def test_who_shares_its_network_or_says_so_follows(server):
    server.release(
        {
            "vpn": {},
            "probe": {"network_mode": "service:vpn"},
            "app": {"depends_on": {"probe": {"condition": "service_started", "restart": True}}},
            "other": {"depends_on": {"vpn": {"condition": "service_healthy"}}},
            "idle": {"network_mode": "service:vpn"},
        }
    )
    vpn, probe, app = server.add("vpn", "unhealthy"), server.add("probe", "unhealthy"), server.add("app", None)
    server.add("other")
    server.add("idle", None, status="exited")
    assert names(server.look()) == [vpn, probe, app]
    assert "container demo-app-1: it was restarted with service vpn, which" in server.lines[2]
    assert [(one["what"], one["service"]) for one in server.entries] == [("restarted", "vpn"), ("followed", "probe"), ("followed", "app")]
    assert list(server.state()) == ["demo/vpn"]


def test_one_that_could_not_be_restarted_is_tried_again(server):
    web = server.add("web", "unhealthy")
    server.refusal = EngineError(500, "the Docker engine refused POST: port is already allocated")
    assert names(server.look()) == [web]
    assert server.lines[-1].startswith("<3>") and "port is already allocated. It could not be restarted (1 of 5)" in server.lines[-1]
    server.refusal = None
    assert server.look(1) == []
    assert names(server.look(10)) == [web]
    assert server.all[web]["State"]["Status"] == "running"


def test_an_end_in_the_middle_is_counted(server):
    web = server.add("web", "unhealthy")
    server.refusal = EngineUnavailable("no Docker engine answers")
    with pytest.raises(EngineUnavailable):
        server.look()
    assert server.state()["demo/web"]["restarts"] == 1
    server.refusal, server.healer = None, server.new_healer()
    server.health(web, "unhealthy")
    assert (server.look(1), names(server.look(10))) == ([], [web])


def test_a_loop_of_the_engine_is_told_with_what_it_says_of_the_memory(server):
    web = server.add("web", None, status="restarting")
    server.look()
    server.all[web]["RestartCount"] = 7
    server.all[web]["State"].update(ExitCode=137, OOMKilled=True)
    assert (server.look(60), server.look(60)) == ([], [])
    (line,) = server.lines
    assert "the engine has restarted it 7 times within 60 s; restarting, exit code 137; it had no memory left" in line
    assert (server.entries[0]["what"], server.state()["demo/web"]["given_up"]) == ("loops", True)


def test_a_process_that_was_killed_for_memory_is_named(server):
    web = server.add("web", "unhealthy")
    server.healer.ran_out_of_memory(web)
    server.look()
    assert "it had no memory left, and a process of it was killed for that. It was restarted" in server.lines[0]
    server.health(web, "unhealthy")
    server.look(1000)
    assert "memory" not in server.lines[-1]


def test_a_release_that_cannot_be_read_is_told_once_and_the_others_are_healed(server):
    web = server.add("web", "unhealthy")
    server.release({"api": {}}, stack="broken")
    (server.root / "stacks/broken/current").unlink()
    (server.root / "stacks/broken/current").mkdir()
    assert (names(server.look()), server.look(1)) == ([web], [])
    (told,) = [line for line in server.lines if "broken" in line]
    assert told.startswith("<4>heal: stack broken is not healed: stack broken: ")


@pytest.mark.parametrize("text", ["{", "[]", '{"demo/web": {}}', '{"demo/web": {"containers": {"demo-web-1": {"other": 1}}}}'])
def test_a_state_of_another_version_is_none(server, text):
    (server.root / "run/portside").mkdir(parents=True)
    (server.root / STATE[1:]).write_text(text)
    web = server.add("web", "unhealthy")
    server.healer = server.new_healer()
    assert names(server.look()) == [web]


# -- for as long as the host runs ------------------------------------------------------------------------------------


class Stop(Exception):
    """The end of a test."""


class World:
    """What the loop is handed: each entry of ``script`` is what the next wait, or connection, comes to."""

    def __init__(self, *script):
        self.script, self.did, self.now, self.lines = list(script), [], 0.0, []

    def next(self, what):
        self.did.append(what)
        if not self.script:
            raise Stop
        found = self.script.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def turn(self, _engine):
        self.did.append("turn")
        return 7.0

    def ran_out_of_memory(self, container):
        self.did.append("oom " + container)

    def send(self):
        self.did.append("send")

    def events(self, _engine):
        self.next("connect")
        return self

    def wait(self, seconds):
        return self.next("wait {0:.0f}".format(seconds))

    def close(self):
        self.did.append("close")

    def sleep(self, seconds):
        self.did.append("sleep {0}".format(seconds))

    def run(self, renewed=lambda: False):
        with contextlib.suppress(Stop):
            heal(self, self, lambda: self, self.events, self, self.lines.append, renewed)
        return self.did


def test_it_looks_at_the_beginning_when_something_happens_and_when_the_time_is_up():
    oom = {"Action": "oom", "Actor": {"ID": "x"}}
    did = World("stream", [], [oom, {"Action": "die"}]).run()
    assert did == ["connect", "turn", "send", "wait 7", "turn", "send", "wait 7", "oom x", "sleep 0.5", "turn", "send", "wait 7", "close"]


def test_an_engine_that_goes_is_waited_for_and_told_once():
    away = EngineUnavailable("no Docker engine\nanswers")
    world = World("stream", away, away, away, "stream")
    world.run()
    assert world.did == [*("connect", "turn", "send", "wait 7", "close"), *("sleep 2.0", "connect") * 3, *("turn", "send", "wait 7", "close")]
    assert world.lines == ["<5>heal: it is tried again until that is over: no Docker engine answers"]


def test_it_ends_when_its_program_is_another_one():
    answers = iter([False, False, True, True])
    assert World("stream", []).run(lambda: next(answers)) == ["connect", "turn", "send", "wait 7", "turn", "close"]
