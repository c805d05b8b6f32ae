# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _progress
from ansible_collections.portside.stack.plugins.modules import compose_stack
from fake_engine import FakeEngine
from module_runner import run_module


class Host:
    """A host with an engine, and a docker command whose `compose up` makes containers as told."""

    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory
        self.commands, self.fates, self.digests = [], {}, {}
        self.pull, self.config = (0, "", ""), (0, "", "")

    def run(self, argv, _data):
        self.commands.append(argv)
        if argv[1] == "pull":
            if not self.pull[0]:
                self.engine.images[argv[-1]] = "sha256:new"
            return self.pull
        if "config" in argv:
            return self.config
        name, fate = argv[-1], dict(self.fates.get(argv[-1], {}))
        if "error" in fate:
            return 1, "", fate["error"]
        containers = self.engine.containers
        for key in [key for key, one in containers.items() if one["Name"] == "/demo-{0}-1".format(name)]:
            if "--force-recreate" in argv:
                del containers[key]
            else:
                containers[key]["State"]["Status"] = "running"
                return 0, "", ""
        self.engine.add(name, self.digests[name], **fate)
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
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(_progress.Progress.__init__, "__defaults__", (str(tmp_path / "run"),))
    with FakeEngine(tmp_path / "docker.sock") as engine:
        made = Host(engine, tmp_path)
        client = compose_stack.EngineClient
        monkeypatch.setattr(compose_stack, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(compose_stack, "runner", lambda module: made.run)
        monkeypatch.setattr(compose_stack, "time", Clock)
        monkeypatch.setattr(compose_stack, "listeners", list)
        monkeypatch.setattr(compose_stack.signal, "signal", lambda _number, _handler: None)
        yield made


@pytest.fixture
def stack(host, capsys):
    def call(services, state="present", check=False, diff=False, **options):
        definition = document(services)
        host.digests = {name: body["labels"]["portside.digest"] for name, body in definition["services"].items()}
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


def test_everything_is_created_in_order(host, stack):
    host.fates["migrate"] = EXITED
    result = stack(SERVICES)
    assert actions(result) == [("db", "create"), ("migrate", "run"), ("api", "create")]
    assert host.acted == [("db", "--no-recreate"), ("migrate", "--force-recreate"), ("api", "--no-recreate")]
    assert host.engine.networks["demo_default"]["Labels"] == {"portside.stack": "demo"}
    assert host.engine.volumes["demo_data"]["Labels"] == {"portside.stack": "demo"}
    ledger = json.loads((host.directory / "oneshots.json").read_text())
    image = ledger["migrate"].pop("image")
    assert image.startswith("sha256:")
    assert ledger == {"migrate": {"digest": "d-migrate", "exit_code": 0, "finished": "then"}}
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


def test_only_what_differs_is_acted_on(converged, stack):
    before = set(converged.engine.containers)
    services = dict(SERVICES, api=dict(SERVICES["api"], labels={"portside.digest": "new"}))
    result = stack(services, diff=True)
    assert actions(result) == [("api", "recreate")]
    assert converged.acted == [("api", "--force-recreate")]
    assert len(before - set(converged.engine.containers)) == 1
    assert result["diff"] == {
        "before": "api: running, image example/app:1, digest d-api\n",
        "after": "api: running, image example/app:1, digest new\n",
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
    host.engine.images["example/app:1"] = "sha256:1"
    services = {"db": {}, "api": {"image": "example/api:2"}, "worker": {"image": "example/api:2"}}
    result = stack(services, "pulled")
    assert result["pulled"] == ["example/api:2"]
    assert [argv[-1] for argv in host.commands if argv[1] == "pull"] == ["example/api:2"]
    assert {request.split()[0] for request in host.engine.requests} == {"GET"}
    assert not stack(services, "pulled")["changed"]


def test_pulled_with_refresh_reports_only_what_is_new(host, stack):
    host.engine.images["example/app:1"] = "sha256:new"
    result = stack({"db": {}}, "pulled", refresh=True)
    assert [argv[-1] for argv in host.commands if argv[1] == "pull"] == ["example/app:1"]
    assert not result["changed"]
    host.engine.images["example/app:1"] = "sha256:old"
    assert stack({"db": {}}, "pulled", refresh=True)["pulled"] == ["example/app:1"]


def test_present_with_refresh_follows_a_moved_tag(converged, stack):
    converged.engine.images["example/app:1"] = "sha256:new"
    assert not stack(SERVICES)["changed"]
    assert actions(stack(SERVICES, refresh=True, check=True)) == [("db", "recreate"), ("migrate", "run"), ("api", "recreate")]


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


def test_pulled_in_check_mode_pulls_nothing(host, stack):
    result = stack({"db": {}}, "pulled", check=True)
    assert result["pulled"] == ["example/app:1"]
    assert not [argv for argv in host.commands if argv[1] == "pull"]


def test_absent_keeps_volumes_and_forgets_one_shots(converged, stack):
    result = stack(SERVICES, "absent")
    assert result["changed"]
    assert (converged.engine.containers, converged.engine.networks) == ({}, {})
    assert list(converged.engine.volumes) == ["demo_data"]
    assert not (converged.directory / "oneshots.json").exists()
    assert [action["service"] for action in result["actions"]] == ["api", "migrate", "db", ""]
    assert not stack(SERVICES, "absent")["changed"]


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
    if state != "absent":
        assert actions(result) == [("db", "create"), ("migrate", "run"), ("api", "create")]
    assert "stack demo: no Docker engine answers" in stack(SERVICES, state)["msg"]


def test_a_second_run_is_kept_out(host, stack):
    with_lock = _progress.Progress("demo", str(host.directory / "run"))
    assert "another run is working on it" in stack(SERVICES)["msg"]
    with_lock.close()
    assert "msg" not in stack({"db": {}})


def test_a_broken_ledger_is_named(host, stack):
    (host.directory / "oneshots.json").write_text("[1")
    host.engine.volumes["demo_data"] = {"Driver": "local"}
    assert "oneshots.json is not what was written there" in stack(SERVICES)["msg"]


def test_an_unusable_name_is_refused(host, capsys):
    definition = dict(document({"db": {}}), name="../x")
    arguments = {"definition": definition, "project_directory": "/x", "state": "pulled"}
    assert "'../x' is not a project name" in run_module(compose_stack.main, capsys, arguments)["msg"]
