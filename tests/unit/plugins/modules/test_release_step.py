# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import signal
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _lease
from ansible_collections.portside.stack.plugins.modules import release_step
from fake_engine import FakeEngine
from module_runner import run_module

OLD, NEW = "0" * 16, "1" * 16
STEP = {"name": "migrate", "service": "api", "command": ["manage", "migrate"], "when": "before", "timeout": 60}
DEFINITION = {
    "name": "demo",
    "services": {
        "api": {
            "image": "example/api:1",
            "labels": {"portside.digest": "d-api"},
            "depends_on": {"db": {"condition": "service_started"}},
        },
        "db": {"image": "postgres:17", "labels": {"portside.digest": "d-db"}},
    },
}


class Host:
    """A host with a database and a docker command that runs one-off containers as told.

    A fate is the exit code and how many seconds it takes; ``does`` is what the container does to the schema.
    """

    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory / "demo"
        self.now, self.due, self.handlers = 1600000000.0, {}, {}
        self.schema, self.fates, self.refused, self.ran, self.dumps = "CREATE TABLE a ();", {}, {}, [], []
        self.out_of_memory = False
        self.interrupt_at, self.kill_at, self.restart_at = None, None, None
        database = engine.add("db", "d-db", status={"StartedAt": "2020-01-01T00:00:00Z"})
        engine.containers[database]["Config"]["Env"] = ["PGDATA=/data"]
        for release in (OLD, NEW):
            home = self.directory / "releases" / release
            home.mkdir(parents=True)
            (home / "compose.yaml").write_text(json.dumps(DEFINITION))
            (home / "release.json").write_text(json.dumps({"definition": DEFINITION, "steps": [], "stack": "demo"}))

    # the clock
    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds
        for name, (code, when) in list(self.due.items()):
            if self.now >= when and name in self.engine.containers:
                self.engine.containers[name]["State"].update(Status="exited", ExitCode=code)
        if self.restart_at and self.now >= self.restart_at:
            self.restart_at = None
            for name in self.due:
                self.engine.containers[name]["State"].update(Status="exited", ExitCode=137)
            self.engine.away = 3
        if self.interrupt_at and self.now >= self.interrupt_at:
            self.handlers[signal.SIGTERM](signal.SIGTERM, None)
        if self.kill_at and self.now >= self.kill_at:
            raise KeyboardInterrupt

    # the docker command
    def run(self, argv, data):
        if argv[:2] == ["docker", "exec"]:
            return (0, self.schema, "") if data else (0, "shop\nshop\n", "")
        if argv[0] == "timeout":
            return self.dump(argv)
        if argv[:2] == ["docker", "logs"]:
            return 0, self.engine.logs_of.get(argv[2], "said"), ""
        assert "run" in argv, argv
        name = argv[argv.index("--name") + 1]
        command = argv[argv.index("--name") + 1 :]
        command = command[command.index("api") + 1 :]
        self.ran.append(command)
        if command[-1] in self.refused:
            return 1, "", self.refused[command[-1]]
        code, seconds, does = self.fates.get(command[-1], (0, 1, None))
        if does:
            self.schema = does
        labels = dict(word.split("=", 1) for flag, word in zip(argv, argv[1:]) if flag == "--label")
        self.container(name, labels, code, seconds)
        return 0, "", ""

    def container(self, name, labels, code, seconds, state="running"):
        made = self.engine.containers.pop(
            self.engine.add("api", "d-api", state=state, labels={"com.docker.compose.oneoff": "True", **labels})
        )
        self.engine.containers[name] = dict(made, Id=name, Name="/" + name)
        made["State"]["OOMKilled"] = self.out_of_memory
        made["State"]["StartedAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now))
        self.due[name] = (code, self.now + seconds)

    def dump(self, argv):
        self.dumps.append(argv)
        file = next(word for word in argv if word.endswith(".dump.new"))
        if self.fates.get("dump"):
            return self.fates["dump"], "", "no space left on device"
        open(file, "w").write(self.schema)
        return 0, "", ""

    def ledger(self, release=NEW):
        file = self.directory / "releases" / release / "state" / "steps.json"
        return json.loads(file.read_text()) if file.exists() else []

    @property
    def left(self):
        return sorted(name for name in self.engine.containers if "-step-" in name)


@pytest.fixture
def host(tmp_path, monkeypatch, run_directory):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        engine.logs, engine.logs_of = b"one\ntwo\n", {}
        made = Host(engine, tmp_path)
        client = release_step.EngineClient
        monkeypatch.setattr(release_step, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(release_step, "detached", lambda *_arguments: made.run)
        monkeypatch.setattr(release_step, "time", made)
        monkeypatch.setattr(release_step, "listeners", list)
        monkeypatch.setattr(release_step.signal, "signal", made.handlers.__setitem__)
        yield made


@pytest.fixture
def run(host, capsys):
    def call(*steps, check=False, diff=False, release=NEW, when="before", **options):
        arguments = {"directory": str(host.directory), "release": release, "when": when, "steps": list(steps) or [STEP]}
        return run_module(release_step.main, capsys, dict(arguments, **options), check, diff).result

    return call


def step(**keys):
    return dict(STEP, **keys)


def actions(result):
    return [(one["name"], one["action"]) for one in result["steps"]]


def test_a_step_runs_once_and_leaves_nothing_but_its_entry(host, run):
    result = run()
    assert result["changed"]
    assert result["steps"][0]["exit_code"] == 0
    assert result["steps"][0]["schema"] == "same"
    (entry,) = host.ledger()
    assert (entry["step"], entry["exit_code"], entry["output"]) == ("migrate", 0, ["one", "two"])
    assert entry["schema_before"] == entry["schema_after"] != {}
    assert host.left == []
    again = run()
    assert not again["changed"]
    assert actions(again) == [("migrate", "already_ran")]
    assert "progress" not in again
    assert host.ran == [["manage", "migrate"]]


def test_steps_run_in_order_and_those_of_the_other_moment_do_not(host, run):
    steps = [step(name="b", command=["b"]), step(name="c", command=["c"], when="after"), step(name="a", command=["a"])]
    assert actions(run(*steps)) == [("b", "ran"), ("a", "ran")]
    assert host.ran == [["b"], ["a"]]
    assert actions(run(*steps, when="after")) == [("c", "ran")]


def test_the_command_line_says_whose_step_it_is_and_touches_nothing_else(host, run, monkeypatch):
    seen = []
    monkeypatch.setattr(release_step, "detached", lambda *_: lambda argv, data: seen.append(argv) or host.run(argv, data))
    run()
    (argv,) = [argv for argv in seen if "run" in argv]
    assert argv[argv.index("-f") + 1] == str(host.directory / "releases" / NEW / "compose.yaml")
    assert argv[argv.index("--project-directory") + 1] == str(host.directory)
    assert {"-d", "--no-deps", "--no-TTY"} <= set(argv)
    assert argv[argv.index("--name") + 1] == "demo-step-migrate-11111111"
    assert "portside.step=migrate" in argv
    assert "portside.release=" + NEW in argv
    assert not {"--rm", "--entrypoint", "--service-ports", "--use-aliases", "-p"} & set(argv)


def test_each_release_runs_it_for_itself(host, run):
    run(release=OLD)
    assert actions(run()) == [("migrate", "ran")]
    assert len(host.ran) == 2


def test_what_moves_a_schema_is_told(host, run):
    host.fates["migrate"] = (0, 1, "CREATE TABLE b ();")
    assert run()["steps"][0]["schema"] == "moved"


def test_what_is_declared_to_move_none_is_not_looked_at(host, run):
    host.fates["migrate"] = (0, 1, "CREATE TABLE b ();")
    assert run(step(schema="none"))["steps"][0]["schema"] == "same"
    assert host.ledger()[0]["schema_before"] is None


def test_a_failure_tells_what_the_application_said_and_runs_again(host, run):
    host.fates["migrate"] = (3, 2, "CREATE TABLE half ();")
    result = run(step(), step(name="later", command=["later"]))
    assert result["failed"]
    for word in ("stack demo: step migrate", "exit code 3", "\n  two\n", "db/shop", "Remedy:"):
        assert word in result["msg"]
    assert actions(result) == [("migrate", "ran")]
    assert host.left == []
    host.fates.clear()
    assert actions(run(step(), step(name="later", command=["later"]))) == [("migrate", "ran"), ("later", "ran")]
    assert [entry["exit_code"] for entry in host.ledger()] == [3, 0, 0]


def test_no_secret_of_the_stack_is_in_what_a_step_said(host, run):
    (host.directory / "secrets" / "pw").mkdir(parents=True)
    (host.directory / "secrets" / "pw" / "1").write_text("executable")
    host.refused["later"] = "executable file not found"
    result = run(step(name="later", command=["later"]))
    assert "[secret pw] file not found" in result["msg"]
    assert host.ledger()[-1]["output"] == ["[secret pw] file not found"]
    assert "executable" not in json.dumps(result)


def test_a_failure_before_the_activation_says_who_serves(host, run):
    (host.directory / "current").symlink_to("releases/" + OLD)
    host.fates["migrate"] = (1, 1, None)
    assert "Release {0} serves on".format(OLD) in run()["msg"]


def test_what_cannot_be_started_is_a_failure_like_any(host, run):
    host.refused["migrate"] = 'exec: "manage": executable file not found in $PATH'
    result = run()
    assert "could not be started" in result["msg"]
    assert "not found in $PATH" in result["msg"]
    assert host.ledger()[0]["exit_code"] == 125


def test_what_takes_too_long_is_stopped(host, run):
    host.fates["migrate"] = (0, 1000, None)
    result = run()
    assert "did not end within its 60 s" in result["msg"]
    assert "POST v1.41 containers/demo-step-migrate-11111111/stop" in host.engine.requests
    assert host.ledger()[0]["exit_code"] == 124
    assert host.left == []


# -- runs that were cut off --------------------------------------------------------------------------------------------


def cut_off(host, run, fate=(0, 30, None), **keys):
    """A run that is killed while its step runs on."""
    host.fates["migrate"] = fate
    host.kill_at = host.now + 2
    with pytest.raises(KeyboardInterrupt):
        run(step(**keys))
    host.kill_at = None
    assert host.ledger()[-1]["ended"] is None


def test_a_step_that_still_runs_is_waited_for_and_not_started_twice(host, run):
    cut_off(host, run)
    result = run()
    assert actions(result) == [("migrate", "ran")]
    assert result["changed"]
    assert host.ran == [["manage", "migrate"]]
    assert [entry["exit_code"] for entry in host.ledger()] == [0]
    assert host.left == []
    assert actions(run()) == [("migrate", "already_ran")]


def test_one_that_failed_meanwhile_runs_again(host, run):
    cut_off(host, run, (1, 3, None))
    host.sleep(10)
    host.fates.clear()
    assert actions(run()) == [("migrate", "ran")]
    assert [entry["exit_code"] for entry in host.ledger()] == [1, 0]


def lost(host, run, code=137, **keys):
    """A step that a reboot ended, nobody knows where."""
    cut_off(host, run, **keys)
    host.engine.containers["demo-step-migrate-11111111"]["State"].update(Status="exited", ExitCode=code)
    host.fates.clear()


# The last two are of images whose stop signal is SIGINT or SIGQUIT, such as postgres and nginx.
@pytest.mark.parametrize("code", [137, 143, 255, 130, 131])
def test_an_unknown_outcome_is_refused_with_all_that_is_known(host, run, code):
    lost(host, run, code)
    for _again in range(2):
        result = run()
        assert result["failed"]
        for word in ("step migrate ended is not known", "2020-09-13T12:26:40Z", str(code), "rerun", "check"):
            assert word in result["msg"]
        assert host.left == []
    assert host.ran == [["manage", "migrate"]]


def test_an_unknown_outcome_is_refused_where_nothing_is_left(host, run):
    cut_off(host, run)
    host.engine.containers.pop("demo-step-migrate-11111111")
    assert "nothing is left of its container" in run()["msg"]
    assert run(check=True)["failed"]


def test_check_mode_does_not_judge_what_a_container_may_tell(host, run):
    cut_off(host, run)
    assert actions(run(check=True)) == [("migrate", "would_run")]
    assert host.left == ["demo-step-migrate-11111111"]


@pytest.mark.parametrize("how", [{"steps": [step(rerun=True)]}, {"rerun": ["migrate"]}])
def test_it_runs_again_where_that_is_allowed(host, run, how):
    lost(host, run)
    assert actions(run(**how)) == [("migrate", "ran")]


def test_its_check_may_say_that_it_is_not_needed(host, run):
    lost(host, run)
    asked = step(check=["manage", "--check"])
    result = run(asked)
    assert actions(result) == [("migrate", "not_needed")]
    assert result["changed"]
    assert host.ran[1:] == [["manage", "--check"]]
    assert actions(run(asked)) == [("migrate", "already_ran")]


def test_its_check_may_say_that_it_is_needed(host, run):
    lost(host, run)
    host.fates["--check"] = (1, 1, None)
    assert actions(run(step(check=["manage", "--check"]))) == [("migrate", "ran")]
    assert host.ran[1:] == [["manage", "--check"], ["manage", "migrate"]]


def test_a_check_is_asked_for_nothing_else(host, run):
    run(step(check=["manage", "--check"]))
    assert host.ran == [["manage", "migrate"]]


def test_an_unknown_outcome_counts_in_the_next_release_too(host, run):
    lost(host, run)
    result = run(release=OLD)
    assert "is not known" in result["msg"]
    assert actions(run(step(rerun=True), release=OLD)) == [("migrate", "ran")]
    # What ran since is known, so the other release may run it now.
    assert actions(run()) == [("migrate", "ran")]


def test_a_step_of_another_release_that_still_runs_is_waited_for(host, run):
    cut_off(host, run)
    began = host.now
    assert actions(run(release=OLD)) == [("migrate", "ran")]
    assert host.now - began > 25
    assert host.ledger()[0]["exit_code"] == 0
    assert host.left == []


def test_a_container_that_never_started_is_no_attempt(host, run):
    cut_off(host, run)
    host.engine.containers["demo-step-migrate-11111111"]["State"]["Status"] = "created"
    host.due.clear()
    assert actions(run()) == [("migrate", "ran")]
    assert len(host.ledger()) == 1


def test_a_kill_between_the_entry_and_the_removal_costs_nothing(host, run):
    run()
    labels = {"portside.step": "migrate", "portside.release": NEW, "portside.step-role": "command"}
    host.container("demo-step-migrate-11111111", labels, 0, 0, state="exited")
    assert actions(run()) == [("migrate", "already_ran")]
    assert host.left == []


def test_an_engine_that_is_restarted_leaves_the_outcome_unknown(host, run):
    host.fates["migrate"] = (0, 30, None)
    host.restart_at = host.now + 5
    result = run()
    assert "is not known" in result["msg"]
    host.fates.clear()
    assert "is not known" in run()["msg"]
    assert actions(run(rerun=["migrate"])) == [("migrate", "ran")]


def test_an_engine_that_stops_it_before_it_goes_away_itself_does_so_too(host, run):
    host.fates["migrate"] = (143, 1, None)
    assert "is not known" in run()["msg"]


# A crash, and what a program that is watched says by itself.
@pytest.mark.parametrize("code", [139, 255])
def test_what_a_program_does_to_itself_is_a_failure_like_any(host, run, code):
    host.fates["migrate"] = (code, 1, None)
    assert "exit code {0}".format(code) in run()["msg"]
    host.fates.clear()
    assert actions(run()) == [("migrate", "ran")]


def test_too_little_memory_is_a_failure_like_any(host, run):
    host.fates["migrate"] = (137, 1, None)
    host.out_of_memory = True
    assert "more memory" in run()["msg"]
    assert host.ledger()[0]["exit_code"] == 137


def test_a_signal_leaves_the_step_to_itself_and_says_so(host, run):
    host.fates["migrate"] = (0, 30, None)
    host.interrupt_at = host.now + 2
    result = run()
    assert "interrupted by SIGTERM" in result["msg"]
    assert "goes on by itself, in the container demo-step-migrate-11111111" in result["msg"]
    host.interrupt_at = None
    assert actions(run()) == [("migrate", "ran")]
    assert len(host.ran) == 1


def test_a_signal_before_the_start_leaves_no_attempt(host, run, monkeypatch):
    def exec_and_signal(argv, data):
        if argv[:2] == ["docker", "exec"]:
            host.interrupt_at = host.now
            host.sleep(0)
        return host.run(argv, data)

    monkeypatch.setattr(release_step, "detached", lambda *_: exec_and_signal)
    assert "interrupted by SIGTERM" in run()["msg"]
    assert host.ledger() == []
    assert host.ran == []


# -- several hosts, dumps, check mode ----------------------------------------------------------------------------------


def test_what_all_hosts_share_is_left_to_the_leader(host, run):
    shared = step(once=True)
    result = run(shared, step(name="own"), leader=False)
    assert actions(result) == [("migrate", "left_to_leader"), ("own", "ran")]
    assert host.ledger()[0]["step"] == "own"
    assert actions(run(shared)) == [("migrate", "ran")]


def test_what_all_hosts_share_is_not_run_when_its_check_says_that_another_host_did(host, run):
    shared = step(once=True, check=["manage", "--check"])
    assert actions(run(shared)) == [("migrate", "not_needed")]
    assert host.ran == [["manage", "--check"]]
    assert [(entry["ended"] is None, entry["exit_code"]) for entry in host.ledger()] == [(False, 0)]
    assert actions(run(shared)) == [("migrate", "already_ran")]


def test_the_failure_before_a_check_that_says_not_needed_stays_in_the_ledger(host, run):
    shared = step(once=True, check=["manage", "--check"])
    host.fates.update({"migrate": (3, 1, None), "--check": (1, 1, None)})
    run(shared)
    host.fates.clear()
    assert actions(run(shared)) == [("migrate", "not_needed")]
    assert [entry["exit_code"] for entry in host.ledger()] == [3, 0]


# -- lost volumes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def volume(host):
    """The database has a volume, and each release records its step."""
    services = {name: dict(body) for name, body in DEFINITION["services"].items()}
    services["db"]["volumes"] = ["data:/data"]
    services["mail"] = {"image": "mail:1", "labels": {"portside.digest": "d-mail"}}
    definition = dict(DEFINITION, services=services, volumes={"data": {"name": "demo_data", "external": True}})
    definition["x-portside"] = {"volumes": {"demo_data": {}}}
    steps = [STEP, step(name="mail", service="mail")]
    for release in (OLD, NEW):
        record = {"definition": definition, "steps": steps, "stack": "demo"}
        (host.directory / "releases" / release / "release.json").write_text(json.dumps(record))
    host.engine.volumes["demo_data"] = {}
    return host.engine.volumes


def test_what_a_step_did_to_a_volume_that_is_gone_it_does_again(host, run, volume):
    mail = {"ended": "2020-01-01T00:00:00Z", "exit_code": 0, "started": "2020-01-01T00:00:00Z", "step": "mail"}
    run(release=OLD)
    run()
    assert actions(run()) == [("migrate", "already_ran")]
    state = host.directory / "releases" / NEW / "state" / "steps.json"
    state.write_text(json.dumps([*host.ledger(), mail]))
    volume.clear()
    assert actions(run(check=True)) == [("migrate", "would_run")]
    assert not any(entry.get("undone") for entry in host.ledger())
    assert actions(run()) == [("migrate", "ran")]
    assert "demo_data" in volume
    # It stays noted, for every release and from before the volume was made, so that no interrupt loses it.
    for release in (OLD, NEW):
        assert [bool(entry.get("undone")) for entry in host.ledger(release)] == [True, False, False][: len(host.ledger(release))]
    assert actions(run()) == [("migrate", "already_ran")]


def test_an_attempt_that_nobody_saw_end_is_no_matter_on_a_new_volume(host, run, volume):
    run(release=OLD)
    state = host.directory / "releases" / OLD / "state" / "steps.json"
    state.write_text(json.dumps([dict(entry, ended=None, exit_code=None) for entry in host.ledger(OLD)]))
    assert run()["failed"]
    volume.clear()
    assert actions(run()) == [("migrate", "ran")]


def test_the_dump_of_what_is_lost_is_not_overwritten(host, run, volume):
    run(step(dump=DUMP))
    volume.clear()
    host.schema = ""
    run(step(dump=DUMP))
    assert dump_file(host).read_text() == "CREATE TABLE a ();"
    assert [entry["dump"].rpartition("/")[2] for entry in host.ledger()] == ["migrate-db-shop.dump", "migrate-db-shop-2.dump"]


DUMP = {"service": "db", "database": "shop", "user": "shop"}


def dump_file(host):
    return host.directory / "releases" / NEW / "state" / "dumps" / "migrate-db-shop.dump"


def test_a_dump_is_made_before_the_step_and_nobody_else_may_read_it(host, run):
    host.fates["migrate"] = (0, 1, "after")
    result = run(step(dump=DUMP))
    assert result["steps"][0]["dump"] == str(dump_file(host)) == host.ledger()[0]["dump"]
    assert dump_file(host).read_text() == "CREATE TABLE a ();"
    assert dump_file(host).stat().st_mode & 0o777 == 0o600
    assert dump_file(host).parent.parent.stat().st_mode & 0o777 == 0o700


def test_without_its_dump_a_step_does_not_start(host, run):
    host.fates["dump"] = 1
    result = run(step(dump=DUMP))
    for word in ("step migrate", "db/shop", "no space left on device", "was not started"):
        assert word in result["msg"]
    assert host.ran == []
    assert host.ledger() == []
    assert list(dump_file(host).parent.iterdir()) == []


def test_the_dump_from_before_a_half_done_attempt_stays(host, run):
    host.fates["migrate"] = (1, 1, "half done")
    run(step(dump=DUMP))
    host.fates["migrate"] = (0, 1, "done")
    run(step(dump=DUMP))
    assert dump_file(host).read_text() == "CREATE TABLE a ();"
    assert [bool(entry["dump"]) for entry in host.ledger()] == [True, False]


def test_where_the_attempt_changed_no_schema_the_dump_is_a_new_one(host, run):
    host.fates["migrate"] = (1, 1, None)
    run(step(dump=DUMP))
    host.fates.clear()
    run(step(dump=DUMP))
    assert len(host.dumps) == 2
    assert [bool(entry["dump"]) for entry in host.ledger()] == [False, True]


def test_a_command_of_its_own_tells_the_schema(host, run):
    told = step(schema_command=["tell"])
    host.fates["migrate"] = (0, 1, None)
    assert run(told)["steps"][0]["schema"] == "same"
    assert "command:migrate" in host.ledger()[0]["schema_after"]
    assert host.left == []


def test_check_mode_tells_and_touches_nothing(host, run):
    host.engine.away = 1000
    result = run(release="2" * 16, check=True, diff=True)
    assert result["changed"]
    assert actions(result) == [("migrate", "would_run")]
    assert result["steps"][0]["reason"] == "has not run yet"
    assert result["diff"]["after"] == "step migrate: to run\n"
    assert not (host.directory / "releases" / ("2" * 16)).exists()


def test_what_the_step_needs_is_named_when_it_does_not_come_up(host, run):
    host.engine.containers.clear()
    (host.directory / "releases" / NEW / "compose.yaml").unlink()
    result = run()
    assert "step migrate was not started, as what its service api needs is not up" in result["msg"]
    assert host.ran == []


def test_it_works_alone(host, run):
    with _lease.StackLock("demo", host.time).work("", "other", 60):
        assert "another run is working on it" in run()["msg"]
    assert host.ran == []


def test_leave_for_a_step_that_is_none_is_refused(run):
    assert "rerun: nigrate is no step" in run(rerun=["nigrate"])["msg"]


def test_an_undone_entry_counts_as_not_run(host, run):
    run()
    file = host.directory / "releases" / NEW / "state" / "steps.json"
    file.write_text(json.dumps([dict(entry, undone="2026-01-01T00:00:00Z") for entry in host.ledger()]))
    assert actions(run()) == [("migrate", "ran")]


def test_a_broken_ledger_is_named_and_no_step_runs(host, run):
    run()
    file = host.directory / "releases" / NEW / "state" / "steps.json"
    file.write_text("{")
    assert str(file) in run()["msg"]
    assert len(host.ran) == 1
