# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import (
    MAX_RESTARTS,
    SETTLE,
    Convergence,
    converge,
)
from hypothesis import given, settings
from hypothesis import strategies as st

HEALTHY, STARTED, COMPLETED = "service_healthy", "service_started", "service_completed_successfully"


def service(name, oneshot=False, scale=1, **depends_on):
    return Service(name, "d", "img", "", scale, oneshot, depends_on, frozenset(), (), frozenset())


class Fate:
    """What becomes of a service: how long Docker works on it, and its containers by the seconds since."""

    def __init__(self, *phases, work=0.5, error="", count=1):
        self.phases, self.work, self.error, self.count = phases, work, error, count

    def containers(self, name, age):
        keys = next((keys for until, keys in self.phases if age < until), {})
        keys = dict({"digest": "d", "uptime": age}, **keys)
        return [Container(id=f"{name}{number}", service=name, number=number, **keys) for number in range(self.count)]


EVER = 1e9


def healthy(at=1.0, **keys):
    return Fate((at, {"health": "starting"}), (EVER, {"health": "healthy"}), **keys)


def runs(at=2.0, code=0):
    return Fate((at, {}), (EVER, {"state": "exited", "exit_code": code, "finished": "then"}))


PLAIN = Fate()


class World:
    """A host where services fare as their fate says; time passes only by sleeping."""

    def __init__(self, services, fates, present=(), acting=()):
        self.services, self.fates, self.acting = services, fates, acting
        self.time = 0.0
        self.started = dict.fromkeys(present, -1000.0)
        self.working = {}
        self.log, self.recorded, self.launches = [], [], []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def containers(self):
        return [c for name, at in self.started.items() for c in self.fates[name].containers(name, self.time - at)]

    def launch(self, action):
        self.launches.append((self.time, action.service))
        self.working[action.service] = self.time + self.fates[action.service].work
        self.check_conditions(action.service)

    def ended(self):
        over = [name for name, at in self.working.items() if self.time >= at]
        for name in over:
            del self.working[name]
            if not self.fates[name].error:
                self.started[name] = self.time
        return [(name, self.fates[name].error) for name in over]

    def tell(self, event):
        self.log.append((event.service, event.state))

    def completed(self, one, container):
        self.recorded.append((one.name, container.finished))

    def needs(self, name, direct=True):
        """What is to hold when a service is launched: its own conditions, and those behind whatever is acted on."""
        for need, condition in self.services[name].depends_on.items():
            if direct or need in self.acting:
                yield need, condition
            if need in self.services:
                yield from self.needs(need, direct=False)

    def check_conditions(self, name):
        for need, condition in self.needs(name):
            one_shot = need in self.services and self.services[need].oneshot
            if need not in self.services or (one_shot and need not in [name for _at, name in self.launches]):
                continue  # given, or completed in an earlier run
            assert need not in self.working
            for one in self.fates[need].containers(need, self.time - self.started[need]):
                if condition == COMPLETED:
                    assert (one.state, one.exit_code) == ("exited", 0)
                elif condition == HEALTHY:
                    assert one.health == "healthy"


def go(services, fates, present=(), actions=None, timeout=60):
    services = {one.name: one for one in services}
    if actions is None:
        actions = {name: Action(name, "create", "has no container") for name in services if name not in present}
    world = World(services, fates, present, actions)
    machine = Convergence(services, actions, 0.0, timeout)
    converge(machine, world, 0.25)
    return machine, world


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


FATES = st.one_of(
    st.floats(0, 8).map(healthy),
    st.just(PLAIN),
    st.floats(0, 8).map(
        lambda at: Fate((at, {"health": "starting"}), (EVER, {"health": "unhealthy", "failed_probes": 3}))
    ),
    st.floats(0, 8).map(lambda at: Fate((at, {}), (EVER, {"state": "exited", "exit_code": 1}))),
    st.just(Fate(error="no")),
    st.just(healthy(EVER)),
)


@st.composite
def hosts(draw):
    services, fates, present, actions = [], {}, [], {}
    for number in range(draw(st.integers(1, 7))):
        name = f"s{number}"
        oneshot = draw(st.integers(0, 4)) == 0
        needs = {}
        for other in services:
            if draw(st.integers(0, 2)) == 0:
                needs[other.name] = COMPLETED if other.oneshot else draw(st.sampled_from([HEALTHY, STARTED]))
        services.append(service(name, oneshot=oneshot, **needs))
        fates[name] = draw(st.builds(runs, st.floats(0, 5), st.sampled_from([0, 0, 0, 1]))) if oneshot else draw(FATES)
        if draw(st.booleans()):
            present.append(name)
        if name not in present or draw(st.booleans()):
            actions[name] = Action(name, "recreate" if name in present else "create", "x")
    return services, fates, present, actions


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
