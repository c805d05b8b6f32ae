# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in which services fare as told, for what drives and watches an activation."""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._compose_converge import converge
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence
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


def go(services, fates, present=(), actions=None, timeout=60, watch=lambda _machine: None):
    """The end of an activation on such a host, which begins at 0."""
    services = {one.name: one for one in services}
    if actions is None:
        actions = {name: Action(name, "create", "has no container") for name in services if name not in present}
    world = World(services, fates, present, actions)
    machine = Convergence(services, actions, 0.0, timeout)
    converge(machine, world, 0.25, watch)
    return machine, world


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
