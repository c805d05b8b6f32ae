# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._schema import compare, fingerprints, schema_digest, servers
from fake_engine import FakeEngine

SAID = """--
-- PostgreSQL database dump
--

\\restrict 4kGmQv
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.a (
    id integer
);

\\unrestrict 4kGmQv
applied django_migrations|(a,0001)
applied django_migrations|(a,0002)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4kGmQv", "zZ9"),
        ("SET statement_timeout = 0;", "SET transaction_timeout = 0;"),
        ("-- PostgreSQL database dump", "-- Dumped by pg_dump version 17.6"),
        ("(a,0001)\napplied django_migrations|(a,0002)", "(a,0002)\napplied django_migrations|(a,0001)"),
        ("\n\n", "\n"),
    ],
)
def test_what_says_nothing_of_the_schema_changes_nothing(old, new):
    assert old in SAID
    assert schema_digest(SAID.replace(old, new)) == schema_digest(SAID)


@pytest.mark.parametrize(
    ("old", "new"),
    [("integer", "bigint"), ("(a,0002)", "(a,0003)"), ("applied django_migrations|(a,0002)\n", ""), ("    id", "    SET = 1;\n    id")],
)
def test_the_schema_and_what_was_applied_count(old, new):
    assert old in SAID
    assert schema_digest(SAID.replace(old, new)) != schema_digest(SAID)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"db/a": "1"}, {"db/a": "1"}, ("same", ["db/a"])),
        ({"db/a": "1", "db/b": "1"}, {"db/a": "2", "db/b": "1"}, ("moved", ["db/a"])),
        ({"db/a": "1"}, {"db/a": "1", "db/new": "1"}, ("moved", ["db/new"])),
        ({"db/a": "1", "db/old": "1"}, {"db/a": "1"}, ("moved", ["db/old"])),
        # A server that did not answer is no database that was dropped.
        ({"db/a": "1", "other/b": "1"}, {"db/a": "1"}, ("unknown", ["other/b"])),
        ({"db/a": "1", "other/b": "1"}, {"db/a": "2"}, ("moved", ["db/a"])),
        ({"db/a": "1", "command:m": "1"}, {"db/a": "1"}, ("unknown", ["command:m"])),
        ({"command:m": "1"}, {"command:m": "2"}, ("moved", ["command:m"])),
        (None, {"db/a": "1"}, ("unknown", ["db/a"])),
        (None, None, ("unknown", [])),
    ],
)
def test_comparing_two_moments(before, after, expected):
    assert compare(before, after) == expected


class World:
    def __init__(self, engine):
        self.engine = engine
        self.databases, self.schemas, self.asked, self.is_server = "app\nshop\n", {}, [], True

    def add(self, service, environment=("PGDATA=/data",), **keys):
        identifier = self.engine.add(service, "d", **keys)
        self.engine.containers[identifier]["Config"]["Env"] = list(environment)
        return identifier

    def run(self, argv, data):
        assert argv[:2] == ["docker", "exec"]
        self.asked.append(argv)
        if data is None:
            return (0, "owner\n" + self.databases, "") if self.is_server else (0, "", "")
        user, name = argv[-2:]
        assert user == "owner"
        said = self.schemas.get(name, "CREATE TABLE x ();")
        return (1, "", "locked") if said is None else (0, said, "")

    def fingerprints(self, **commands):
        return fingerprints(EngineClient(self.engine.path), self.run, "demo", commands)


@pytest.fixture
def world(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        yield World(engine)


def test_every_database_of_every_server_is_told(world):
    world.add("db")
    world.add("reports", ["PG_MAJOR=17"])
    world.add("web", ["PATH=/bin"])
    world.schemas["app"] = "other"
    found = world.fingerprints()
    assert sorted(found) == ["db/app", "db/shop", "reports/app", "reports/shop"]
    assert found["db/app"] != found["db/shop"] == found["reports/shop"]


def test_no_other_server_is_asked(world):
    world.add("db", ["PGDATA=/data", "PGHOST=elsewhere"])
    world.fingerprints()
    assert all(argv[argv.index("-e") + 1] == "PGHOST=" for argv in world.asked)


def test_what_is_stopped_or_runs_once_is_no_server(world):
    world.add("db", state="exited")
    world.add("db", labels={"com.docker.compose.oneoff": "True"})
    assert servers(EngineClient(world.engine.path), "demo") == []
    assert world.fingerprints() is None


def test_a_client_made_from_the_same_image_is_no_server(world):
    world.add("backup")
    world.is_server = False
    assert world.fingerprints() is None


def test_databases_that_a_restore_put_aside_do_not_count(world):
    world.add("db")
    world.databases = "shop\nshop_until_20261121113234\nshop_restoring\n"
    assert list(world.fingerprints()) == ["db/shop"]


def test_a_server_that_tells_only_half_tells_nothing(world):
    world.add("db")
    world.schemas["app"] = None
    assert world.fingerprints() is None


def test_commands_are_told_beside(world):
    world.add("db")
    found = world.fingerprints(m=lambda: "version 3", n=lambda: None)
    assert sorted(found) == ["command:m", "db/app", "db/shop"]


def test_without_an_engine_nothing_is_known(tmp_path):
    assert fingerprints(EngineClient(str(tmp_path / "none")), lambda *_: (0, "", ""), "demo") is None
