# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest
from ansible_collections.portside.stack.plugins.action import deploy_lock

HERE = {"who": "alice", "origin": "laptop", "pid": 50, "started": "boot pid:[1] 700"}


@pytest.mark.parametrize(
    "origin, started, now, dead",
    [
        ("laptop", "boot pid:[1] 500", "", True),
        ("laptop", "boot pid:[1] 500", "boot pid:[1] 500", False),
        ("laptop", "boot pid:[1] 500", "boot pid:[1] 600", True),
        # Another machine, or another container, which cannot be seen from here.
        ("ci", "boot pid:[1] 500", "", False),
        ("laptop", "other pid:[1] 500", "", False),
        ("laptop", "boot pid:[2] 500", "", False),
        ("laptop", "", "", False),
    ],
)
def test_a_run_is_dead_when_its_process_here_is_gone(origin, started, now, dead):
    lease = {"origin": origin, "started": started, "pid": 41}
    assert deploy_lock.is_dead(lease, HERE, {41: now}.get) is dead


def test_without_proc_nobody_is_dead():
    lease = {"origin": "laptop", "started": "", "pid": 41}
    assert not deploy_lock.is_dead(lease, dict(HERE, started=""), lambda _pid: "")


def test_a_process_is_told_from_its_successor():
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = deploy_lock.process_identity(sleeper.pid)
    assert identity and identity != deploy_lock.process_identity(os.getpid())
    assert identity == deploy_lock.process_identity(sleeper.pid)
    assert identity.rpartition(" ")[0] == deploy_lock.process_identity(os.getpid()).rpartition(" ")[0]
    sleeper.kill()
    # Until it is waited for, it is still in the list of processes.
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert deploy_lock.process_identity(sleeper.pid) == ""
    sleeper.communicate()
    assert deploy_lock.process_identity(sleeper.pid) == ""


def test_the_run_is_the_process_that_forks_the_tasks():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        inside = pool.apply(deploy_lock.this_run)
    assert inside == deploy_lock.this_run()
    assert (inside["pid"], inside["started"]) == (os.getpid(), deploy_lock.process_identity(os.getpid()))


def test_who_used_sudo_on_the_controller_is_named(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "alice")
    assert deploy_lock.user_name() == "alice"
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setattr(deploy_lock.getpass, "getuser", lambda: {}["no such user"])
    assert deploy_lock.user_name() == str(os.getuid())


class Task:
    check_mode = False
    async_val = 0
    args = {"stacks": ["demo"], "holder": "forged"}


@pytest.fixture
def action(monkeypatch):
    monkeypatch.setattr(deploy_lock.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(deploy_lock, "this_run", lambda: HERE)
    monkeypatch.setattr(deploy_lock, "process_identity", {41: "", 42: "boot pid:[1] 42"}.get)
    made = object.__new__(deploy_lock.ActionModule)
    made._task = Task()
    made.calls = []

    def execute(module_name, module_args, task_vars):
        made.calls.append(dict(module_args, dead=list(module_args["dead"])))
        return made.outcomes[len(made.calls) - 1]

    made._execute_module = execute
    return made


def lease(token, pid):
    return {"stack": "demo", "token": token, "who": "alice", "origin": "laptop", "pid": pid, "started": "boot pid:[1] 42"}


def test_a_free_lock_costs_one_execution(action):
    action.outcomes = [{"token": "t"}]
    assert action.run() == {"token": "t"}
    assert action.calls == [{"stacks": ["demo"], "holder": HERE, "dead": []}]


def test_the_lock_of_a_dead_run_is_taken_over(action):
    action.outcomes = [{"failed": True, "held_by": [lease("old", 41)]}, {"token": "t"}]
    assert action.run() == {"token": "t"}
    assert [call["dead"] for call in action.calls] == [[], ["old"]]


def test_the_lock_of_a_living_run_is_not(action):
    action.outcomes = [{"failed": True, "held_by": [lease("old", 42)]}]
    assert action.run()["failed"]
    assert len(action.calls) == 1


def test_what_a_dead_run_left_at_work_ends_the_attempts(action):
    refused = {"failed": True, "held_by": [lease("old", 41)]}
    action.outcomes = [refused, refused]
    assert action.run()["failed"]
    assert len(action.calls) == 2
