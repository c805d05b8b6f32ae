# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._release_schema import schemas_now, schemas_to_record
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from release_host import STACK, Engine


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with Engine(tmp_path / "engine") as engine:
        yield engine


def database(engine, **keys):
    key = engine.add("db", "1", project=STACK, **keys)
    engine.containers[key]["Config"]["Env"] = ["PGDATA=/data"]


def answers(argv, _data):
    return (0, "app\napp\n", "") if "PG_VERSION" in argv[-1] else (0, "CREATE TABLE a;", "")


def silent(_argv, _data):
    return 1, "", "not ready"


def test_a_stack_without_a_database_has_no_schema_and_one_that_is_silent_an_unknown_one(engine):
    client = EngineClient(engine.path)
    engine.add("api", "1", project=STACK)
    assert schemas_now(client, silent, STACK) == {}
    database(engine)
    assert schemas_now(client, silent, STACK) is None
    assert list(schemas_now(client, answers, STACK)) == ["db/app"]
    assert schemas_now(EngineClient("/nonexistent"), answers, STACK) is None


def test_what_the_command_of_a_step_told_last_is_recorded_too(engine, tmp_path):
    store = ReleaseStore(str(tmp_path / STACK))
    home = store.state_path("a" * 16)
    os.makedirs(home)
    entry = {"step": "m", "started": "1", "ended": "2", "dump": None, "schema_after": {"command:m": "7", "db/app": "old"}}
    for path, content in ((store.path("a" * 16) + "/release.json", {}), (home + "/steps.json", [entry])):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file)
    client = EngineClient(engine.path)
    assert schemas_to_record(store, client, answers) == {"command:m": "7"}
    database(engine)
    found = schemas_to_record(store, client, answers)
    assert set(found) == {"command:m", "db/app"} and found["db/app"] != "old"
    assert schemas_to_record(store, client, silent) is None
