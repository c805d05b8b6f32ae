# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.modules import release_info
from fake_engine import FakeEngine
from module_runner import run_module
from release_host import STACK, release_files

DUMP = {"service": "db", "database": "app", "user": "app"}
STEP = {"name": "migrate", "service": "api", "command": ["migrate"], "when": "before", "dump": DUMP}


def at(hour):
    return "2026-11-21T{0:02d}:00:00Z".format(hour)


class Host:
    def __init__(self, directory, capsys):
        self.directory, self._capsys = str(directory), capsys
        self.history = History(self.directory)
        os.mkdir(self.directory)

    def run(self, **arguments):
        return run_module(release_info.main, self._capsys, dict(arguments, directory=self.directory))

    def release(self, number, verified=0, schema=None, ledger=(), checks=(), **record):
        reference = "app:{0}".format(number)
        images = {reference: "{0}@sha256:{1}".format(reference, str(number) * 64), "db:1": "sha256:" + "d" * 64}
        name, files = release_files(self.directory, images, str(number), [STEP], checks, **record)
        for path, entry in files.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(entry["content"])
        state = "{0}/releases/{1}/state".format(self.directory, name)
        os.mkdir(state)
        if verified:
            with open(state + "/verified.json", "w", encoding="utf-8") as file:
                json.dump({"verified": at(verified), "schema": schema}, file)
        with open(state + "/steps.json", "w", encoding="utf-8") as file:
            json.dump(list(ledger), file)
        return name

    def current(self, name):
        os.symlink("releases/" + name, self.directory + "/current")

    def event(self, kind, name, hour, **keys):
        self.history.append(dict({"time": at(hour), "event": kind, "release": name, "run": "r" + str(hour), "who": "ann", "from": "laptop"}, **keys))


@pytest.fixture(name="now")
def now_fixture():
    return {}


@pytest.fixture(name="host")
def host_fixture(tmp_path, monkeypatch, capsys, now):
    monkeypatch.setattr(release_info, "schemas_now", lambda *_: now.get("schema"))
    monkeypatch.setattr(release_info, "EngineClient", lambda: EngineClient(str(tmp_path / "docker.sock")))
    return Host(tmp_path / STACK, capsys)


def tree(top):
    return sorted((path, sorted(names)) for path, _directories, names in os.walk(top))


@pytest.fixture(name="moved")
def moved_fixture(host, now):
    """Two releases, of which the newer one moved the schema and has a dump from before."""
    old = host.release(1, 9, {"db/app": "1"})
    host.event("deployed", old, 9)
    path = host.directory + "/migrate.dump"
    with open(path, "w", encoding="utf-8") as file:
        file.write("dump")
    entry = {"step": "migrate", "started": at(10), "ended": at(10), "exit_code": 0, "output": [], "run": "r"}
    entry.update(schema_before={"db/app": "1"}, schema_after={"db/app": "2"}, dump=path)
    checks = [{"name": "api", "url": "http://127.0.0.1", "headers": {"Authorization": "Bearer t0ken"}}]
    new = host.release(2, 11, {"db/app": "2"}, [entry], checks)
    host.current(new)
    host.event("started", new, 11)
    host.event("deployed", new, 11, why="speed", seconds=41.3)
    now["schema"] = {"db/app": "2"}
    return old, new, path


def test_a_stack_that_is_not_there_has_nothing(host):
    os.rmdir(host.directory)
    outcome = host.run()
    assert (outcome["stack"], outcome["current"], outcome["releases"], outcome["history"]) == (STACK, "", [], [])
    assert outcome["changed"] is False and outcome["text"] == ["shop: no release is current"]
    refused = host.run(judge=True)
    assert refused["failed"] and "no release to roll back to" in refused["msg"] and refused["stack"] == STACK


def test_releases_are_told_with_their_state_steps_dumps_and_changes(host, moved):
    old, new, path = moved
    failed, written, begun = host.release(3), host.release(4), host.release(5)
    host.event("failed", failed, 12, error="boom")
    host.event("started", begun, 13)
    before = tree(host.directory)
    outcome = host.run()
    releases = {one["id"]: one for one in outcome["releases"]}
    assert [(one["id"], one["state"]) for one in outcome["releases"]] == [
        (begun, "unfinished"),
        (failed, "failed"),
        (new, "current"),
        (old, "good"),
        (written, "written"),
    ]
    assert releases[old]["verified"] == at(9) and releases[failed]["verified"] == ""
    assert releases[new]["dumps"] == [dict(DUMP, path=path, taken=at(10), size=4)]
    (step,) = releases[new]["steps"]
    assert step["name"] == "migrate" and step["runs"] == [{"started": at(10), "ended": at(10), "exit_code": 0, "undone": None}]
    assert releases[old]["changes"] == [{"service": "s0", "image": "app:1 (111111111111)", "current": "app:2 (222222222222)"}]
    assert releases[new]["changes"] == [] and releases[old]["declaration_digest"] == "d" * 16
    assert tree(host.directory) == before


def test_checks_and_their_headers_are_not_in_the_lists(host, moved):
    assert "t0ken" not in host.run().seen


def test_the_history_has_one_event_for_a_run(host, moved):
    old, new, _path = moved
    host.event("started", old, 12, run="open")
    history = host.run()["history"]
    assert [(one["event"], one.get("started")) for one in history] == [("deployed", None), ("deployed", at(11)), ("started", None)]
    for hour in range(30):
        host.event("failed", old, 13, run=str(hour))
    assert len(host.run()["history"]) == 20


def test_what_can_be_rolled_back_to_is_told_with_its_schema(host, moved, now):
    old, new, _path = moved
    (one,) = host.run()["can_roll_back_to"]
    assert (one["id"], one["schema"], one["databases"], one["dump_taken"]) == (old, "moved", ["db/app"], at(10))
    now["schema"] = {"db/app": "1"}
    assert host.run()["can_roll_back_to"][0]["schema"] == "same"


def test_the_text_is_for_people(host, moved):
    old, new, _path = moved
    host.event("failed", "f" * 16, 12, error="service api never became healthy\nlong log")
    text = host.run()["text"]
    assert text == [
        "shop: release {0}, deployed 2026-11-21T11:00:00Z by ann from laptop in 41 s: speed".format(new),
        "  can be rolled back to:",
        "    RELEASE           VERIFIED              DATABASES                            IMAGES THAT DIFFER",
        "    {0}  2026-11-21T09:00:00Z  moved, dump of 2026-11-21T10:00:00Z  s0 app:1 (111111111111)".format(old),
        "  last:",
        "    {0} failed 2026-11-21T12:00:00Z by ann from laptop: service api never became healthy".format("f" * 16),
        "    {0} deployed 2026-11-21T11:00:00Z by ann from laptop in 41 s: speed".format(new),
        "    {0} deployed 2026-11-21T09:00:00Z by ann from laptop".format(old),
    ]


def test_secrets_that_were_chosen_to_be_visible_are_listed(host):
    visible = {"tool": ["API_TOKEN", "KEY"], "api": ["TOKEN"]}
    host.current(host.release(1, 9, visible=visible))
    outcome = host.run()
    assert outcome["releases"][0]["visible"] == visible
    assert "  secrets that docker inspect shows, as was chosen: api: TOKEN; tool: API_TOKEN, KEY" in outcome["text"]


def test_the_target_is_chosen_and_has_what_a_rollback_needs(host, moved, now):
    old, new, path = moved
    refused = host.run(judge=True)
    assert refused["failed"] and "-e schema=keep" in refused["msg"] and "-e schema=restore" in refused["msg"]
    kept = host.run(judge=True, schema="keep")["target"]
    assert (kept["id"], kept["schema"], kept["restore"]) == (old, "moved", [])
    restored = host.run(judge=True, schema="restore", release=old)["target"]
    assert restored["restore"] == [dict(DUMP, path=path, taken=at(10))]
    now["schema"] = {"db/app": "1"}
    assert host.run(judge=True, release="previous")["target"]["schema"] == "same"


def test_a_dump_of_another_schema_is_not_restored(host, moved, now):
    _old, new, _path = moved
    now["schema"] = {"db/app": "3"}
    refused = host.run(judge=True, release=new, schema="restore")
    assert refused["failed"] and "target" not in refused.result


def test_a_dump_that_is_gone_is_not_offered(host, moved):
    _old, _new, path = moved
    os.unlink(path)
    refused = host.run(judge=True)
    assert refused["failed"] and "schema=restore is not available" in refused["msg"]
    assert host.run()["can_roll_back_to"][0]["dump_taken"] == ""


def test_schemas_that_cannot_be_asked_for_are_a_warning(host, moved, monkeypatch):
    def fails(*_):
        raise OSError(2, "no docker here")

    monkeypatch.setattr(release_info, "schemas_now", fails)
    outcome = host.run()
    assert outcome["can_roll_back_to"][0]["schema"] == "moved", "as the steps last saw it"
    assert "no docker here" in "\n".join(outcome.warnings)


def test_a_link_that_is_none_is_refused(host):
    os.mkdir(host.directory + "/current")
    outcome = host.run()
    assert outcome["failed"] and "must be a link" in outcome["msg"]


def test_volumes_that_nothing_mentions_are_told(host, tmp_path):
    volumes = {name: {"Labels": {"portside.stack": STACK}} for name in ("shop_data", "shop_old")}
    mentioned = {"name": STACK, "services": {}, "volumes": {"data": {"name": "shop_data"}}}
    assert host.run()["orphaned_volumes"] is None
    with FakeEngine(tmp_path / "docker.sock") as engine:
        engine.volumes.update(volumes)
        outcome = host.run()
        assert outcome["orphaned_volumes"] == ["shop_data", "shop_old"]
        assert outcome["text"] == ["shop: no release is current", "  volumes: shop_data, shop_old"]
        host.current(host.release(1, 9, definition=mentioned))
        outcome = host.run()
        assert outcome["orphaned_volumes"] == ["shop_old"]
        assert "  volumes it does not mention any more: shop_old" in outcome["text"]


def test_a_removal_is_in_the_history(host):
    host.event("deployed", "", 8)
    host.event("removed", "", 9, why="moved")
    outcome = host.run()
    assert [one["event"] for one in outcome["history"]] == ["deployed", "removed"]
    assert outcome["text"][-2].strip() == "removed {0} by ann from laptop: moved".format(at(9))
