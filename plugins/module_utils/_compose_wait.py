# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of an activation: what may be started now, what is awaited, and when it has failed.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action

# Nothing but time tells a service without a healthcheck from one that dies at once; a container that was restarted
# has to stand as long as the engine itself asks before it forgets the restarts.
SETTLE = 3.0
STEADY = 10.0
MAX_RESTARTS = 3
# What nothing was done for may be down so long, as while the engine is restarted; after that the engine does not bring it back.
LEFT_DOWN = 30.0
# From the worst: a service is as well as its worst container.
RANKS = ("missing", "created", "dead", "removing", "exited", "paused", "restarting", "unhealthy", "starting", "running")


class Failure(t.NamedTuple):
    """Why an activation ended. ``untouched`` tells that nothing was done for the service: another activation may start it."""

    service: str
    reason: str
    container: t.Optional[Container] = None
    output: str = ""
    untouched: bool = False


class Event(t.NamedTuple):
    """A service's state changed."""

    at: float
    service: str
    state: str
    before: str


def worst(service: Service, containers: t.List[Container]) -> t.Optional[Container]:
    """The container that decides about its service; none when containers are missing."""
    if len(containers) < (1 if service.oneshot else service.scale):
        return None
    return min(containers, key=lambda c: (_rank(c), -c.restarts, c.number), default=None)


def _rank(container: Container) -> int:
    state = state_of(container)
    return RANKS.index(state) if state in RANKS else len(RANKS)


def _needs_behind(services: t.Mapping[str, Service]) -> t.Dict[str, t.FrozenSet[t.Tuple[str, str]]]:
    """What each service depends on, with the condition, however indirectly; ``services`` come dependencies first."""
    behind: t.Dict[str, t.FrozenSet[t.Tuple[str, str]]] = {}
    for name, service in services.items():
        needs = service.depends_on
        behind[name] = frozenset(needs.items()).union(*(behind.get(need, frozenset()) for need in needs))
    return behind


def state_of(container: t.Optional[Container]) -> str:
    """A container's health where it has one, else its state."""
    if container is None:
        return "missing"
    return container.health if container.state == "running" and container.health else container.state


class Convergence:
    """All services of a stack on their way to be up. Told what happens, it says what to do; it does nothing itself."""

    def __init__(
        self,
        services: t.Mapping[str, Service],
        actions: t.Mapping[str, Action],
        started: float,
        wait_timeout: float,
    ) -> None:
        self.services = services
        self.failure: t.Optional[Failure] = None
        self.started = started
        self._deadline = started + wait_timeout
        self._todo = {name: action for name, action in actions.items() if not action.adopted}
        # For which Docker is being called at this moment.
        self.at_work: t.Set[str] = set()
        # Since when each service that was acted on has been awaited, and when the work on it began.
        self.acted = {name: started for name, action in actions.items() if action.adopted}
        self.begun = dict(self.acted)
        self.not_started: t.Set[str] = set()
        idle = {name for name in services if name not in actions or actions[name].action == "remove"}
        self._done = {name for name in idle if services[name].oneshot}
        self._behind = _needs_behind(services)
        self._seen: t.Dict[str, t.Optional[Container]] = {}
        self._down: t.Dict[str, float] = {}
        self._told: t.Dict[str, str] = {}
        self.completed: t.List[t.Tuple[Service, Container]] = []
        self.now = started

    def observe(self, now: float, containers: t.Iterable[Container]) -> t.List[Event]:
        """Take in what the engine says; answers what changed."""
        self.now = now
        own: t.Dict[str, t.List[Container]] = {name: [] for name in self.services}
        for container in containers:
            own.setdefault(container.service, []).append(container)
        events = []
        for name, service in self.services.items():
            matching = [c for c in own[name] if c.digest == service.digest]
            self._seen[name] = worst(service, matching or own[name] if service.oneshot else own[name])
            if name in self.acted and name not in self._done:
                self._judge(service, self._seen[name])
            elif not (service.oneshot or name in self._todo or name in self.at_work):
                self._judge_untouched(service, self._seen[name])
            state = self.state(name)
            if name not in self.at_work and self._told.get(name, state) != state:
                events.append(self._event(name, state))
            if name not in self.at_work:
                self._told[name] = state
        self._check_conditions()
        return events

    def due(self) -> t.List[Action]:
        """What may be started now."""
        if self.failure:
            return []
        return [action for name, action in self._todo.items() if not self._open_needs(name)]

    def launched(self, name: str) -> Event:
        """The work on a service has begun."""
        action = self._todo.pop(name)
        self.at_work.add(name)
        self.begun[name] = self.now
        event = self._event(name, "{0} ({1})".format(action.action, action.reason))
        self._told[name] = ""
        return event._replace(before="")

    def ended(self, now: float, name: str, error: str) -> None:
        """The work on a service has ended; with an error, unless that is empty. To be followed by observe()."""
        self.at_work.discard(name)
        self.acted[name] = now
        if error:
            self.not_started.add(name)
            self._fail(Failure(name, "could not be started", self._seen.get(name), error))

    @property
    def touched(self) -> t.Set[str]:
        """The services that something was done for, or is being done."""
        return {*self.acted, *self.at_work}

    @property
    def done(self) -> bool:
        """Whether everything is up, at this very moment."""
        return not self._todo and not self.at_work and not self.failure and not self.unsettled()

    def unsettled(self) -> t.List[str]:
        """The services that are not what they should be."""
        return [name for name in self.services if not self._settled(name)]

    def container(self, name: str) -> t.Optional[Container]:
        """The container that decides about a service."""
        return self._seen.get(name)

    def state(self, name: str) -> str:
        """How a service is, in a word."""
        container = self._seen.get(name)
        if name in self._done:
            return "completed"
        if container is not None and container.state == "exited":
            return "exited ({0})".format(container.exit_code)
        return state_of(container)

    def is_up(self, name: str) -> bool:
        """Whether a service is all that anybody may wait for of it: completed, healthy, or running without a healthcheck."""
        container = self._seen.get(name)
        health = "service_healthy" if container is not None and container.health else "service_started"
        return self._fulfilled(name, "service_completed_successfully" if self.services[name].oneshot else health)

    def waiting(self) -> t.Dict[str, t.List[t.Tuple[str, str]]]:
        """Every service that is still to be started, with the needs that keep it from that, and their conditions."""
        return {name: self._open_needs(name) for name in self._todo}

    def behind(self, name: str) -> t.List[str]:
        """The services still to be started that need this one, however indirectly."""
        return [other for other in self._todo if name in {need for need, _condition in self._behind[other]}]

    def expire(self) -> None:
        """Fail if the deadline has passed."""
        if self.now < self._deadline or self.failure:
            return
        late = self.unsettled() or sorted(self.at_work)
        culprits = [name for name in late if name not in self._todo] or late
        reason = "was not up after {0:.0f} s: {1}".format(self.now - self.started, self._wait_of(culprits[0]))
        others = ["{0} ({1})".format(name, self._wait_of(name)) for name in late if name != culprits[0]]
        if others:
            reason += "; nor were {0}".format(", ".join(others))
        self._fail(Failure(culprits[0], reason, self._seen.get(culprits[0])))

    def _wait_of(self, name: str) -> str:
        if name not in self._todo:
            return self.state(name)
        needs = ["{0} ({1})".format(need, condition[8:]) for need, condition in self._open_needs(name)]
        return "not started, waits for {0}".format(", ".join(needs))

    def _open_needs(self, name: str) -> t.List[t.Tuple[str, str]]:
        """What keeps a service from being started: its own dependencies, then those behind them.

        Behind them only what is acted on counts: a pooler stays up while its database is recreated, and nobody may
        be sent to it meanwhile.
        """
        direct = [need for need in self.services[name].depends_on.items() if not self._fulfilled(*need)]
        if direct:
            return direct
        in_work = {*self._todo, *self.at_work, *self.acted}
        return [need for need in sorted(self._behind[name]) if need[0] in in_work and not self._fulfilled(*need)]

    def _event(self, name: str, state: str) -> Event:
        before = self._told.get(name, "")
        self._told[name] = state
        return Event(round(self.now - self.started, 1), name, state, before)

    def _fail(self, failure: Failure) -> None:
        self.failure = self.failure or failure

    def _settled(self, name: str) -> bool:
        service = self.services[name]
        container = self._seen.get(name)
        if service.oneshot:
            return name in self._done
        if name in self._todo or name in self.at_work:
            return False
        if container is None:
            return service.scale == 0
        if container.digest != service.digest:
            return False
        steady = STEADY if container.restarts else SETTLE
        return state_of(container) == "healthy" or (state_of(container) == "running" and container.uptime >= steady)

    def _fulfilled(self, name: str, condition: str) -> bool:
        if name not in self.services:
            return True
        if name in self._todo or name in self.at_work:
            return False
        if name in self._done:
            return True
        container = self._seen.get(name)
        if container is None:
            return self.services[name].scale == 0
        if container.state != "running" or condition == "service_completed_successfully":
            return False
        return condition == "service_started" or container.health == "healthy"

    def _judge(self, service: Service, container: t.Optional[Container]) -> None:
        """Fail, or complete, a service that was acted on."""
        since = "{0:.1f} s".format(self.now - self.acted[service.name])
        if container is None:
            return
        if container.digest != service.digest:
            why = "was made from another document: the Compose file on the host is not the given definition"
            self._fail(Failure(service.name, why, container))
        elif container.state in ("exited", "dead"):
            if service.oneshot and container.exit_code == 0:
                self._done.add(service.name)
                self.completed.append((service, container))
                return
            kind = "did not complete" if service.oneshot else "stopped"
            self._fail(Failure(service.name, "{0}: exited with code {1}".format(kind, container.exit_code), container))
        elif state_of(container) == "unhealthy" and container.failed_probes:
            # Without a failed probe it is what was left from before a pause.
            reason = "never became healthy: unhealthy after {0} failed probes ({1} after its start)"
            self._fail(Failure(service.name, reason.format(container.failed_probes, since), container))
        elif container.restarts >= MAX_RESTARTS:
            reason = "keeps dying: restarted {0} times within {1}, last exit code {2}"
            self._fail(Failure(service.name, reason.format(container.restarts, since, container.exit_code), container))

    def _judge_untouched(self, service: Service, container: t.Optional[Container]) -> None:
        """Fail where a service that nothing was done for stopped, and is left so."""
        if container is None or container.state not in ("exited", "dead"):
            self._down.pop(service.name, None)
            return
        seconds = self.now - self._down.setdefault(service.name, self.now)
        if seconds >= LEFT_DOWN:
            reason = "stopped meanwhile: exited with code {0}, and the engine has not started it again within {1:.0f} s"
            self._fail(Failure(service.name, reason.format(container.exit_code, seconds), container, untouched=True))

    def _check_conditions(self) -> None:
        """Fail where a service waits for a health nobody measures."""
        for name in self._todo:
            for need, condition in self._open_needs(name):
                container = self._seen.get(need)
                if need in self._todo or need in self.at_work or container is None:
                    continue
                if condition == "service_healthy" and container.state == "running" and container.health is None:
                    reason = "waits for {0} to be healthy, but {0} has no healthcheck".format(need)
                    self._fail(Failure(name, reason))
