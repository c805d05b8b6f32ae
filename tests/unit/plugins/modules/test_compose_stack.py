# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
import signal
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _compose_stack, _edge_facts, _image_facts, _lease
from ansible_collections.portside.stack.plugins.modules import compose_stack
from fake_engine import FakeEngine
from module_runner import run_module


class Host:
    """A host with an engine, and a docker command whose `compose up` makes containers as told."""

    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory
        self.commands, self.fates, self.judged = [], {}, None
        self.pull, self.config = (0, "", ""), (0, "", "")
        # At which command a signal comes; how they are handled.
        self.signals, self.handlers = [], {}

    def run(self, argv, data):
        self.commands.append(argv)
        if self.signals and len(self.commands) == self.signals[0]:
            self.handlers[signal.SIGTERM](signal.SIGTERM, None)
        if "pull" in argv and "docker" in argv[:4]:
            if not self.pull[0]:
                self.engine.images.update({argv[-1]: "sha256:new", "sha256:new": "sha256:new"})
            return self.pull
        if "config" in argv:
            self.judged = json.loads(data)
            return self.config
        name = argv[-1]
        fate = self.fates.get(name, {})
        if isinstance(fate, list):
            fate = fate.pop(0) if len(fate) > 1 else fate[0]
        fate = dict(fate)
        if "restart" in fate:
            self.engine.restart(fate.pop("restart"))
        if "error" in fate:
            return 1, "", fate["error"]
        containers = self.engine.containers
        for key in [key for key, one in containers.items() if one["Name"] == "/demo-{0}-1".format(name)]:
            if "--force-recreate" in argv:
                del containers[key]
            else:
                containers[key]["State"]["Status"] = "running"
                return 0, "", ""
        body = json.loads(pathlib.Path(argv[argv.index("-f") + 1]).read_text())["services"][name]
        self.engine.add(name, body["labels"]["portside.digest"], image=body["image"], **fate)
        return 0, "", ""

    @property
    def acted(self):
        return [(argv[-1], argv[-2]) for argv in self.commands if "up" in argv]


class Clock:
    now = 1600000000.0

    @classmethod
    def monotonic(cls):
        return cls.now

    time = monotonic

    @classmethod
    def sleep(cls, seconds):
        # A real pause lets the worker threads do their part.
        cls.now += seconds
        time.sleep(0.01)


@pytest.fixture
def host(tmp_path, monkeypatch, run_directory):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        made = Host(engine, tmp_path)
        client = compose_stack.EngineClient
        monkeypatch.setattr(compose_stack, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(compose_stack, "detached", lambda *_arguments: made.run)
        monkeypatch.setattr(compose_stack, "time", Clock)
        monkeypatch.setattr(compose_stack, "listeners", list)
        monkeypatch.setattr(compose_stack.signal, "signal", made.handlers.__setitem__)
        yield made


@pytest.fixture
def stack(host, capsys):
    def call(services, state="present", check=False, diff=False, **options):
        definition = document(services)
        file = host.directory / "compose.yaml"
        file.write_text(json.dumps(definition))
        arguments = dict(
            {"definition": definition, "file": str(file), "project_directory": str(host.directory), "state": state},
            **options,
        )
        return run_module(compose_stack.main, capsys, arguments, check, diff).result

    return call


def document(services):
    bodies = {
        name: dict({"image": "example/app:1", "labels": {"portside.digest": "d-" + name}}, **keys)
        for name, keys in services.items()
    }
    outside = {"name": "demo_default", "external": True}
    return {
        "name": "demo",
        "services": bodies,
        "networks": {"default": outside},
        "volumes": {"data": {"name": "demo_data", "external": True}},
        "x-portside": {"networks": {"demo_default": {"driver": "bridge"}}, "volumes": {"demo_data": {}}},
    }


SERVICES = {
    "db": {"volumes": ["data:/var/lib/db"]},
    "migrate": {"restart": "no", "depends_on": {"db": {"condition": "service_started"}}},
    "api": {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
}
EXITED = {"state": "exited"}


def actions(result):
    return [(action["service"], action["action"]) for action in result["actions"]]


@pytest.fixture
def converged(host, stack):
    host.fates["migrate"] = EXITED
    assert stack(SERVICES)["changed"]
    host.commands.clear()
    host.engine.requests.clear()
    return host


def test_what_the_image_of_the_edge_says_is_among_the_facts(host, capsys, monkeypatch):
    definition = document({"api": {}, "edge": {"image": "nginx:1"}})
    definition["x-portside"].update(edge={"service": "edge", "kind": "nginx"}, secret_environment=["edge"])
    host.engine.images.update({"example/app:1": "sha256:1", "nginx:1": "sha256:2", "sha256:2": {"Id": "sha256:2", "Config": {}}})
    monkeypatch.setattr(_image_facts, "look_inside", lambda *_: _image_facts.Inside("", "", True))
    said = ["nginx version: nginx/1.28.0", "built with OpenSSL 3.0.1"]
    monkeypatch.setattr(_edge_facts, "run_once", lambda *_given, **_keys: (0, said))

    def pulled():
        arguments = {"definition": definition, "project_directory": str(host.directory), "state": "pulled"}
        return run_module(compose_stack.main, capsys, arguments)

    found = pulled()["image_facts"]["edge"]
    assert (found["nginx"], found["openssl"], found["uid"], found["entrypoint"]) == ("1.28.0", "3.0.1", 0, [])
    said.clear()
    assert "service edge: image nginx:1 has no nginx that says its version" in pulled()["msg"]


def test_everything_is_created_in_order(host, stack):
    host.fates["migrate"] = EXITED
    result = stack(SERVICES)
    assert actions(result) == [("db", "create"), ("migrate", "run"), ("api", "create")]
    assert host.acted == [("db", "--no-recreate"), ("migrate", "--force-recreate"), ("api", "--no-recreate")]
    assert host.engine.networks["demo_default"]["Labels"] == {"portside.stack": "demo"}
    assert host.engine.volumes["demo_data"]["Labels"] == {"portside.stack": "demo", "portside.service": "db"}
    ledger = json.loads((host.directory / "oneshots.json").read_text())
    image = ledger["migrate"]["done"]["d-migrate"].pop("image")
    assert image.startswith("sha256:")
    assert ledger == {"migrate": {"done": {"d-migrate": {"exit_code": 0, "finished": "then"}}}}
    assert {name: state["state"] for name, state in result["services"].items()} == {
        "db": "running",
        "migrate": "completed",
        "api": "running",
    }
    assert any("migrate: run (has not run yet)" in line for line in result["progress"])


def test_compose_is_given_one_service_and_nothing_that_deletes(host, stack):
    stack({"db": {}})
    (argv,) = host.commands
    assert argv[:2] == ["docker", "compose"]
    assert argv[argv.index("-f") + 1] == str(host.directory / "compose.yaml")
    assert argv[argv.index("--project-directory") + 1] == str(host.directory)
    assert argv[argv.index("--pull") + 1] == "never"
    assert {"-d", "--no-deps", "--no-build"} <= set(argv)
    assert not {"-y", "--remove-orphans", "-V", "--renew-anon-volumes"} & set(argv)


def test_a_second_run_starts_no_process_and_asks_only(converged, stack):
    result = stack(SERVICES)
    assert not result["changed"]
    assert converged.commands == []
    assert {request.split()[0] for request in converged.engine.requests} == {"GET"}
    assert "progress" not in result


def test_a_pruned_one_shot_is_not_run_again(converged, stack):
    containers = converged.engine.containers
    for key in [key for key, one in containers.items() if one["State"]["Status"] == "exited"]:
        del containers[key]
    assert not stack(SERVICES)["changed"]


@pytest.mark.parametrize("pruned", [True, False])
def test_a_new_volume_runs_one_shots_again(converged, stack, pruned):
    converged.engine.volumes.clear()
    for key, one in list(converged.engine.containers.items()):
        if pruned and one["State"]["Status"] == "exited":
            del converged.engine.containers[key]
    assert actions(stack(SERVICES)) == [("migrate", "run")]


def test_a_new_volume_undoes_the_steps_that_worked_on_it(converged, stack):
    home = converged.directory / "releases" / ("1" * 16)
    (home / "state").mkdir(parents=True)
    steps = [{"name": "seed", "service": "api"}, {"name": "mail", "service": "mail"}]
    services = dict(SERVICES, mail={})
    (home / "release.json").write_text(json.dumps({"definition": document(services), "steps": steps}))
    ledger = home / "state" / "steps.json"
    ledger.write_text(json.dumps([{"step": one["name"], "started": "t"} for one in steps]))
    stack(services)
    assert not any("undone" in entry for entry in json.loads(ledger.read_text()))
    converged.engine.volumes.clear()
    stack(services)
    assert [bool(entry.get("undone")) for entry in json.loads(ledger.read_text())] == [True, False]


def test_only_what_differs_is_acted_on(converged, stack):
    before = set(converged.engine.containers)
    services = dict(SERVICES, api=dict(SERVICES["api"], labels={"portside.digest": "new"}))
    result = stack(services, diff=True)
    assert actions(result) == [("api", "recreate")]
    assert converged.acted == [("api", "--force-recreate")]
    assert len(before - set(converged.engine.containers)) == 1
    assert result["diff"] == {
        "before": "api: running, image example/app:1\n",
        "after": "api: recreated (its definition changed)\n",
    }


def test_check_mode_tells_the_same_and_touches_nothing(converged, stack):
    services = dict(SERVICES, api=dict(SERVICES["api"], labels={"portside.digest": "new"}))
    result = stack(services, check=True)
    assert result["changed"]
    assert actions(result) == [("api", "recreate")]
    assert converged.commands == []
    assert {request.split()[0] for request in converged.engine.requests} == {"GET"}


def test_an_orphan_is_removed_through_the_engine(converged, stack):
    services = {name: body for name, body in SERVICES.items() if name != "api"}
    assert actions(stack(services)) == [("api", "remove")]
    assert converged.commands == []
    assert not [key for key in converged.engine.containers if key.startswith("api")]


def test_a_container_that_a_person_runs_once_is_left_alone(converged, stack):
    converged.engine.add("api", "", labels={"com.docker.compose.oneoff": "True"})
    assert not stack(SERVICES)["changed"]


def test_a_failed_one_shot_ends_it_with_its_last_words(host, stack):
    host.fates["migrate"] = dict(EXITED, status={"ExitCode": 3})
    host.engine.logs = b"no such column\n"
    result = stack(SERVICES)
    assert result["failed"]
    assert result["msg"].startswith("stack demo: service migrate did not complete: exited with code 3.\n")
    assert "  no such column\nRemedy: " in result["msg"]
    assert "This run had also acted on db (create); all other services were left as they were." in result["msg"]
    assert result["failure"] == {
        "service": "migrate",
        "reason": "did not complete: exited with code 3",
        "logs": ["no such column"],
        "health": "",
    }
    assert actions(result) == [("db", "create"), ("migrate", "run")]
    assert not (host.directory / "oneshots.json").exists()


def test_a_failure_owns_up_to_a_service_that_had_to_make_room(converged, stack):
    held = {"80/tcp": [{"HostIp": "", "HostPort": "8000"}]}
    next(one for one in converged.engine.containers.values() if one["Name"] == "/demo-api-1")["HostConfig"] = {"PortBindings": held}
    converged.fates["db"] = {"error": "no"}
    port = {"target": 80, "published": "8000", "protocol": "tcp"}
    changed = {
        **SERVICES,
        "db": {**SERVICES["db"], "ports": [port], "labels": {"portside.digest": "new"}},
        "api": {"depends_on": {"db": {"condition": "service_started"}}, "labels": {"portside.digest": "new"}},
    }
    result = stack(changed)
    assert result["failure"]["service"] == "db"
    assert "acted on api (recreate)" in result["msg"]
    assert ("api", "recreate") in actions(result)


def test_an_unhealthy_service_ends_it_with_its_last_probe(host, stack):
    log = [{"ExitCode": 7, "Output": "curl: (7) refused"}]
    host.fates["db"] = {"status": {"Health": {"Status": "unhealthy", "FailingStreak": 5, "Log": log}}}
    result = stack({"db": {}})
    assert "never became healthy: unhealthy after 5 failed probes" in result["msg"]
    assert "Last probe: exit 7: curl: (7) refused\nIt wrote no log lines." in result["msg"]
    assert result["failure"]["health"] == "exit 7: curl: (7) refused"


def test_what_compose_says_is_in_the_error_without_its_progress(host, stack):
    host.fates["db"] = {"error": " Container demo-db-1  Creating\nError response from daemon: No such image: x\n"}
    result = stack({"db": {}})
    assert "stack demo: service db could not be started.\ndocker compose said:\n  Error response" in result["msg"]
    assert "Creating" not in result["msg"]


def test_no_secret_of_the_stack_is_in_what_a_failure_quotes(host, stack):
    (host.directory / "secrets" / "pw").mkdir(parents=True)
    (host.directory / "secrets" / "pw" / "1").write_text("hunter2 /")
    host.engine.logs = b"cannot log in with hunter2 /\nto postgresql://u:hunter2%20%2F@db\n"
    log = [{"ExitCode": 7, "Output": "refused hunter2 /"}]
    host.fates["db"] = {"status": {"Health": {"Status": "unhealthy", "FailingStreak": 5, "Log": log}}}
    result = stack({"db": {}})
    assert result["failure"]["logs"] == ["cannot log in with [secret pw]", "to postgresql://u:[secret pw]@db"]
    assert result["failure"]["health"] == "exit 7: refused [secret pw]" and "hunter2" not in json.dumps(result)
    host.fates["db"] = {"error": "Error response from daemon: hunter2 / is no such image\n"}
    assert "daemon: [secret pw] is no such image" in stack({"other": {}, "db": {"labels": {"portside.digest": "new"}}})["msg"]


def test_a_missing_file_is_told_before_anything_is_touched(host, stack):
    result = stack({"db": {}}, file=str(host.directory / "nowhere.yaml"))
    assert "nowhere.yaml does not exist. Remedy" in result["msg"]
    assert host.engine.networks == {}


def test_a_network_that_differs_is_never_altered(host, stack):
    host.engine.networks["demo_default"] = {"Driver": "overlay"}
    result = stack({"db": {}})
    assert "network demo_default: driver is 'overlay' on the host, 'bridge' is declared" in result["msg"]
    assert host.commands == []


def test_pulled_pulls_what_is_missing_and_touches_nothing_else(host, stack):
    host.engine.images.update({"example/app:1": "sha256:1", "sha256:1": "sha256:1"})
    services = {"db": {}, "api": {"image": "example/api:2"}, "worker": {"image": "example/api:2"}}
    result = stack(services, "pulled")
    assert result["pulled"] == ["example/api:2"]
    assert result["images"] == {"example/app:1": "sha256:1", "example/api:2": "sha256:new"}
    assert result["current"] == ""
    assert result["actions"] == []
    assert [argv[-1] for argv in host.commands if "pull" in argv] == ["example/api:2"]
    assert {request.split()[0] for request in host.engine.requests} == {"GET"}
    assert not stack(services, "pulled")["changed"]


def test_pulled_tells_all_problems_at_once(host, stack, monkeypatch):
    from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

    monkeypatch.setattr(compose_stack, "listeners", lambda: [Listener("tcp", "0.0.0.0", 80, "1", 7, "nginx")])
    host.pull = (1, "", "Error response from daemon: manifest unknown\n")
    host.config = (15, "", "services.db Additional property x is not allowed\n")
    result = stack({"db": {"ports": [{"target": 80, "published": "80"}]}}, "pulled")
    refused, port, image = result["msg"].splitlines()
    assert refused.startswith("stack demo: Compose refuses the document: services.db Additional property x")
    assert "service db: port 80/tcp on all addresses is held by the process nginx (pid 7)" in port
    assert "service db: image example/app:1 is not to be had: manifest unknown. Remedy" in image


@pytest.fixture(name="wrapped")
def wrapped_fixture(host, capsys, monkeypatch):
    """Judges a stack whose service api has variables that are secrets."""
    image = {"Id": "sha256:1", "Config": {"Cmd": ["serve"], "User": "7:8"}}
    host.engine.images.update({"example/app:1": image, "sha256:1": image})
    monkeypatch.setattr(_image_facts, "look_inside", lambda *_: _image_facts.Inside("", "", host.shell))
    host.shell = True

    def call(check=False, **options):
        definition = document({"api": {"env_file": ["/not/yet"]}, "db": {}})
        definition["x-portside"]["secret_environment"] = ["api"]
        arguments = {"definition": definition, "project_directory": str(host.directory), "state": "pulled", **options}
        return run_module(compose_stack.main, capsys, arguments, check).result

    return call


def test_pulled_tells_what_the_images_of_wrapped_services_run(host, wrapped):
    found = wrapped()["image_facts"]
    assert list(found) == ["api"]
    assert (found["api"]["image"], found["api"]["command"], found["api"]["uid"], found["api"]["gid"]) == ("sha256:1", ["serve"], 7, 8)
    assert wrapped(check=True)["image_facts"] == found
    host.engine.images.clear()
    assert wrapped(check=True)["image_facts"] == {}


def test_what_the_current_release_knows_of_an_image_holds_on(host, wrapped, releases):
    known = {"image": "sha256:1", "user": "", "command": ["known"]}
    releases(OLD, _0=SERVICES)
    record = host.directory / "releases" / OLD / "release.json"
    record.write_text(json.dumps(dict(json.loads(record.read_text()), image_facts={"api": known})))
    assert wrapped()["image_facts"] == {"api": known}


def test_an_image_without_a_shell_is_refused_before_anything_is_touched(host, wrapped):
    host.shell = False
    host.config = (1, "", "no")
    refused, shell = wrapped()["msg"].splitlines()
    assert "Compose refuses" in refused
    assert shell.startswith("stack demo: service api: image example/app:1 has no /bin/sh")


def test_compose_judges_a_document_without_the_files_that_are_written_later(host, wrapped):
    wrapped()
    assert list(host.judged["services"]) == ["api", "db"]
    assert "env_file" not in host.judged["services"]["api"]


def test_a_first_release_does_not_take_the_place_of_what_it_could_not_bring_back(host, stack, releases):
    host.engine.add("db", "")
    refused = stack({"db": {}}, "pulled")
    assert "demo-db-1" in refused["msg"] and "docker compose -p demo down" in refused["msg"]
    assert set(host.engine.containers) == {"db-1"} and not [argv for argv in host.commands if "up" in argv]
    releases(OLD, _0={"db": {}})
    assert "msg" not in stack({"db": {}}, "pulled"), "a release is there to come back"


def test_without_a_release_to_bring_back_a_deploy_is_refused_and_a_rollback_is_not(host, stack, releases, activate):
    releases(_0={"db": {}}, _1={"db": {}})
    assert "msg" not in stack({"db": {}}, "pulled"), "none was ever verified: the first one is still to come"
    state = host.directory / "releases" / OLD / "state"
    state.mkdir()
    (state / "verified.json").write_text('{"verified": "2026-11-21T11:32:34Z", "schema": {}}')
    gone = stack({"db": {}}, "pulled")["msg"]
    assert "current is gone" in gone and "ln -sfn releases/{0} {1}/current".format(OLD, host.directory) in gone
    assert "msg" not in activate(OLD, "pulled").result
    (host.directory / "current").symlink_to("releases/" + NEW)
    assert "msg" not in stack({"db": {}}, "pulled")
    (host.directory / "releases" / NEW / "release.json").unlink()
    damaged = stack({"db": {}}, "pulled")["msg"]
    assert NEW in damaged and "release.json" in damaged and "ln -sfn releases/" + OLD in damaged


GIB = 2**30


def reserving(memory, cpus="0.5"):
    return {"image": "sha256:1", "deploy": {"resources": {"reservations": {"memory": memory, "cpus": cpus}, "limits": {"memory": "8G"}}}}


@pytest.fixture(name="server")
def server_fixture(host, capsys):
    """A host of 4 GiB and 2 CPUs, on which another stack reserves 2 GiB, and a stack that is to come to it."""
    host.engine.memory = 4 * GIB
    host.engine.images["sha256:1"] = {"Id": "sha256:1"}
    host.current = host.directory / "stacks" / "other"
    release = host.current / "releases" / OLD
    release.mkdir(parents=True)
    (release / "release.json").write_text(json.dumps({"definition": dict(document({"search": reserving("2G", "1")}), name="other")}))
    (host.current / "current").symlink_to("releases/" + OLD)

    def pulled(services, check=False, **options):
        arguments = {"definition": document(services), "project_directory": str(host.directory / "stacks" / "demo"), "state": "pulled", **options}
        return run_module(compose_stack.main, capsys, arguments, check)

    host.pulled = pulled
    return host


@pytest.mark.parametrize("check", [False, True])
def test_more_memory_than_the_host_has_is_refused_before_anything_is_touched(server, check):
    server.engine.images.clear()
    told = server.pulled({"db": reserving("1.5G"), "api": reserving("128M")}, check)["msg"]
    assert "come to 3.6 GiB (demo 1.6 GiB, other 2.0 GiB), and it has 4.0 GiB, of which 512 MiB stay free" in told
    assert "The biggest: search of other 2.0 GiB, db of demo 1.5 GiB, api of demo 128 MiB." in told
    server.engine.images["sha256:1"] = {"Id": "sha256:1"}
    assert not server.pulled({"db": reserving("1.5G")}, check).result.get("failed")
    assert "stay free" in server.pulled({"db": reserving("1.5G")}, check, memory_headroom="600M")["msg"]


def test_what_a_stack_of_this_run_reserves_counts_and_not_what_its_release_did(server):
    declared = {"demo": [], "new": [{"service": "web", "replicas": 2, "memory": GIB, "cpus": 0.1}]}
    assert "(demo 2.0 GiB, other 2.0 GiB)" in server.pulled({"db": reserving("2G")})["msg"]
    assert "(new 2.0 GiB, other 2.0 GiB)" in server.pulled({"db": reserving("2G")}, reserved=declared)["msg"]
    assert not server.pulled({"db": reserving("2G")}, reserved=dict(declared, other=[])).result.get("failed")


def test_more_processors_than_the_host_has_and_limits_above_its_memory_are_warned_of(server):
    outcome = server.pulled({"db": reserving("64M", "1.5")})
    assert not outcome.result.get("failed")
    limit, cpus = outcome.warnings
    assert "service db: its memory limit 8G is above all that host" in limit
    assert "come to 2.5 (demo 1.5, other 1), and it has 2. It goes on" in cpus
    assert len(server.pulled({"db": reserving("64M", "1")}).warnings) == 1


def test_a_stack_of_which_nothing_can_be_read_is_told(server):
    (server.current / "releases" / OLD / "release.json").unlink()
    outcome = server.pulled({"db": reserving("3G")})
    assert not outcome.result.get("failed")
    assert "what stack other reserves on host" in outcome.warnings[-1]


def test_going_back_to_a_release_is_never_refused_for_what_it_reserves(server):
    directory = server.directory / "stacks" / "demo" / "releases" / NEW
    directory.mkdir(parents=True)
    (directory / "release.json").write_text(json.dumps({"definition": document({"db": reserving("64G", "9")}), "images": {}}))
    outcome = server.pulled({}, definition=None, release=NEW)
    assert not outcome.result.get("failed") and outcome.warnings == []


def test_without_an_engine_a_plan_judges_by_the_kernel(server, monkeypatch):
    client = compose_stack.EngineClient()
    client._path = str(server.directory / "nowhere.sock")
    monkeypatch.setattr(compose_stack, "EngineClient", lambda: client)
    monkeypatch.setattr(compose_stack.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(compose_stack.FileSystem, "read", lambda _self, _path: b"MemFree:  1 kB\nMemTotal:        3145728 kB\n")
    assert "and it has 3.0 GiB" in server.pulled({"db": reserving("1G")}, check=True)["msg"]
    assert any("and it has 1. It goes on" in told for told in server.pulled({"db": reserving("64M")}, check=True).warnings)


def test_a_headroom_that_is_no_size_is_refused(server):
    assert "memory_headroom: value 'much' is not a size" in server.pulled({"db": {}}, memory_headroom="much")["msg"]


def test_pulled_in_check_mode_pulls_nothing(host, stack):
    result = stack({"db": {}}, "pulled", check=True)
    assert result["pulled"] == ["example/app:1"]
    assert result["images"] == {}
    assert not [argv for argv in host.commands if "pull" in argv]


def test_absent_keeps_volumes_and_forgets_one_shots(converged, stack):
    result = stack(SERVICES, "absent")
    assert result["changed"]
    assert (converged.engine.containers, converged.engine.networks) == ({}, {})
    assert list(converged.engine.volumes) == ["demo_data"]
    assert not (converged.directory / "oneshots.json").exists()
    assert [action["service"] for action in result["actions"]] == ["api", "migrate", "db", ""]
    assert not stack(SERVICES, "absent")["changed"]


def test_the_firewall_lets_in_a_release_before_it_comes_up_and_forgets_one_that_goes(host, stack, monkeypatch):
    told = []
    monkeypatch.setattr(_compose_stack.Firewall, "activate", lambda self, name, definition: told.append((name, len(host.acted))) or "")
    monkeypatch.setattr(_compose_stack.Firewall, "activated", lambda self, name: told.append((name, "no more")) or "")
    host.fates["migrate"] = EXITED
    stack(SERVICES)
    assert told == [("demo", 0)] and host.acted
    # What changes nothing announces nothing.
    stack(SERVICES)
    assert told == [("demo", 0)]
    stack(SERVICES, "absent", check=True)
    assert told == [("demo", 0)]
    stack(SERVICES, "absent")
    assert told == [("demo", 0), ("demo", "no more")]


def test_absent_in_check_mode_tells_and_keeps(converged, stack):
    assert len(stack(SERVICES, "absent", check=True)["actions"]) == 4
    assert len(converged.engine.containers) == 3


def test_absent_names_who_still_uses_a_network(converged, stack):
    converged.engine.networks["demo_default"]["Containers"] = {"x": {"Name": "blog"}}
    assert "(attached: blog). Remedy" in stack(SERVICES, "absent")["msg"]


@pytest.mark.parametrize("state", ["pulled", "present", "absent"])
def test_check_mode_without_docker_tells_the_plan(host, stack, monkeypatch, state):
    client = compose_stack.EngineClient()
    client._path = str(host.directory / "nowhere.sock")
    monkeypatch.setattr(compose_stack, "EngineClient", lambda: client)
    result = stack(SERVICES, state, check=True)
    assert not result.get("failed")
    assert result["changed"] is (state != "absent")
    if state == "present":
        assert actions(result) == [("db", "create"), ("migrate", "run"), ("api", "create")]
    assert "stack demo: no Docker engine answers" in stack(SERVICES, state, wait_timeout=2)["msg"]


def test_check_mode_without_docker_judges_platforms_by_the_hosts_own_processor(host, stack, monkeypatch):
    client = compose_stack.EngineClient()
    client._path = str(host.directory / "nowhere.sock")
    monkeypatch.setattr(compose_stack, "EngineClient", lambda: client)
    own = "linux/" + compose_stack.os.uname().machine
    assert stack({"db": {"platform": own}, "api": {}}, "pulled", check=True)["pulled"] == ["example/app:1"]
    assert "is wanted for" in stack({"db": {"platform": "linux/s390x"}, "api": {}}, "pulled", check=True)["msg"]


def test_the_lease_lasts_as_long_as_all_pulls_may(host, stack, monkeypatch):
    lock = _lease.StackLock("demo", Clock.time)
    lock.acquire({"who": "ann", "origin": "laptop", "pid": 1, "started": "x"}, "deploy", "hers", 60)
    stack({name: {"image": name + ":1"} for name in "abcd"}, "pulled", lock="hers", pull_timeout=100)
    assert lock.read().expires == Clock.now + 2 * 100 + _lease.IDLE


@pytest.mark.parametrize("state", ["pulled", "present", "absent"])
def test_another_run_keeps_it_out(host, stack, state):
    lock = _lease.StackLock("demo", Clock.time)
    lock.acquire({"who": "ann", "origin": "laptop", "pid": 1, "started": "x"}, "deploy", "hers", 600)
    refused = stack(SERVICES, state)
    assert "ann@laptop" in refused["msg"]
    assert (host.commands, host.engine.requests) == ([], [])
    assert not stack(SERVICES, state, check=True).get("failed")
    with lock.work("hers", "verify", 60):
        assert "another run is working on it" in stack(SERVICES, state, lock="hers")["msg"]


def test_its_time_and_outcome_are_noted_in_the_lease(host, stack):
    lock = _lease.StackLock("demo", Clock.time)
    lock.acquire({"who": "ann", "origin": "laptop", "pid": 1, "started": "x"}, "deploy", "hers", 600)
    stack({"db": {}}, "pulled", lock="hers")
    stack({"db": {}}, lock="hers")
    host.fates["api"] = {"error": "no"}
    stack({"api": {}}, lock="hers")
    stack({"db": {}}, "absent", lock="hers")
    told = [(stage["stage"], stage["failed"]) for stage in lock.read().stages]
    assert told == [("images", False), ("activate", False), ("activate", True), ("remove", False)]


def test_a_broken_ledger_is_named(host, stack):
    (host.directory / "oneshots.json").write_text("[1")
    host.engine.volumes["demo_data"] = {"Driver": "local"}
    assert "oneshots.json is not what was written there" in stack(SERVICES)["msg"]


def test_an_unusable_name_is_refused(host, capsys):
    definition = dict(document({"db": {}}), name="../x")
    arguments = {"definition": definition, "project_directory": "/x", "state": "pulled"}
    assert "'../x' is not a project name" in run_module(compose_stack.main, capsys, arguments)["msg"]


# -- releases ----------------------------------------------------------------------------------------------------------

OLD, NEW = "0" * 16, "1" * 16


@pytest.fixture
def releases(host, stack):
    """Writes releases, and names one as the current one."""

    def write(current="", **definitions):
        for name, services in definitions.items():
            directory = host.directory / "releases" / (name.strip("_") * 16)
            directory.mkdir(parents=True, exist_ok=True)
            definition = document(services)
            (directory / "compose.yaml").write_text(json.dumps(definition))
            checks = [{"name": "a", "url": "http://x", "headers": {"Authorization": "Bearer s3cret", "Host": "demo.example"}}]
            record = {"format": 1, "definition": definition, "images": {"example/app:1": "sha256:1"}, "checks": checks}
            (directory / "release.json").write_text(json.dumps(record))
        if current:
            (host.directory / "current").symlink_to("releases/" + current)

    return write


@pytest.fixture
def activate(host, capsys):
    def call(release=NEW, state="present", check=False, **options):
        arguments = {"release": release, "project_directory": str(host.directory), "state": state, **options}
        return run_module(compose_stack.main, capsys, arguments, check)

    return call


def changed(services, *names, **keys):
    """The services as a next release has them: these with another digest, and other keys."""
    return {
        name: dict(body, labels={"portside.digest": "new-" + name}, **keys) if name in names else body
        for name, body in services.items()
    }


def running(host):
    """Service and digest of what runs."""
    return {
        (one["Config"]["Labels"]["com.docker.compose.service"], one["Config"]["Labels"]["portside.digest"])
        for one in host.engine.containers.values()
        if one["State"]["Status"] == "running"
    }


UNHEALTHY = {"status": {"Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": []}}}
ALL = {("db", "d-db"), ("api", "d-api")}


@pytest.fixture
def old(host, releases, activate):
    """A stack that runs its release OLD."""
    releases(OLD, _0=SERVICES)
    host.fates["migrate"] = EXITED
    assert "msg" not in activate(OLD).result
    host.commands.clear()
    host.engine.requests.clear()
    return host


def test_a_release_is_activated_from_its_own_directory(old, releases, activate):
    releases(_1=changed(SERVICES, "api", image="example/app:2"))
    outcome = activate()
    (argv,) = old.commands
    assert argv[argv.index("-f") + 1] == str(old.directory / "releases" / NEW / "compose.yaml")
    assert outcome["actions"] == [
        {"service": "api", "action": "recreate", "reason": "image example/app:1 -> example/app:2"}
    ]
    assert outcome["release"] == NEW


def test_the_headers_of_a_releases_checks_are_in_no_output(old, activate):
    assert "s3cret" not in activate(OLD).seen


def test_a_release_that_is_not_there_is_refused_except_in_check_mode_with_its_definition(old, releases, activate):
    definition = document(changed(SERVICES, "api"))
    assert "there is no release" in activate()["msg"]
    assert "there is no release" in activate(definition=definition)["msg"]
    assert "there is no release" in activate(check=True)["msg"]
    assert actions(activate(check=True, definition=definition)) == [("api", "recreate")]
    # One that is there counts.
    assert not activate(OLD, check=True, definition=definition)["changed"]


def test_the_pins_of_a_release_are_pulled_when_they_are_gone(host, releases, activate):
    pin = "example/app@sha256:" + "a" * 64
    releases(OLD, _0=SERVICES, _1={"db": {"image": pin}})
    host.engine.images[pin] = "sha256:1"
    assert activate(state="pulled").result["images"] == {pin: pin}
    del host.engine.images[pin]
    assert activate(state="pulled", check=True)["pulled"] == [pin]
    outcome = activate(state="pulled", pull_timeout=7)
    assert (outcome["pulled"], outcome["current"]) == ([pin], OLD)
    assert host.commands[-1][-1] == pin and "7" in host.commands[-1]


def test_a_reference_keeps_its_pin_of_the_current_release_until_it_is_refreshed(old, stack):
    old.engine.images.update({"example/app:1": "sha256:moved", "sha256:moved": "sha256:moved", "sha256:1": "sha256:1"})
    assert stack(SERVICES, "pulled")["images"] == {"example/app:1": "sha256:1"}
    assert stack(SERVICES, "pulled", images={"example/app:1": "sha256:moved"})["images"] == {"example/app:1": "sha256:moved"}


def start_of(host, release):
    file = host.directory / "releases" / release / "state" / "start.json"
    return json.loads(file.read_text()) if file.exists() else None


def test_how_a_release_came_up_is_recorded_with_it_and_returned(host, releases, activate):
    releases(_0=SERVICES)
    (host.directory / "releases" / OLD / "state").mkdir()
    host.fates["migrate"] = EXITED
    assert activate(OLD, check=True).result["start"] is None
    outcome = activate(OLD)
    recorded = start_of(host, OLD)
    assert outcome["start"] == recorded and recorded["recorded"].startswith("2020-09-13T12:")
    assert [(one["service"], one["action"], one["state"]) for one in recorded["services"]] == [
        ("db", "create", "running"),
        ("migrate", "run", "completed"),
        ("api", "create", "running"),
    ]
    (wait,) = recorded["services"][2]["waited_for"]
    assert (wait["service"], wait["condition"]) == ("migrate", "service_completed_successfully")
    assert 0 < wait["seconds"] == recorded["services"][2]["begun"] < recorded["services"][2]["up"] <= recorded["seconds"]
    assert outcome["start_chart"][-1].endswith("3 of 3 up")
    again = activate(OLD)
    assert (again["start"], again["start_chart"]) == (None, [])
    assert start_of(host, OLD) == recorded


def test_a_failed_start_is_recorded_too_and_tells_what_was_not_up(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    for release in (OLD, NEW):
        (old.directory / "releases" / release / "state").mkdir(exist_ok=True)
    old.fates["api"] = [UNHEALTHY, {}]
    outcome = activate(restore=True)
    assert "never became healthy" in outcome["msg"]
    (api,) = start_of(old, NEW)["services"]
    assert (api["service"], api["up"], api["state"]) == ("api", None, "unhealthy")
    assert outcome["start"] == start_of(old, NEW)
    assert outcome["start_chart"][-1].endswith("0 of 1 up; not up: api")
    assert outcome["start_chart"][-1] in outcome["progress"]
    assert [one["up"] is None for one in start_of(old, OLD)["services"]] == [False]


def test_a_record_that_cannot_be_written_fails_no_start(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    outcome = activate()
    assert "msg" not in outcome.result and outcome["start"]
    assert any("start.json" in line and "could not be written" in line for line in outcome["progress"])


def test_a_failed_activation_brings_the_whole_current_release_back(old, releases, activate):
    releases(_1={**changed(SERVICES, "db", "api"), "extra": {}})
    old.fates["api"] = [UNHEALTHY, {}]
    outcome = activate(restore=True)
    assert running(old) == ALL
    assert outcome["restored"] == OLD
    assert outcome["services"]["db"]["state"] == "running"
    story, _newline, rest = outcome["msg"].partition("\nRemedy: ")
    assert story.startswith("stack demo: service api never became healthy")
    assert rest.startswith("correct the cause and deploy again.\nRelease 0000000000000000 is active again: ")
    assert "extra (remove)" in rest and "api (recreate)" in rest and "db (recreate)" in rest
    assert "left as they were" not in rest and "docker compose" not in rest
    assert any("db: recreate (is not of the current release)" in line for line in outcome["progress"])


def test_a_restored_release_does_not_run_its_one_shots_again(old, releases, activate):
    releases(_1=changed(SERVICES, "migrate", "api"))
    old.fates["api"] = [UNHEALTHY, {}]
    assert activate(restore=True)["restored"] == OLD
    assert [name for name, _flag in old.acted] == ["migrate", "api", "api"]
    # Nor does the next deploy run the one that completed.
    assert "msg" not in activate().result
    assert [name for name, _flag in old.acted] == ["migrate", "api", "api", "api"]


def test_without_restore_everything_stays_as_the_failure_left_it(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    old.fates["api"] = UNHEALTHY
    outcome = activate()
    assert ("api", "new-api") in running(old)
    assert outcome["restored"] is None
    assert "All other services were left as they were." in outcome["msg"]


def test_a_first_release_that_fails_leaves_nothing_but_its_volumes(host, releases, activate):
    releases(_1=SERVICES)
    host.fates.update(migrate=EXITED, api=UNHEALTHY)
    outcome = activate(restore=True)
    assert (host.engine.containers, host.engine.networks) == ({}, {})
    assert list(host.engine.volumes) == ["demo_data"]
    assert outcome["restored"] == ""
    assert outcome["msg"].startswith("stack demo: service api never became healthy")
    assert outcome["msg"].endswith("Nothing of it runs any more, as there was no release before it; its volumes demo_data stay.")


def test_what_fails_before_anything_is_touched_restores_nothing(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    (old.directory / "releases" / NEW / "compose.yaml").unlink()
    outcome = activate(restore=True)
    assert outcome["restored"] is None
    assert old.commands == []


def test_a_current_release_without_a_record_cannot_be_brought_back_and_nothing_is_touched(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    (old.directory / "releases" / OLD / "release.json").unlink()
    old.fates["api"] = UNHEALTHY
    outcome = activate(restore=True)
    assert outcome["restored"] is None
    assert ("api", "new-api") in running(old)
    assert "All other services were left as they were.\nWhat served before could not be brought back: " in outcome["msg"]


def test_a_failure_of_the_current_release_itself_has_nothing_to_go_back_to(old, activate):
    key = next(key for key, one in old.engine.containers.items() if key.startswith("api"))
    del old.engine.containers[key]
    old.fates["api"] = UNHEALTHY
    outcome = activate(OLD, restore=True)
    assert outcome["restored"] is None
    assert outcome["msg"].endswith("All other services were left as they were.")


def test_when_the_restoration_fails_too_both_are_told(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    old.fates["api"] = [UNHEALTHY, {"error": "no space left"}]
    outcome = activate(restore=True)
    assert outcome["restored"] is None
    first, _newline, rest = outcome["msg"].partition("Release 0000000000000000 could not be brought back: ")
    assert "never became healthy" in first and "no space left" in rest
    assert "as they were" not in outcome["msg"]


def test_a_signal_ends_the_activation_and_brings_the_release_back(old, releases, activate):
    releases(_1=changed(SERVICES, "db", "api"))
    old.signals = [1]
    outcome = activate(restore=True)
    assert outcome["msg"].startswith("stack demo: interrupted by SIGTERM. What had begun was brought to its end.\nRelease ")
    assert outcome["restored"] == OLD
    assert running(old) == ALL
    assert [name for name, _flag in old.acted] == ["db", "db"]


def test_a_signal_does_not_disturb_the_restoration(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    old.fates["api"] = [UNHEALTHY, {}]
    old.signals = [2]
    assert activate(restore=True)["restored"] == OLD
    assert running(old) == ALL


def test_no_pull_is_begun_after_a_signal(host, stack):
    host.signals = [1]
    result = stack({"db": {}, "api": {"image": "example/api:2"}}, "pulled")
    assert "interrupted by SIGTERM" in result["msg"]
    assert not [argv for argv in host.commands if "pull" in argv]


def test_a_signal_without_restoration_leaves_it_to_the_next_run(old, releases, activate):
    releases(_1=changed(SERVICES, "db", "api"))
    old.signals = [1]
    outcome = activate()
    assert outcome["msg"].endswith("What had begun was brought to its end.\nThe next run takes up from there.")
    assert running(old) == {("db", "new-db"), ("api", "d-api")}


def test_a_ledger_that_cannot_be_written_is_a_failure_like_any_other(old, releases, activate, monkeypatch):
    from ansible_collections.portside.stack.plugins.module_utils import _compose_ledger

    def full(*_arguments):
        raise OSError(28, "No space left on device", "oneshots.json.new")

    releases(_1=changed(SERVICES, "migrate", "api"))
    monkeypatch.setattr(_compose_ledger.OneShotLedger, "_write", full)
    outcome = activate(restore=True)
    assert "oneshots.json.new: No space left on device" in outcome["msg"]
    assert outcome["restored"] == OLD
    assert running(old) == ALL


# -- the engine goes away ----------------------------------------------------------------------------------------------


def test_an_engine_that_restarts_meanwhile_is_waited_for(old, releases, activate):
    releases(_1=changed(SERVICES, "db", "api"))
    # Compose is cut off, and for a while nobody answers.
    old.fates["db"] = [{"restart": 3, "error": "error during connect: EOF"}, {}]
    outcome = activate(restore=True)
    assert "msg" not in outcome.result
    assert running(old) == {("db", "new-db"), ("api", "new-api")}
    assert [name for name, _flag in old.acted] == ["db", "db", "api"]
    assert actions(outcome) == [("db", "recreate"), ("api", "recreate")]
    assert "the engine does not answer; waits for it" in outcome["progress"]
    assert "the engine answers again" in outcome["progress"]


def test_what_the_end_of_the_engine_ended_has_not_failed(old, releases, activate):
    releases(_1=changed(SERVICES, "migrate", "api"))
    # The engine answers again at once: only the connection that was kept open tells.
    old.fates["migrate"] = [{"restart": 0, "state": "exited", "status": {"ExitCode": 143}}, EXITED]
    assert "msg" not in activate(restore=True).result
    assert [name for name, _flag in old.acted] == ["migrate", "migrate", "api"]


def test_an_engine_that_stays_away_ends_it_when_the_time_is_over(old, releases, activate):
    releases(_1=changed(SERVICES, "api"))
    old.fates["api"] = [{"restart": 10**6, "error": "Cannot connect to the Docker daemon"}]
    outcome = activate(restore=True, wait_timeout=3)
    assert outcome["msg"].startswith("stack demo: no Docker engine answers on ")
    assert "Release 0000000000000000 could not be brought back: stack demo: no Docker engine" in outcome["msg"]
    assert outcome["restored"] is None


# -- what a release step needs -----------------------------------------------------------------------------------------


@pytest.fixture
def start_missing(host):
    def call(services, *names):
        file = host.directory / "compose.yaml"
        definition = document(services)
        file.write_text(json.dumps(definition))
        params = {"definition": definition, "file": str(file), "project_directory": str(host.directory), "wait_timeout": 60}
        client = compose_stack.EngineClient()
        stack = compose_stack.StackOnHost(params, False, client, host.run, Clock, list, lambda _line: None)
        stack.start_missing(set(names))
        return [name for name, _flag in host.acted]

    return call


def test_the_first_release_gets_what_its_step_needs_and_no_more(host, start_missing):
    assert start_missing(SERVICES, "migrate") == ["db"]
    assert set(host.engine.networks) == {"demo_default"}
    assert set(host.engine.volumes) == {"demo_data"}


def test_all_that_the_file_names_is_there_before_a_step_since_compose_wants_it(host, start_missing):
    services = {**SERVICES, "other": {}}
    # The volume is db's alone, which the step does not need.
    assert start_missing(services, "other") == []
    assert "demo_data" in host.engine.volumes and "demo_default" in host.engine.networks


def test_what_runs_is_left_alone_whatever_release_it_is_of(old, start_missing):
    services = {**changed(SERVICES, "db"), "cache": {}, "pool": {"depends_on": {"cache": {"condition": "service_started"}}}}
    services["api"] = {"depends_on": {name: {"condition": "service_healthy"} for name in ("db", "pool")}}
    services["pool"]["depends_on"]["db"] = {"condition": "service_healthy"}
    # Half of a recreation that was cut off says nothing of the service.
    old.engine.add("db", "new-db", state="created")
    old.fates["pool"] = {"status": {"Health": {"Status": "healthy", "FailingStreak": 0, "Log": []}}}
    assert start_missing(services, "api") == ["cache", "pool"]
    assert ("db", "d-db") in running(old)


def test_a_one_shot_that_ever_completed_is_not_run_for_a_step(old, start_missing):
    services = changed(SERVICES, "migrate", "api")
    assert start_missing(services, "api") == []
    (old.directory / "oneshots.json").unlink()
    assert start_missing(services, "api") == ["migrate"]


def test_what_was_stopped_is_started_as_the_new_release_has_it(old, start_missing):
    next(one for key, one in old.engine.containers.items() if key.startswith("db"))["State"]["Status"] = "exited"
    assert start_missing(changed(SERVICES, "db"), "migrate") == ["db"]
    assert ("db", "new-db") in running(old)


def test_a_renamed_database_is_not_started_beside_the_old_one(old, start_missing):
    key = next(key for key in old.engine.containers if key.startswith("db"))
    old.engine.containers[key]["Mounts"] = [{"Name": "demo_data"}]
    services = {"postgres": SERVICES["db"], "api": {"depends_on": {"postgres": {"condition": "service_started"}}}}
    with pytest.raises(compose_stack.StackError, match="service db, which is not declared any more.*Remedy"):
        start_missing(services, "api")
    assert old.commands == []


def test_a_need_that_does_not_come_up_is_a_failure(host, start_missing):
    host.fates["db"] = UNHEALTHY
    with pytest.raises(compose_stack.ActivationFailed, match="service db never became healthy"):
        start_missing(SERVICES, "migrate")
