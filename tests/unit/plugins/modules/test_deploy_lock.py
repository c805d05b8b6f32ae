# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.modules import deploy_lock
from module_runner import run_module

HOLDER = {"who": "alice", "origin": "laptop", "pid": 41, "started": "x"}
STARTED = {"time": "", "event": "started", "action": "deploy", "run": "dead", "stack": "demo", "release": "1" * 16}
# No process has this number.
STAGING = ".portside-99999999-abc"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(deploy_lock, "StackLock", lambda stack, now: StackLock(stack, now, str(tmp_path / "run")))

    def run(*stacks, check=False, **arguments):
        arguments = dict({"stacks": list(stacks or ["demo"]), "root": str(tmp_path / "stacks"), "holder": HOLDER}, **arguments)
        return run_module(deploy_lock.main, capsys, arguments, check=check)

    return run


@pytest.fixture
def lock(tmp_path):
    def lock(stack="demo"):
        return StackLock(stack, time.time, str(tmp_path / "run"))

    return lock


@pytest.fixture
def cut_off(tmp_path, lock):
    """A run that was killed in the middle of writing a release."""
    directory = tmp_path / "stacks" / "demo"
    (directory / "releases" / STAGING).mkdir(parents=True)
    (directory / STAGING).mkdir()
    lock().acquire(dict(HOLDER, who="carol"), "deploy", "dead", 120)
    with lock().work("dead", "release", 10):
        History(str(directory)).append(STARTED)
    return directory


def test_one_token_for_all_stacks_and_no_change(run, lock, tmp_path):
    outcome = run("demo", "blog")
    assert outcome.result["changed"] is False
    leases = [lock(stack).holder() for stack in ("demo", "blog")]
    assert [lease.token for lease in leases] == [outcome["token"]] * 2
    assert (leases[0].who, leases[0].origin, leases[0].pid, leases[0].purpose) == ("alice", "laptop", 41, "deploy")
    assert run()["failed"]
    assert not (tmp_path / "stacks").exists()
    outcome = run("demo", "blog", state="absent", token=outcome["token"])
    assert (outcome["changed"], outcome.warnings) == (False, [])
    assert [lock(stack).holder() for stack in ("demo", "blog")] == [None, None]


def test_all_stacks_or_none(run, lock):
    lock("nginx").acquire(HOLDER, "rollback", "other", 60)
    outcome = run("demo", "nginx", "web")
    assert "stack nginx: alice@laptop (process 41) has the lock for a rollback since" in outcome["msg"]
    assert [(lease["stack"], lease["token"]) for lease in outcome["held_by"]] == [("nginx", "other")]
    assert [lock(stack).read() for stack in ("demo", "web")] == [None, None]


def test_what_was_taken_is_given_back_when_a_module_works_on_the_next(run, lock):
    with lock("web").work("", "reconcile", -1000):
        outcome = run("demo", "web")
    assert "stack web: another run is working on it at this moment: one without a lock" in outcome["msg"]
    assert (lock("demo").read(), outcome["held_by"]) == (None, [])


def test_leases_already_taken_are_kept_while_another_module_is_waited_for(run, lock, monkeypatch):
    lock("web").acquire(HOLDER, "deploy", "dead", 60)
    working = lock("web").work("dead", "activate", 300)
    working.__enter__()
    seen = []

    def sleep(_seconds):
        mine = lock("demo")
        seen.append(mine.read().expires)
        # As if most of the lease had gone by.
        mine._write(mine.read()._replace(expires=time.time() + 1))
        if len(seen) == 2:
            working.__exit__(None, None, None)

    monkeypatch.setattr(deploy_lock.time, "sleep", sleep)
    outcome = run("demo", "web", dead=["dead"])
    assert seen[1] > time.time() + 60
    assert lock("demo").holder().expires > time.time() + 60
    assert outcome.warnings == [warning for warning in outcome.warnings if "the stage activate is still at work here" in warning]
    assert len(outcome.warnings) == 1


def test_a_run_that_was_cut_off_gets_its_end_once(run, cut_off):
    outcome = run(dead=["dead"])
    (event,) = outcome["interrupted"]
    assert (event["event"], event["stack"], event["release"], event["run"]) == ("interrupted", "demo", "1" * 16, "dead")
    assert event["error"] == "the run was cut off after the stage release"
    assert outcome["removed"] == [str(cut_off / STAGING), str(cut_off / "releases" / STAGING)]
    assert sorted(path.name for path in cut_off.rglob("*")) == ["history.jsonl", "releases"]
    assert History(str(cut_off)).read() == [STARTED, event]
    run(state="absent", token=outcome["token"])
    again = run()
    assert (again["interrupted"], again["removed"]) == ([], [])
    assert len(History(str(cut_off)).read()) == 2


def test_a_run_that_is_alive_is_not_taken_for_cut_off(run, cut_off):
    assert run()["interrupted"] == []
    check = run(check=True)
    assert (check["interrupted"], check["removed"], check["token"]) == ([], [], "")
    assert "carol@laptop" in check.warnings[0]
    assert [lease["token"] for lease in check["held_by"]] == ["dead"]


def test_the_own_start_is_not_taken_for_cut_off(run, cut_off):
    assert run(token="dead")["interrupted"] == []


def test_check_mode_tells_what_was_cut_off_and_leaves_it(run, lock, cut_off):
    outcome = run(check=True, dead=["dead"])
    assert outcome.warnings == []
    assert outcome["interrupted"][0]["error"] == "the run was cut off after the stage release"
    assert len(outcome["removed"]) == 2
    assert (cut_off / STAGING).exists()
    assert History(str(cut_off)).read() == [STARTED]
    assert lock().read().token == "dead"


def test_check_mode_writes_nothing_at_all(run, tmp_path):
    run(check=True)
    run(check=True, state="absent", token="x")
    assert list(tmp_path.iterdir()) == []


def test_somebody_elses_lock_stays(run, lock):
    lock().acquire(HOLDER, "deploy", "other", 60)
    outcome = run(state="absent", token="mine")
    assert outcome.warnings == ["stack demo: the lock is alice@laptop (process 41)'s, not this run's, and stays."]
    assert lock().holder().token == "other"


def test_giving_back_needs_a_token(run):
    assert "token" in run(state="absent")["msg"]


def test_a_history_that_cannot_be_read_is_told_and_the_lock_given_back(run, lock, cut_off):
    (cut_off / "history.jsonl").rename(cut_off / "kept")
    (cut_off / "history.jsonl").symlink_to("nowhere/at/all")
    (cut_off / "nowhere").write_text("")
    assert "Remedy: mend that on the host" in run(dead=["dead"])["msg"]
    assert lock().read() is None


def test_what_may_fill_the_disk_is_removed_before_anything_is_written(run, lock, cut_off, monkeypatch):
    def append(self, event):
        raise OSError(errno.ENOSPC, "No space left on device", "history.jsonl")

    monkeypatch.setattr(History, "append", append)
    assert "history.jsonl: No space left on device. Remedy" in run(dead=["dead"])["msg"]
    assert list(cut_off.glob("**/.portside-*")) == []
    assert lock().read() is None
