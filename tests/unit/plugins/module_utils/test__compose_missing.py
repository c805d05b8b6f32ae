# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_missing import groundwork, needed_by
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence

HEALTHY, STARTED, COMPLETED = "service_healthy", "service_started", "service_completed_successfully"


def service(name, oneshot=False, scale=1, follows=(), **depends_on):
    return Service(name, "new", "img", "", scale, oneshot, depends_on, frozenset(follows), (), frozenset())


def up(name, **keys):
    return Container(**dict({"id": name, "service": name, "digest": "old", "health": "healthy", "uptime": 99.0}, **keys))


def ground(services, containers=(), ledger=None, void=(), name="api"):
    services = {one.name: one for one in services}
    return groundwork("demo", services, containers, ledger or {}, {}, void, {name})


def steps(found):
    return [(action.service, action.action) for action in found.plan.actions.values()]


def settled(found, containers):
    """Whether it counts as up with these containers and nothing more done."""
    machine = Convergence(found.services, found.plan.actions, 0.0, 60)
    machine.observe(0.0, [container for container in containers if container.id not in found.ignored])
    return machine.done


def test_what_is_needed_is_needed_however_far_behind_and_nobody_needs_himself():
    services = {one.name: one for one in (service("db"), service("pool", db=HEALTHY), service("api", pool=STARTED, gone=STARTED))}
    assert needed_by(services, {"api"}) == {"db", "pool"}
    assert needed_by(services, {"api", "pool"}) == {"db", "pool"}
    assert needed_by(services, {"db"}) == set()


def test_services_themselves_are_started_where_they_are_to_be():
    services = {one.name: one for one in (service("disk"), service("db", disk=STARTED), service("api", db=HEALTHY))}
    found = groundwork("demo", services, [up("disk")], {}, {}, (), {"db"}, themselves=True)
    assert steps(found) == [("db", "create")]
    assert steps(groundwork("demo", services, [up("disk"), up("db")], {}, {}, (), {"db"}, themselves=True)) == []


def test_what_runs_counts_whatever_it_was_made_from():
    services = [service("db"), service("api", db=HEALTHY)]
    found = ground(services, [up("db")])
    assert steps(found) == []
    assert settled(found, [up("db")])
    assert not settled(found, [up("db", health="starting")])


@pytest.mark.parametrize("half", [{"digest": "new"}, {"digest": "old"}])
def test_half_of_a_recreation_does_not_keep_what_runs_from_counting(half):
    containers = [up("db"), up("db", id="half", state="created", health=None, **half)]
    found = ground([service("db"), service("api", db=HEALTHY)], containers)
    assert steps(found) == []
    assert settled(found, containers)


@pytest.mark.parametrize(
    ("containers", "action"),
    [
        ([], "create"),
        ([up("db", state="exited")], "recreate"),
        ([up("db", state="exited", digest="new")], "start"),
    ],
)
def test_what_does_not_run_is_brought_up_as_it_is_declared_now(containers, action):
    assert steps(ground([service("db"), service("api", db=HEALTHY)], containers)) == [("db", action)]


def test_what_is_tied_to_something_new_is_left_alone_too():
    services = [service("db"), service("side", follows=["db"], db=STARTED), service("api", side=STARTED)]
    assert steps(ground(services, [up("side")])) == [("db", "create")]


def test_what_runs_without_a_healthcheck_is_not_waited_for_to_become_healthy():
    services = [service("db"), service("pool", db=HEALTHY), service("api", pool=STARTED)]
    found = ground(services, [up("db", health=None)])
    assert found.services["pool"].depends_on == {"db": STARTED}
    machine = Convergence(found.services, found.plan.actions, 0.0, 60)
    machine.observe(0.0, [up("db", health=None)])
    assert [action.service for action in machine.due()] == ["pool"]


def test_a_one_shot_runs_unless_it_ever_completed():
    services = [service("migrate", oneshot=True), service("api", migrate=COMPLETED)]
    assert steps(ground(services)) == [("migrate", "run")]
    earlier = {"migrate": {"done": {"older": {}}}}
    assert steps(ground(services, ledger=earlier)) == []
    assert settled(ground(services, ledger=earlier), [])
    assert steps(ground(services, ledger=earlier, void={"migrate"})) == [("migrate", "run")]
    assert steps(ground(services, ledger={"migrate": {"lost": True}})) == [("migrate", "run")]


def test_a_one_shot_that_still_runs_for_another_release_is_not_ended_for_a_step():
    services = [service("migrate", oneshot=True), service("api", migrate=COMPLETED)]
    assert steps(ground(services, [up("migrate")], {"migrate": {"done": {"older": {}}}})) == []


def test_what_is_scaled_to_nothing_is_not_awaited():
    services = [service("db", scale=0), service("api", db=STARTED)]
    containers = [up("db", state="exited")]
    found = ground(services, containers)
    assert steps(found) == []
    assert settled(found, containers)


def test_what_is_not_needed_is_not_looked_at():
    services = [service("db"), service("api", db=HEALTHY), service("worker", api=STARTED)]
    found = ground(services, [up("db"), up("worker", state="exited")])
    assert set(found.services) == {"db"}
    assert not found.plan.changed
