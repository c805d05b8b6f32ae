# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import IDLE, LockHeld, StackLock, busy_stacks
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

ALICE = {"who": "alice", "origin": "laptop", "pid": 41, "started": "x"}
BOB = {"who": "bob", "origin": "ci", "pid": 42, "started": "y"}
fork = multiprocessing.get_context("fork")


class Clock:
    def __init__(self, now=1764329554.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lock(tmp_path, clock):
    return StackLock("demo", clock, str(tmp_path), "boot")


def refusal(function, *arguments, **named):
    with pytest.raises(LockHeld) as caught:
        result = function(*arguments, **named)
        if hasattr(result, "__enter__"):
            result.__enter__()
    return caught.value


def test_the_refused_run_is_told_who_since_when_until_when_and_where(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)
    with lock.work("a", "release", 60):
        pass
    clock.now += 30
    with lock.work("a", "activate", 300):
        clock.now += 10
        error = refusal(lock.acquire, BOB, "deploy", "b", 120)
    assert str(error) == (
        "stack demo: alice@laptop (process 41) has the lock for a deploy since 2025-11-28T11:32:34Z (40 s ago), "
        "and is in the stage activate for 10 s now. "
        "Unless that run goes on, the lock ends by itself at 2025-11-28T11:40:04Z (in 410 s). "
        "Remedy: wait until that run ends, then run again. Nothing was changed by this one."
    )
    assert error.lease.token == "a"
    assert "after the stage activate" in str(refusal(lock.check))


def test_a_lease_ends_by_itself(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)
    clock.now += 119
    refusal(lock.acquire, BOB, "deploy", "b", 120)
    clock.now += 1
    assert lock.acquire(BOB, "deploy", "b", 120).who == "alice"
    assert "bob@ci (process 42) has it since" in str(refusal(lock.work, "a", "steps", 1))


def test_work_renews_by_its_own_limit_and_then_by_the_time_between_two_tasks(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)
    begin = clock.now
    with lock.work("a", "activate", 300):
        assert lock.read().expires == begin + 300 + IDLE
        clock.now += 20.04
        clock.now += 300
    assert lock.read().expires == clock.now + IDLE
    with pytest.raises(KeyError), lock.work("a", "verify", 1):
        raise KeyError
    assert lock.release("a").stages == [
        {"stage": "activate", "seconds": 320.0, "failed": False},
        {"stage": "verify", "seconds": 0.0, "failed": True},
    ]


def test_work_never_shortens_a_lease_as_other_hosts_may_need_the_time(lock, clock, tmp_path):
    other = StackLock("other", clock, str(tmp_path), "boot")
    for one in (lock, other):
        one.acquire(ALICE, "deploy", "a", 120)
    until = clock.now + 300 + IDLE
    with lock.work("a", "activate", 300):
        clock.now += 2
    # Here it was quick. The run is back only when its slowest host is done.
    assert [lock.read().expires, other.read().expires] == [until, until]
    with lock.work("a", "verify", 1):
        assert [lock.read().expires, other.read().expires] == [until, until]
    clock.now = until - 1
    assert "alice@laptop" in str(refusal(lock.acquire, BOB, "deploy", "b", 120))


def test_work_on_one_stack_keeps_the_leases_that_the_run_has_of_others(lock, clock, tmp_path):
    other, foreign = (StackLock(name, clock, str(tmp_path), "boot") for name in ("other", "foreign"))
    lock.acquire(ALICE, "deploy", "a", 120)
    other.acquire(ALICE, "deploy", "a", 120)
    foreign.acquire(BOB, "deploy", "b", 120)
    before = foreign.read()
    with lock.work("a", "activate", 300):
        clock.now += 300
        assert other.holder().token == "a"
    clock.now += IDLE - 1
    assert other.holder().token == "a"
    assert foreign.read() == before


def test_taking_it_again_renews_and_never_shortens(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)
    first = lock.read()
    clock.now += 60
    assert lock.acquire(ALICE, "deploy", "a", 120) is None
    assert lock.read() == first._replace(expires=clock.now + 120)
    lock.acquire(ALICE, "deploy", "a", 1)
    assert lock.read().expires == clock.now + 120


def test_a_lease_of_an_earlier_start_of_the_host_is_void(lock, clock, tmp_path):
    lock.acquire(ALICE, "deploy", "a", 120)
    rebooted = StackLock("demo", clock, str(tmp_path), "next boot")
    assert rebooted.holder() is None
    assert "the host was restarted" in str(refusal(rebooted.work, "a", "steps", 1))
    assert rebooted.release("a") is None
    assert rebooted.acquire(BOB, "deploy", "b", 120).token == "a"


def test_the_start_of_the_host_is_found_out_where_it_is_not_given(clock, tmp_path):
    StackLock("demo", clock, str(tmp_path)).acquire(ALICE, "deploy", "a", 120)
    assert StackLock("demo", clock, str(tmp_path)).holder().token == "a"


def test_only_the_own_lease_is_given_back(lock):
    lock.acquire(ALICE, "deploy", "a", 120)
    assert lock.release("b") is None
    assert lock.release("a").token == "a"
    assert lock.release("a") is None
    assert "it was given back" in str(refusal(lock.work, "a", "steps", 1))


def test_without_a_token_there_may_be_no_lease_and_none_is_made(lock, clock):
    with lock.work("", "reconcile", 10):
        assert lock.read() is None
        assert "one without a lock, in the stage reconcile since" in str(refusal(lock.work, "", "present", 1))
    lock.acquire(ALICE, "deploy", "a", 120)
    assert "alice@laptop" in str(refusal(lock.work, "", "reconcile", 10))
    clock.now += 121
    with lock.work("", "reconcile", 10):
        pass
    assert lock.release("a").stages == []


def test_a_run_that_is_known_dead_is_replaced_at_once(lock):
    lock.acquire(ALICE, "deploy", "a", 120)
    refusal(lock.acquire, BOB, "deploy", "b", 120, dead=["c"])
    assert lock.acquire(BOB, "deploy", "b", 120, dead=["a"]).token == "a"
    assert lock.holder().who == "bob"


def test_what_a_dead_run_left_at_work_is_waited_for(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)
    told, stack = [], contextlib.ExitStack()
    stack.enter_context(lock.work("a", "activate", 300))

    def sleep(seconds):
        clock.now += seconds
        if clock.now > 1764329554 + 20:
            stack.close()

    replaced = lock.acquire(BOB, "deploy", "b", 120, ["a"], sleep, told.append)
    assert replaced.stages == [{"stage": "activate", "seconds": 20.5, "failed": False}]
    assert lock.read().since == clock.now
    assert told == [
        "stack demo: the stage activate is still at work here, since 2025-11-28T11:32:34Z; "
        "waits for its end, until 2025-11-28T11:39:34Z at the latest"
    ]


def test_a_module_at_its_very_end_is_waited_for_and_not_taken_for_one_of_1970(lock, clock, tmp_path):
    lock.acquire(ALICE, "deploy", "a", 120)
    told, stack = [], contextlib.ExitStack()
    stack.enter_context(lock.work("a", "activate", 300))
    (tmp_path / "demo.work").write_text("")

    def sleep(seconds):
        clock.now += seconds
        if clock.now > 1764329554 + 2:
            stack.close()

    assert lock.acquire(BOB, "deploy", "b", 120, ["a"], sleep, told.append).token == "a"
    assert (lock.holder().who, told) == ("bob", [])


def test_a_module_that_never_says_what_it_does_is_waited_for_a_while(lock, clock, tmp_path):
    begin = clock.now

    def sleep(seconds):
        clock.now += seconds

    with lock.work("", "reconcile", 10):
        (tmp_path / "demo.work").write_text("")
        error = refusal(lock.acquire, BOB, "deploy", "b", 120, (), sleep)
    assert "one without a lock, at the beginning or end of a stage. Remedy" in str(error)
    assert clock.now == begin + IDLE


def test_it_is_waited_for_until_its_limit_only(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)

    def sleep(seconds):
        clock.now += seconds

    with lock.work("a", "activate", 30):
        assert "in the stage activate" in str(refusal(lock.acquire, BOB, "deploy", "b", 120, ["a"]))
        error = refusal(lock.acquire, BOB, "deploy", "b", 120, ["a"], sleep)
    assert "alice@laptop (process 41), in the stage activate since 2025-11-28T11:32:34Z (150 s ago)" in str(error)
    assert "(in 0 s)" in str(error)


def test_a_module_outlives_the_lease_it_was_started_with(lock, clock):
    lock.acquire(ALICE, "deploy", "a", 120)
    with lock.work("a", "activate", 30):
        lock.release("a")
    assert lock.read() is None


def test_everybody_may_read_the_lease_and_nobody_else_take_a_flock(lock, tmp_path):
    directory = tmp_path / "run"
    old = os.umask(0o077)
    try:
        lock = StackLock("demo", time.time, str(directory), "boot")
        lock.acquire(ALICE, "deploy", "a", 120)
        with lock.work("a", "activate", 30):
            pass
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == {"demo.lease": 0o644, "demo.lock": 0o600, "demo.work": 0o600}
    assert directory.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"token": "a"}', "null"])
def test_what_is_no_lease_counts_as_none(lock, tmp_path, text):
    (tmp_path / "demo.lease").write_text(text)
    (tmp_path / "demo.work").write_text(text)
    assert lock.read() is None
    assert lock.acquire(BOB, "deploy", "b", 120) is None


def test_a_name_that_is_no_stack_is_refused(clock, tmp_path):
    with pytest.raises(StackError, match="'../x' is not a project name"):
        StackLock("../x", clock, str(tmp_path))


# -- several processes ---------------------------------------------------------------------------------------------


def work_until_killed(directory, ready):
    with StackLock("demo", time.time, directory, "boot").work("a", "activate", 300):
        ready.set()
        time.sleep(60)


def test_a_killed_module_keeps_nobody_out_and_its_stage_is_known(tmp_path):
    lock = StackLock("demo", time.time, str(tmp_path), "boot")
    lock.acquire(ALICE, "deploy", "a", 120)
    ready = fork.Event()
    process = fork.Process(target=work_until_killed, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(30)
    assert "at this moment: alice@laptop" in str(refusal(lock.work, "a", "verify", 1))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with lock.work("a", "go back", 1):
        pass
    assert lock.acquire(BOB, "deploy", "b", 120, dead=["a"]).stages == [
        {"stage": "activate", "seconds": None, "failed": True},
        {"stage": "go back", "seconds": 0.0, "failed": False},
    ]


def test_the_stage_of_a_killed_module_is_known_to_who_replaces_the_run(tmp_path):
    lock = StackLock("demo", time.time, str(tmp_path), "boot")
    lock.acquire(ALICE, "deploy", "a", 120)
    ready = fork.Event()
    process = fork.Process(target=work_until_killed, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(30)
    process.kill()
    process.join()
    replaced = lock.acquire(BOB, "deploy", "b", 120, dead=["a"])
    assert replaced.stages == [{"stage": "activate", "seconds": None, "failed": True}]


def compete(directory, name, start):
    lock = StackLock("demo", time.time, directory, "boot")
    start.wait()
    won = 0
    while won < 20:
        token = "{0}-{1}".format(name, won)
        try:
            lock.acquire(ALICE, "deploy", token, 60)
        except LockHeld:
            continue
        with lock.work(token, "activate", 1):
            os.close(os.open(directory + "/inside", os.O_CREAT | os.O_EXCL))
            os.unlink(directory + "/inside")
        assert lock.release(token).stages[0]["failed"] is False
        won += 1


def test_of_processes_that_race_one_is_inside(tmp_path):
    start = fork.Barrier(3)
    processes = [fork.Process(target=compete, args=(str(tmp_path), name, start)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


# -- any order of events -------------------------------------------------------------------------------------------

RUNS = st.sampled_from("abc")


class Life(RuleBasedStateMachine):
    """Several runs against one lock, and beside it what should be true, in a few lines."""

    directory = ""

    def __init__(self):
        super().__init__()
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        self.clock = Clock()
        self.lock = StackLock("demo", self.clock, self.directory, "boot")
        self.owner, self.expires, self.worker, self.leave = None, 0, None, None

    def alive(self):
        return self.owner if self.owner and self.expires > self.clock.now else None

    def agrees(self, allowed, function, *arguments):
        try:
            result = function(*arguments)
        except LockHeld:
            assert not allowed
            return None
        assert allowed
        return result

    @rule(run=RUNS, seconds=st.integers(1, 300), dead=st.sets(RUNS))
    def acquire(self, run, seconds, dead):
        own = self.owner == run
        allowed = own or (self.alive() in {None, *dead} and self.worker is None)
        self.agrees(allowed, self.lock.acquire, ALICE, "deploy", run, seconds, dead)
        if allowed:
            until = self.clock.now + seconds
            self.expires = max(self.expires, until) if own else until
            self.owner = run

    @rule(run=st.sampled_from(["", "a", "b", "c"]), seconds=st.integers(1, 300))
    def begin(self, run, seconds):
        allowed = self.worker is None and (self.owner == run if run else self.alive() is None)
        stack = contextlib.ExitStack()
        self.agrees(allowed, stack.enter_context, self.lock.work(run, "activate", seconds))
        if allowed:
            self.worker, self.leave = run, stack
            if run:
                self.expires = max(self.expires, self.clock.now + seconds + IDLE)

    @precondition(lambda self: self.worker is not None)
    @rule()
    def end(self):
        self.leave.close()
        if self.worker and self.worker == self.owner:
            self.expires = max(self.expires, self.clock.now + IDLE)
        self.worker = self.leave = None

    @rule(run=RUNS)
    def release(self, run):
        assert (self.lock.release(run) is not None) == (self.owner == run)
        if self.owner == run:
            self.owner = None

    @rule(seconds=st.integers(1, 400))
    def wait(self, seconds):
        self.clock.now += seconds
        holder = self.lock.holder()
        assert (holder.token if holder else None) == self.alive()

    def teardown(self):
        if self.leave:
            self.leave.close()


def test_there_is_one_holder_at_most_whatever_happens(tmp_path):
    Life.directory = str(tmp_path)
    run_state_machine_as_test(Life, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))


def test_stacks_that_somebody_is_at_work_on_are_told_without_a_lock(lock, clock, tmp_path):
    def busy():
        before = sorted(path.name for path in tmp_path.iterdir())
        found = busy_stacks(clock, str(tmp_path), "boot")
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        return found

    assert busy() == set()
    assert busy_stacks(clock, str(tmp_path / "none"), "boot") == set()
    (tmp_path / "firewall.lock").touch()
    (tmp_path / "No Stack.lease").touch()
    lock.acquire(ALICE, "deploy", "a", 120)
    assert busy() == {"demo"}
    lock.release("a")
    assert busy() == set()
    # Without a lease, as at boot.
    with lock.work("", "reconcile", 600):
        assert busy() == {"demo"}
    assert busy() == set()
    lock.acquire(ALICE, "deploy", "a", 120)
    clock.now += 121
    assert busy() == set()
    assert busy_stacks(clock, str(tmp_path), "another boot") == set()
