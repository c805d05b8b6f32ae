# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._start_record import StartRecord, not_up
from hypothesis import given, settings
from hypothesis import strategies as st
from start_world import COMPLETED, EVER, HEALTHY, PLAIN, STARTED, Fate, go, healthy, hosts, runs, service


def recorded(services, fates, present=(), actions=None, timeout=60):
    if actions is None:
        actions = {one.name: Action(one.name, "create", "has no container") for one in services if one.name not in present}
    record = StartRecord(0.0)
    record.plan(actions)
    machine, world = go(services, fates, present, actions, timeout, record.watch)
    return machine, record.told("2026-11-22T01:00:00Z", world.time, machine.failure.service if machine.failure else "")


def times(record):
    return {one["service"]: (one["begun"], one["up"]) for one in record["services"]}


def waits(record):
    return {one["service"]: {wait["service"]: wait["seconds"] for wait in one["waited_for"]} for one in record["services"]}


def test_who_waited_for_whom_with_which_condition_and_how_long():
    services = [service("db"), service("redis"), service("migrate", oneshot=True, db=HEALTHY), service("api", migrate=COMPLETED, redis=STARTED)]
    fates = {"db": healthy(3.0), "redis": healthy(1.0), "migrate": runs(2.0), "api": healthy(4.0)}
    machine, record = recorded(services, fates)
    assert machine.done and record["recorded"] == "2026-11-22T01:00:00Z"
    assert times(record) == {"db": (0.0, 3.5), "redis": (0.0, 1.5), "migrate": (3.5, 6.0), "api": (6.0, 10.5)}
    assert record["services"][3] == {
        "service": "api",
        "action": "create",
        "reason": "has no container",
        "begun": 6.0,
        "up": 10.5,
        "state": "healthy",
        "waited_for": [
            {"service": "migrate", "condition": COMPLETED, "seconds": 6.0},
            {"service": "redis", "condition": STARTED, "seconds": 0.5},
        ],
    }
    assert [one["state"] for one in record["services"]] == ["healthy", "healthy", "completed", "healthy"]
    assert record["seconds"] == 10.5 and not_up(record) == []


def test_independent_services_start_at_the_same_time():
    _machine, record = recorded([service("one"), service("other"), service("last", one=HEALTHY)], {"one": healthy(5.0), "other": healthy(5.0), "last": PLAIN})
    (begun, up), (other_begun, other_up), _last = times(record).values()
    assert max(begun, other_begun) < min(up, other_up)
    assert waits(record)["other"] == {}


def test_nothing_that_was_done_is_no_record():
    assert recorded([service("db")], {"db": healthy()}, present=["db"])[1] is None
    actions = {"db": Action("db", "remove", "2 containers, 1 wanted")}
    assert recorded([service("db")], {"db": healthy()}, present=["db"], actions=actions)[1] is None


def test_what_was_up_already_was_not_waited_for_and_what_is_new_was():
    services = [service("db"), service("pool", db=HEALTHY), service("api", pool=HEALTHY)]
    actions = {"db": Action("db", "recreate", "x"), "api": Action("api", "recreate", "x")}
    _machine, record = recorded(services, {"db": healthy(2.0), "pool": healthy(), "api": healthy()}, ["db", "pool", "api"], actions)
    assert waits(record) == {"db": {}, "api": {"db": 2.5}}
    assert times(record)["db"] == (0.0, 2.5)


def test_a_failure_tells_what_was_not_up():
    services = [service("db"), service("cache"), service("api", db=HEALTHY)]
    fates = {"db": Fate((4.0, {"health": "starting"}), (EVER, {"health": "unhealthy", "failed_probes": 3})), "cache": healthy(), "api": PLAIN}
    machine, record = recorded(services, fates)
    assert machine.failure.service == "db"
    assert not_up(record) == ["db", "api"]
    assert [(one["service"], one["state"]) for one in record["services"]] == [("db", "unhealthy"), ("cache", "healthy"), ("api", "not started")]
    assert times(record)["api"] == (None, None) and waits(record)["api"] == {"db": 4.5}


def test_what_is_still_being_started_at_the_end_is_not_up():
    fates = {"db": Fate((EVER, {"health": "healthy"}), work=30.0), "api": Fate((1.0, {}), (EVER, {"state": "exited", "exit_code": 1}))}
    _machine, record = recorded([service("db"), service("api")], fates, present=["db"], actions={name: Action(name, "recreate", "x") for name in fates})
    assert {one["service"]: one["state"] for one in record["services"]} == {"db": "being started", "api": "exited (1)"}
    assert not_up(record) == ["db", "api"]


def test_what_has_not_stood_for_long_enough_at_the_deadline_was_not_up():
    machine, record = recorded([service("db"), service("api", db=HEALTHY)], {"db": healthy(7.0), "api": PLAIN}, timeout=9)
    assert machine.failure.service == "api"
    assert not_up(record) == ["api"] and record["services"][1]["state"] == "running"


def test_an_adopted_one_shot_was_begun_at_once():
    actions = {"migrate": Action("migrate", "run", "x", adopted=True)}
    fates = {"migrate": Fate((1005.0, {}), (EVER, {"state": "exited"}))}
    assert times(recorded([service("migrate", oneshot=True)], fates, ["migrate"], actions)[1]) == {"migrate": (0.0, 5.0)}


def test_a_second_attempt_goes_on_with_the_record_of_the_first():
    record = StartRecord(0.0)
    services, actions = [service("db")], {"db": Action("db", "create", "first")}
    record.plan(actions)
    go(services, {"db": healthy(EVER)}, (), actions, 5, record.watch)
    record.plan({"db": Action("db", "start", "second")})
    go(services, {"db": healthy(2.0)}, (), {"db": Action("db", "start", "second")}, 60, record.watch)
    (found,) = record.told("", 9.0)["services"]
    assert (found["reason"], found["begun"], found["up"]) == ("first", 0.0, 2.5)


@settings(max_examples=150, deadline=None)
@given(hosts(), st.integers(1, 40))
def test_of_any_start(host, timeout):
    services, fates, present, actions = host
    machine, record = recorded(services, fates, present, actions, timeout)
    if record is None:
        assert not machine.begun
        return
    assert {one["service"] for one in record["services"]} == set(actions)
    for one in record["services"]:
        begun, longest = one["begun"], max((wait["seconds"] for wait in one["waited_for"]), default=0.0)
        assert (begun is None) == (one["service"] not in machine.begun)
        assert longest <= (record["seconds"] if begun is None else begun)
        if begun:
            # It is begun as soon as nobody is waited for: all of that time somebody was.
            assert sum(wait["seconds"] for wait in one["waited_for"]) >= begun - 0.1 * len(services)
        if one["up"] is not None:
            assert begun <= one["up"] <= record["seconds"]
    assert (not not_up(record)) or not machine.done
