# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import (
    MAX_RESTARTS,
    SETTLE,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from start_world import COMPLETED, EVER, HEALTHY, PLAIN, STARTED, Fate, go, healthy, hosts, runs, service


def test_everything_up_is_over_at_once():
    machine, world = go([service("db")], {"db": healthy()}, present=["db"])
    assert machine.done
    assert (world.time, world.log, world.launches) == (0.0, [], [])


def test_a_service_starts_as_soon_as_its_conditions_hold():
    services = [service("db"), service("migrate", oneshot=True, db=HEALTHY), service("api", migrate=COMPLETED)]
    machine, world = go(services, {"db": healthy(3.0), "migrate": runs(2.0), "api": healthy()})
    assert machine.done
    assert world.launches == [(0.0, "db"), (3.5, "migrate"), (6.0, "api")]
    assert world.recorded == [("migrate", "then")]
    assert world.log[:4] == [
        ("db", "create (has no container)"),
        ("db", "starting"),
        ("db", "healthy"),
        ("migrate", "create (has no container)"),
    ]


def test_independent_services_do_not_wait_for_each_other():
    services = [service("slow"), service("quick"), service("next", quick=HEALTHY)]
    _machine, world = go(services, {"slow": healthy(30.0, work=20.0), "quick": healthy(), "next": healthy()})
    assert dict((name, at) for at, name in world.launches)["next"] < 2


def test_a_dependant_waits_for_the_new_container_not_for_the_old():
    services = [service("db"), service("api", db=HEALTHY)]
    actions = {name: Action(name, "recreate", "x") for name in ("db", "api")}
    _machine, world = go(services, {"db": healthy(2.0, work=5.0), "api": healthy()}, ["db", "api"], actions)
    assert world.launches == [(0.0, "db"), (7.0, "api")]


def behind_a_pooler(db, pooler=PLAIN, condition=HEALTHY):
    """A database that gets a new container, behind a pooler that stays, and a migration that goes through the pooler."""
    services = [service("db"), service("pool", db=condition), service("migrate", oneshot=True, pool=STARTED)]
    actions = {"db": Action("db", "recreate", "x"), "migrate": Action("migrate", "run", "x")}
    fates = {"db": db, "pool": pooler, "migrate": runs()}
    return go(services, fates, ["db", "pool"], actions, timeout=20)


def test_nobody_is_sent_to_what_still_waits_for_its_own_dependency():
    machine, world = behind_a_pooler(healthy(4.0, work=2.0))
    assert machine.done
    assert world.launches == [(0.0, "db"), (6.0, "migrate")]


def test_the_deadline_names_what_is_behind_a_dependency():
    machine, _world = behind_a_pooler(healthy(EVER))
    assert machine.failure.reason.endswith("nor were migrate (not started, waits for db (healthy))")


def test_what_loses_its_healthcheck_behind_a_dependency_is_told_at_once():
    machine, world = behind_a_pooler(PLAIN)
    assert machine.failure.reason == "waits for db to be healthy, but db has no healthcheck"
    assert world.time < 2


def test_what_is_unwell_behind_a_dependency_and_not_acted_on_holds_nothing_up():
    services = [service("db"), service("pool", db=HEALTHY), service("api", pool=STARTED)]
    fates = {"db": Fate((1005.0, {"health": "starting"}), (EVER, {"health": "healthy"})), "pool": PLAIN, "api": PLAIN}
    machine, world = go(services, fates, ["db", "pool"], {"api": Action("api", "recreate", "x")})
    assert machine.done
    assert world.launches == [(0.0, "api")]


def test_what_is_scaled_to_nothing_behind_a_dependency_holds_nothing_up():
    services = [service("db", scale=0), service("pool", db=STARTED), service("api", pool=STARTED, db=STARTED)]
    actions = {"db": Action("db", "remove", "x"), "api": Action("api", "create", "x")}
    fates = {"db": Fate(count=0), "pool": PLAIN, "api": PLAIN}
    machine, world = go(services, fates, ["pool"], actions)
    assert machine.done
    assert [name for _at, name in world.launches] == ["db", "api"]


def test_a_one_shot_of_another_release_is_ended_and_counts_as_completed():
    services = [service("migrate", oneshot=True), service("api", migrate=COMPLETED)]
    actions = {"migrate": Action("migrate", "remove", "x"), "api": Action("api", "recreate", "x")}
    fates = {"migrate": Fate(count=0, work=3.0), "api": healthy()}
    machine, world = go(services, fates, ["migrate", "api"], actions)
    assert machine.done
    assert world.recorded == []
    assert world.launches == [(0.0, "migrate"), (3.0, "api")]


def test_a_recorded_one_shot_fulfils_its_condition():
    services = [service("migrate", oneshot=True), service("api", migrate=COMPLETED)]
    actions = {"api": Action("api", "create", "x")}
    machine, _world = go(services, {"migrate": PLAIN, "api": healthy()}, actions=actions)
    assert machine.done


def test_an_adopted_one_shot_is_awaited_and_recorded_not_launched():
    actions = {"migrate": Action("migrate", "run", "x", adopted=True)}
    fates = {"migrate": Fate((1005.0, {}), (EVER, {"state": "exited", "finished": "then"}))}
    machine, world = go([service("migrate", oneshot=True)], fates, ["migrate"], actions)
    assert machine.done
    assert (world.launches, world.recorded, world.time) == ([], [("migrate", "then")], 5.0)


def test_a_failed_one_shot_fails_at_once_and_its_dependants_never_start():
    services = [service("migrate", oneshot=True), service("api", migrate=COMPLETED)]
    machine, world = go(services, {"migrate": runs(2.0, code=3), "api": healthy()})
    assert machine.failure.service == "migrate"
    assert machine.failure.reason == "did not complete: exited with code 3"
    assert [name for _at, name in world.launches] == ["migrate"]
    assert world.recorded == []


def test_an_unhealthy_service_fails_at_once():
    fate = Fate((4.0, {"health": "starting"}), (EVER, {"health": "unhealthy", "failed_probes": 5, "probe": "exit 7"}))
    machine, world = go([service("api")], {"api": fate})
    assert machine.failure.reason == "never became healthy: unhealthy after 5 failed probes (4.0 s after its start)"
    assert world.time < 5


def test_what_is_unhealthy_without_a_failed_probe_is_awaited():
    fate = Fate((2.0, {"health": "unhealthy"}), (EVER, {"health": "healthy"}))
    assert go([service("api")], {"api": fate})[0].done


def test_an_unchanged_unhealthy_service_gets_until_the_deadline():
    late = Fate((1020.0, {"health": "unhealthy", "failed_probes": 9}), (EVER, {"health": "healthy"}))
    machine, world = go([service("api")], {"api": late}, ["api"])
    assert machine.done
    assert world.time == 20
    machine, world = go([service("api")], {"api": late}, ["api"], timeout=10)
    assert machine.failure.reason == "was not up after 10 s: unhealthy"


def stops(seconds, then):
    return Fate((1005.0, {"health": "starting"}), (1005.0 + seconds, {"state": "exited", "exit_code": 137}), (EVER, then))


def test_what_stops_meanwhile_and_is_left_so_is_not_awaited_for_long():
    machine, world = go([service("db")], {"db": stops(500, {"health": "healthy"})}, ["db"], timeout=600)
    assert machine.failure.reason == "stopped meanwhile: exited with code 137, and the engine has not started it again within 30 s"
    assert machine.failure.untouched and world.time < 40


def test_what_the_engine_starts_again_is_awaited():
    machine, world = go([service("db")], {"db": stops(20, {"health": "healthy"})}, ["db"], timeout=600)
    assert machine.done and world.time < 30


@pytest.mark.parametrize("state", ["exited", "dead"])
def test_a_service_that_stops_fails_at_once(state):
    machine, world = go([service("api")], {"api": Fate((1.0, {}), (EVER, {"state": state, "exit_code": 2}))})
    assert machine.failure.reason == "stopped: exited with code 2"
    assert world.time < 2


def test_a_crash_loop_fails_after_three_restarts():
    phases = [(n + 1.0, {"restarts": n, "uptime": 0.5, "exit_code": 1}) for n in range(9)]
    machine, _world = go([service("api")], {"api": Fate(*phases)})
    assert machine.failure.reason.startswith(f"keeps dying: restarted {MAX_RESTARTS} times within 3.0 s, last exit")


def test_without_a_healthcheck_a_service_has_to_stand_a_while():
    machine, world = go([service("api")], {"api": PLAIN})
    assert machine.done
    assert world.time == pytest.approx(0.5 + SETTLE)


def test_a_restarted_service_has_to_stand_longer():
    fate = Fate((1.0, {"state": "restarting", "restarts": 1, "uptime": 0.0}), (EVER, {"restarts": 1}))
    machine, world = go([service("api")], {"api": fate})
    assert machine.done
    assert world.time == 10.5


def test_a_service_that_falls_ill_while_others_are_awaited_is_no_success():
    fates = {
        "db": Fate((2.0, {"health": "healthy"}), (EVER, {"state": "exited", "exit_code": 137})),
        "api": healthy(9.0),
    }
    machine, _world = go([service("db"), service("api")], fates)
    assert machine.failure.service == "db"


def test_all_replicas_have_to_be_up():
    machine, _world = go([service("api", scale=2)], {"api": healthy(count=1)}, timeout=5)
    assert machine.failure.reason == "was not up after 5 s: missing"
    assert go([service("api", scale=2)], {"api": healthy(count=2)})[0].done


def test_what_compose_says_is_kept():
    machine, _world = go([service("api")], {"api": Fate(error="address already in use")})
    assert (machine.failure.reason, machine.failure.output) == ("could not be started", "address already in use")
    assert machine.not_started == {"api"}


def test_a_container_of_another_document_is_no_success():
    machine, _world = go([service("api")], {"api": Fate((EVER, {"digest": "other", "health": "healthy"}))})
    assert "another document" in machine.failure.reason


def test_waiting_for_the_health_of_what_has_no_healthcheck_fails_at_once():
    services = [service("db"), service("api", db=HEALTHY)]
    machine, world = go(services, {"db": PLAIN, "api": healthy()})
    assert machine.failure == machine.failure._replace(
        service="api", reason="waits for db to be healthy, but db has no healthcheck"
    )
    assert world.time < 2


def test_the_deadline_names_what_it_hangs_on_and_what_waits_for_it():
    services = [service("db"), service("api", db=HEALTHY), service("edge", api=HEALTHY)]
    machine, world = go(services, {"db": healthy(EVER), "api": healthy(), "edge": healthy()}, timeout=10)
    assert machine.failure.service == "db"
    assert machine.failure.reason == (
        "was not up after 10 s: starting; nor were api (not started, waits for db (healthy)), "
        "edge (not started, waits for api (healthy))"
    )
    assert world.time == 10


def test_a_dependency_outside_the_document_counts_as_there():
    assert go([service("api", profile_off=STARTED)], {"api": healthy()})[0].done


@settings(max_examples=200, deadline=None)
@given(hosts(), st.integers(1, 40))
def test_any_stack_ends_in_time_and_starts_nothing_too_early(host, timeout):
    services, fates, present, actions = host
    # World.launch asserts that the conditions hold at that moment.
    machine, world = go(services, fates, present, actions, timeout)
    assert world.time <= timeout
    assert machine.done is (machine.failure is None)
    launched = Counter(name for _at, name in world.launches)
    assert set(launched) <= set(actions)
    assert all(count == 1 for count in launched.values())
    if machine.done:
        assert set(launched) == set(actions)
        assert not machine.unsettled()
        for one in services:
            if not one.oneshot:
                (container,) = fates[one.name].containers(one.name, world.time - world.started[one.name])
                assert container.state == "running"
                assert container.health in ("healthy", None)
