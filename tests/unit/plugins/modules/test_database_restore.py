# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _lease
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger
from ansible_collections.portside.stack.plugins.modules import database_restore
from fake_engine import FakeEngine
from module_runner import run_module

OLD, NEW, NEWEST = "0" * 16, "1" * 16, "2" * 16


def service(name, *needs, **keys):
    depends_on = {need: {"condition": "service_started"} for need in needs}
    return dict({"image": "x", "labels": {"portside.digest": "d-" + name}, "depends_on": depends_on}, **keys)


DEFINITION = {
    "name": "demo",
    "services": {
        "db": service("db"),
        "api": service("api", "db"),
        "mail": service("mail"),
        "seed": service("seed", "api", restart="no"),
        "fetch": service("fetch", "mail", restart="no"),
    },
}
STEPS = [{"name": name, "service": of} for name, of in (("early", "api"), ("migrate", "api"), ("late", "api"), ("send", "mail"))]


class Host:
    """Databases by name, which psql renames and pg_restore fills."""

    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory / "demo"
        self.now = 1600000000.0
        self.databases = {"shop": "today", "reports": "today"}
        self.broken = ""
        self.ledger_at_swap = None
        database = engine.add("db", "d-db")
        engine.containers[database]["Config"]["Env"] = ["PGDATA=/data"]
        self.store = ReleaseStore(str(self.directory))
        for release in (OLD, NEW, NEWEST):
            home = self.directory / "releases" / release
            home.mkdir(parents=True)
            (home / "compose.yaml").write_text("{}")
            (home / "release.json").write_text(json.dumps({"definition": DEFINITION, "steps": STEPS, "stack": "demo"}))

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds

    def run(self, argv, data):
        names = dict(argv[at + 1].split("=", 1) for at, word in enumerate(argv) if word == "-v" and "=" in argv[at + 1])
        if "pg_restore" in argv:
            self.databases[argv[argv.index("-d", argv.index("pg_restore")) + 1]] = "dumped"
            return (1, "", "pg_restore: error: broken") if self.broken in argv else (0, "", "")
        if "RENAME" in data:
            self.ledger_at_swap = self.undone()
            if self.broken == "swap" + names["old"]:
                return 3, "", "is being accessed by other users"
            self.databases[names["kept"]] = self.databases.pop(names["old"])
            self.databases[names["old"]] = self.databases.pop(names["new"])
        if "DROP DATABASE" in data:
            self.databases.pop(names["new"], None)
        if "CREATE DATABASE" in data:
            self.databases[names["new"]] = "empty"
        asked = {names[key] for key in names if data == "SELECT 1 FROM pg_database WHERE datname = :'{0}';".format(key)}
        return 0, "1\n" if asked <= set(self.databases) else "", ""

    def step(self, release, name, started, dump=None):
        ledger = StepLedger(self.store, release)
        if dump:
            path = self.directory / "releases" / release / "state" / "dumps" / dump
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
            dump = str(path)
        ledger.begin(name, started, "", None, dump)
        ledger.end(name, started, 0, [], None)
        return dump

    def undone(self):
        ledgers = {release: StepLedger(self.store, release).entries() for release in self.store.ids()}
        return [(release, entry["step"]) for release, entries in ledgers.items() for entry in entries if entry.get("undone")]


@pytest.fixture
def host(tmp_path, monkeypatch, run_directory):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        made = Host(engine, tmp_path)
        client = database_restore.EngineClient
        monkeypatch.setattr(database_restore, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(database_restore, "detached", lambda *_arguments: made.run)
        monkeypatch.setattr(database_restore, "time", made)
        monkeypatch.setattr(database_restore.signal, "signal", lambda *_: None)
        yield made


@pytest.fixture
def run(host, capsys):
    def call(*paths, check=False, **keys):
        dumps = [dict({"path": path, "service": "db", "database": name, "user": "owner"}, **keys) for name, path in paths]
        return run_module(database_restore.main, capsys, {"directory": str(host.directory), "dumps": dumps}, check, True).result

    return call


def stamped(second):
    return "2020-01-01T00:00:{0:02d}Z".format(second)


def test_the_former_database_is_kept_under_another_name(host, run):
    path = host.step(NEW, "migrate", stamped(5), "a")
    result = run(("shop", path), taken=stamped(5))
    assert result["changed"]
    kept = "shop_until_20200913122640"
    assert result["kept"] == [{"service": "db", "database": "shop", "kept": kept}]
    assert host.databases == {"shop": "dumped", kept: "today", "reports": "today"}


def test_steps_since_the_dump_count_as_not_run_and_no_others(host, run):
    host.step(OLD, "migrate", stamped(1))
    host.step(NEW, "early", stamped(5))
    path = host.step(NEW, "migrate", stamped(5), "a")
    host.step(NEW, "late", stamped(5))
    host.step(NEW, "send", stamped(6))
    host.step(NEWEST, "migrate", stamped(9))
    result = run(("shop", path))
    expected = [(NEW, "migrate"), (NEW, "late"), (NEWEST, "migrate")]
    assert [(one["release"], one["step"]) for one in result["undone"]] == expected == host.undone()
    # An interrupt after it would otherwise leave lost work that counts as done.
    assert host.ledger_at_swap == expected


def test_one_shots_since_the_dump_run_again_and_those_before_do_not(host, run):
    path = host.step(NEW, "migrate", stamped(5), "a")
    ledger = OneShotLedger(str(host.directory))
    ledger.record("seed", "d-old", "i", "2020-01-01T00:00:04.9Z")
    ledger.record("seed", "d-new", "i", "2020-01-01T00:00:06.1Z")
    ledger.record("fetch", "d-new", "i", "2020-01-01T00:00:06.1Z")
    ended = host.engine.add("seed", "d-new", state="exited")
    other = host.engine.add("fetch", "d-new", state="exited")
    run(("shop", path))
    entries = ledger.read()
    assert list(entries["seed"]["done"]) == ["d-old"]
    assert list(entries["fetch"]["done"]) == ["d-new"]
    assert ended not in host.engine.containers
    assert other in host.engine.containers


def test_a_one_shot_of_which_nothing_is_left_is_lost(host, run):
    path = host.step(NEW, "migrate", stamped(5), "a")
    ledger = OneShotLedger(str(host.directory))
    ledger.record("seed", "d-new", "i", "2020-01-01T00:00:05.1Z")
    run(("shop", path))
    assert ledger.read()["seed"] == {"lost": True}


def test_a_dump_that_cannot_be_restored_changes_nothing(host, run):
    first = host.step(NEW, "migrate", stamped(5), "a")
    second = host.step(NEW, "late", stamped(6), "b")
    host.broken = "reports_restoring"
    result = run(("shop", first), ("reports", second))
    assert result["failed"]
    for word in ("db/reports", "pg_restore: error: broken", "Every database is as it was", "schema=keep"):
        assert word in result["msg"]
    assert host.databases == {"shop": "today", "reports": "today"}
    assert host.undone() == []


def test_a_database_that_cannot_be_swapped_stays(host, run):
    path = host.step(NEW, "migrate", stamped(5), "a")
    host.broken = "swapshop"
    result = run(("shop", path))
    assert "is being accessed" in result["msg"] and "Every database is as it was before" in result["msg"]
    assert host.databases == {"shop": "today", "reports": "today"}
    assert host.undone() == []


def test_of_two_the_first_is_put_back_when_the_second_cannot_be_swapped(host, run):
    paths = host.step(NEW, "migrate", stamped(5), "a"), host.step(NEW, "late", stamped(6), "b")
    host.broken = "swapreports"
    result = run(("shop", paths[0]), ("reports", paths[1]))
    assert "db/reports could not be restored" in result["msg"]
    assert host.databases == {"shop": "today", "reports": "today", "shop_restored_20200913122640": "dumped"}
    assert host.undone() == []


def test_a_restore_is_undone_when_the_release_it_was_for_does_not_come_up(host, run, capsys):
    path = host.step(NEW, "migrate", stamped(5), "a")
    restored = run(("shop", path))
    assert host.undone() == [(NEW, "migrate")]
    undo = {
        "directory": str(host.directory),
        "dumps": [{"path": path, "service": "db", "database": "shop", "user": "owner"}],
        "put_back": restored["time"],
    }
    back = run_module(database_restore.main, capsys, undo).result
    assert back["changed"]
    aside = "shop_restored_20200913122640"
    assert back["kept"] == [{"service": "db", "database": "shop", "kept": aside}]
    assert host.databases == {"shop": "today", "reports": "today", aside: "dumped"}
    assert host.undone() == []
    again = run_module(database_restore.main, capsys, undo).result
    assert not again["changed"]
    assert host.databases == {"shop": "today", "reports": "today", aside: "dumped"}


def test_check_mode_changes_nothing(host, run):
    path = host.step(NEW, "migrate", stamped(5), "a")
    result = run(("shop", path), check=True)
    assert result["changed"]
    assert "db/shop: restored from " + path in result["diff"]["after"]
    assert host.databases["shop"] == "today"
    assert host.undone() == []


@pytest.mark.parametrize("gone", [False, True])
def test_only_dumps_that_a_ledger_names_are_restored(host, run, tmp_path, gone):
    path = tmp_path / "foreign"
    path.write_text("x")
    if gone:
        path = host.directory / "releases" / NEW / "state" / "dumps" / "a"
        host.step(NEW, "migrate", stamped(5), "a")
        path.unlink()
    result = run(("shop", str(path)))
    assert "is not a dump that a step of a release on this host made" in result["msg"]


def test_it_works_alone(host, run):
    path = host.step(NEW, "migrate", stamped(5), "a")
    with _lease.StackLock("demo", host.time).work("", "other", 60):
        assert "another run is working on it" in run(("shop", path))["msg"]
    assert host.databases["shop"] == "today"
