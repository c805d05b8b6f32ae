# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With real processes and files; `docker` is a script that plays PostgreSQL's programs."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._database_dump import Failed, Restore, dump
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from fake_engine import FakeEngine

# What psql is told goes to a file, as does what pg_restore reads.
DOCKER = r"""#!/bin/sh
echo "$*" >>"$HOME/argv"
case "$*" in
  *pg_dump*) [ ! -f "$HOME/hang" ] || { echo "pg_dump: waits" >&2; sleep 30; }
             [ ! -f "$HOME/killed" ] || { echo "terminated" >&2; exit 137; }
             printf 'half'; [ ! -f "$HOME/broken" ] || { echo "pg_dump: error: no space left" >&2; exit 1; }; printf ' and half' ;;
  *pg_restore*) cat >"$HOME/restored"; [ ! -f "$HOME/killed" ] || { echo "terminated" >&2; exit 137; }
                [ ! -f "$HOME/broken" ] || { echo "pg_restore: error: bad" >&2; exit 1; } ;;
  *psql*) cat >>"$HOME/sql"
          if grep -q RENAME "$HOME/sql" && [ -s "$HOME/busy" ]; then sed -i 1d "$HOME/busy"; : >"$HOME/sql"; echo "is being accessed" >&2; exit 3; fi
          [ -f "$HOME/empty" ] || echo 1 ;;
esac
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    return tmp_path


@pytest.fixture
def engine(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as fake:
        identifier = fake.add("db", "d")
        fake.containers[identifier]["Config"]["Env"] = ["PGDATA=/data"]
        yield EngineClient(fake.path)


@pytest.fixture
def run(home):
    def call(argv, data):
        environment = dict(os.environ, HOME=str(home), PATH="{0}:{1}".format(home, os.environ["PATH"]))
        done = subprocess.run(argv, input=data or "", capture_output=True, text=True, env=environment, check=False)
        return done.returncode, done.stdout, done.stderr

    return call


def dumped(engine, run, file, service="db", seconds=20):
    return dump("demo", engine, run, service, "shop", "owner", str(file), seconds, time)


def test_a_dump_is_whole_and_nobody_else_may_read_it(home, engine, run):
    file = home / "dumps" / "a.dump"
    assert dumped(engine, run, file) == len("half and half")
    assert file.read_text() == "half and half"
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == ["a.dump"]
    assert "-U owner -d shop" in (home / "argv").read_text()


def test_a_dump_that_fails_leaves_the_former_one_alone(home, engine, run):
    file = home / "dumps" / "a.dump"
    dumped(engine, run, file)
    (home / "broken").touch()
    with pytest.raises(Failed, match="no space left"):
        dumped(engine, run, file)
    assert file.read_text() == "half and half"
    assert os.listdir(file.parent) == ["a.dump"]


def test_a_dump_that_takes_too_long_is_ended(home, engine, run):
    (home / "hang").touch()
    with pytest.raises(Failed, match="not done after 1 s: pg_dump: waits"):
        dumped(engine, run, home / "dumps" / "a.dump", seconds=1)
    assert os.listdir(home / "dumps") == []


def test_a_dump_that_was_killed_has_not_taken_too_long(home, engine, run):
    (home / "killed").touch()
    with pytest.raises(Failed, match="^terminated$"):
        dumped(engine, run, home / "dumps" / "a.dump")


def test_what_an_interrupted_dump_still_writes_goes_elsewhere(home, engine, run):
    file = home / "dumps" / "a.dump"
    file.parent.mkdir()
    with open(str(file) + ".new", "w") as orphan:
        dumped(engine, run, file)
        orphan.write("of the orphan")
    assert file.read_text() == "half and half"


def test_without_a_server_nothing_is_dumped(home, engine, run):
    with pytest.raises(Failed, match="no PostgreSQL server runs as service pool"):
        dumped(engine, run, home / "dumps" / "a.dump", service="pool")


@pytest.fixture
def restore(home, engine, run):
    (home / "a.dump").write_text("content")
    return Restore("demo", engine, run, time, "db", "shop", "owner", str(home / "a.dump"), "20261121113234")


def test_a_dump_goes_into_a_database_of_its_own(home, restore):
    restore.prepare(20)
    assert (home / "restored").read_text() == "content"
    (line,) = [line for line in (home / "argv").read_text().splitlines() if "pg_restore" in line]
    assert "-d shop_restoring" in line
    assert "--single-transaction" in line
    assert "RENAME" not in (home / "sql").read_text()


def test_the_names_are_passed_as_they_are_and_never_longer_than_postgres_has_them(home, engine, run):
    long = Restore("demo", engine, run, time, "db", "ä" * 31 + "x", "owner", str(home / "a"), "20261121113234")
    assert len(long.kept.encode()) <= 63
    assert long.kept.endswith("ä_until_20261121113234")


def test_a_database_that_is_not_there_is_not_restored(home, restore):
    (home / "empty").touch()
    with pytest.raises(Failed, match="there is no database shop"):
        restore.prepare(20)
    assert not (home / "restored").exists()


def test_what_pg_restore_says_is_told(home, restore):
    (home / "broken").touch()
    with pytest.raises(Failed, match="^pg_restore: error: bad$"):
        restore.prepare(20)
    (home / "killed").touch()
    with pytest.raises(Failed, match="^terminated$"):
        restore.prepare(20)


def test_the_swap_is_tried_again_while_somebody_comes_in_between(home, restore):
    (home / "busy").write_text("1\n2\n")
    restore.swap()
    assert "COMMIT" in (home / "sql").read_text()
    (home / "busy").write_text("1\n" * 99)
    with pytest.raises(Failed, match="being accessed"):
        restore.swap()
