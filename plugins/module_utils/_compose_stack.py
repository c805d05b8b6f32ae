# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack on a host: brought up, or taken off it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Host, Run, read_containers
from ansible_collections.portside.stack.plugins.module_utils._compose_converge import converge
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service, services_of
from ansible_collections.portside.stack.plugins.module_utils._compose_patience import Patience
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_ports import held_ports
from ansible_collections.portside.stack.plugins.module_utils._compose_remove import remove_stack
from ansible_collections.portside.stack.plugins.module_utils._compose_report import (
    ActivationFailed,
    Interrupted,
    acted_on,
    failure_text,
    left_text,
    progress_line,
    redacted,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_resources import create_resource
from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation, Work, states
from ansible_collections.portside.stack.plugins.module_utils._compose_start import Start
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Convergence, Event
from ansible_collections.portside.stack.plugins.module_utils._edge_activate import Edge
from ansible_collections.portside.stack.plugins.module_utils._edge_server import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._edge_work import EdgeWork
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._lease import utc
from ansible_collections.portside.stack.plugins.module_utils._owned_places import set_right
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor
from ansible_collections.portside.stack.plugins.module_utils._release_store import START, ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener
from ansible_collections.portside.stack.plugins.module_utils._step_volumes import lose_steps

_INTERVAL = 0.25
_LOG_LINES = 20


class StackOnHost:
    """One stack on one host. ``params`` are definition, file, project_directory and wait_timeout (seconds), and the
    release that both are of, where one is activated.

    ``began`` tells whether anything on the host may be other than it was, ``reachable`` whether an engine answered.
    """

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        check_mode: bool,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        listeners: t.Callable[[], t.List[Listener]],
        tell: t.Callable[[str], None],
        network: t.Optional[HostNetwork] = None,
    ) -> None:
        self.definition: t.Dict[str, t.Any] = params["definition"]
        self.services = services_of(self.definition)
        self.stack: str = self.definition["name"]
        self.project_directory: str = params["project_directory"]
        self.check_mode, self.engine, self.run, self.listeners, self.tell = check_mode, engine, run, listeners, tell
        self.began, self.reachable = False, True
        self._file, self._timeout, self._clock = params["file"], params["wait_timeout"], clock
        release = params.get("release")
        self._start_path = ReleaseStore(self.project_directory).state_path(release, START) if release else ""
        self._patience = Patience(self.stack, clock, self._timeout, tell)
        self._ledger = OneShotLedger(self.project_directory)
        network = network or HostNetwork()
        self._edge = Edge(self.definition, self._file or "", self.project_directory, engine, run, clock, network, tell)
        self._firewall = Firewall(FileSystem(), run, clock.time)
        self._redact = redactor(os.path.join(self.project_directory, "secrets"))
        self._containers: t.List[Container] = []
        self._changed = False
        self._diff: t.Any = None
        self._actions: t.List[t.Dict[str, str]] = []
        self._acted: t.Dict[str, Action] = {}
        self._timeline: t.List[t.Dict[str, t.Any]] = []
        self._start = self._new_start()

    def look(self) -> Situation:
        """Read what is there now."""
        found = Situation(self.definition, self.project_directory, self.engine, self._clock.time(), self.check_mode)
        self._containers = found.containers
        self.reachable = found.reachable
        return found

    def volumes(self) -> t.List[str]:
        """The stack's own volumes that are on the host."""
        own = (self.definition.get("x-portside") or {}).get("volumes") or ()
        there = self.engine.get("/volumes").get("Volumes") or ()
        return sorted({volume["Name"] for volume in there}.intersection(own))

    # -- up --------------------------------------------------------------------------------------------------------

    def present(self) -> t.Dict[str, t.Any]:
        """Create what is missing, act on what differs, wait until all of it is up; in check mode, tell that."""
        if self.check_mode:
            found = self.look()
            _refuse(found.problems)
            work = found.everything()
            self._note(work, self._edge_work(work, True))
        else:
            self._until_up(Situation.everything, True)
            self._edge.settle(self._containers)
        return self.result()

    def start_missing(self, names: t.Iterable[str], themselves: bool = False) -> None:
        """Have up what these services depend on, or they ``themselves`` too; leave alone what runs, of any release.

        Raises as an activation does; nothing is brought back then.
        """
        wanted = frozenset(names)
        self._until_up(lambda found: found.needs_of(wanted, themselves), False)

    def _new_start(self) -> Start:
        return Start(self._clock, self._start_path, self._redact, self.tell)

    def _edge_work(self, work: Work, whole: bool) -> t.Optional[EdgeWork]:
        return self._edge.look(self._containers, work.services, work.plan.actions, self.check_mode, whole)

    def _until_up(self, plan: t.Callable[[Situation], Work], whole: bool) -> None:
        self._start = self._new_start()

        def once() -> None:
            found = self.look()
            self._patience.answered()
            _refuse([*found.problems, *found.absent_externals.values()])
            work = plan(found)
            edge = self._edge_work(work, whole)
            self._note(work, edge)
            self._attempt(work, edge)

        self._patience.through(once)

    def _note(self, work: Work, edge: t.Optional[EdgeWork]) -> None:
        """Keep what the first look planned for the result, and what a later one added."""
        diff, actions = work.diff(self._containers), work.plan.report()
        if edge is not None:
            diff, actions = edge.diff(diff), actions + edge.report()
        self._changed = self._changed or work.changes or bool(edge and edge.changes)
        self._diff = self._diff or diff
        self._actions += [action for action in actions if action not in self._actions]

    def _attempt(self, work: Work, edge: t.Optional[EdgeWork]) -> None:
        if work.plan.actions and not os.path.exists(self._file):
            raise StackError(
                "stack {0}: file {1} does not exist. Remedy: write the rendered document there first.".format(
                    self.stack, self._file
                )
            )
        if work.plan.changed and self._firewall.activate(self.stack, self.definition):
            self.tell("firewall: lets in what this release publishes")
        self._edge.prepare(edge, self._containers)
        lifeline = self.engine.lifeline()
        self.began = True
        try:
            # Before the volumes exist, so that an interrupted run leaves no record of work that is lost.
            self._ledger.lose(work.void)
            made = {resource.name for resource in work.missing if resource.kind == "volume"}
            lose_steps(ReleaseStore(self.project_directory), made, utc(self._clock.time()))
            for resource in work.missing:
                create_resource(self.stack, self.engine, resource)
                self.tell("created {0} {1}".format(resource.kind, resource.name))
            for place in work.places:
                set_right(self.stack, self.engine, place)
                self.tell("set {0} {1}: {2}".format(place.kind, place.name, place.wanted))
            self._edge.begin(edge)
            self._converge(work, edge)
        except (EngineUnavailable, Interrupted):
            raise
        except StackError as error:
            # What fails while the engine stops says nothing of the services: it is planned anew from what is there.
            if lifeline.broken() and self._clock.monotonic() - self._start.began < self._timeout:
                raise EngineUnavailable("the Docker engine was restarted") from error
            raise
        finally:
            lifeline.close()

    def _converge(self, work: Work, edge: t.Optional[EdgeWork]) -> None:
        plan = work.plan
        host = Host(
            self.stack,
            self.engine,
            self.run,
            self._clock,
            self._file,
            self.project_directory,
            self._event,
            self._completed,
            self._containers,
            work.ignored,
        )
        machine = Convergence(work.services, plan.actions, self._start.began, self._timeout)
        self._start.plan(plan.actions)
        try:
            self._remove(host, plan.orphans_first, "is not declared any more")
            self._remove(host, plan.in_the_way, "another service is to have its port")
            converge(machine, host, _INTERVAL, self._start.watch)
            machine.failure = machine.failure or self._edge.finish(edge, host.containers)
            if not machine.failure:
                self._remove(host, plan.orphans_last, "is not declared any more")
        finally:
            # Waits for what was begun: only then is it known what a failure leaves.
            host.close()
            touched = machine.touched | {container.service for container in plan.in_the_way}
            self._acted.update((name, action) for name, action in plan.actions.items() if name in touched)
            self._start.keep(machine.failure)
        if plan.changed:
            self._containers = read_containers(self.engine, self.stack, self._clock.time())
        if machine.failure:
            raise self._failed(machine, work, edge)

    def _remove(self, host: Host, containers: t.List[Container], why: str) -> None:
        for container in containers:
            self._event(Event(0.0, container.service, "remove ({0})".format(why), ""))
        host.remove(containers)

    def _failed(self, machine: Convergence, work: Work, edge: t.Optional[EdgeWork]) -> ActivationFailed:
        failure = redacted(machine.failure, self._redact)
        container = failure.container
        logs = [self._redact(line) for line in self.engine.logs(container.id, _LOG_LINES)] if container else []
        blocked = [self.services[failure.service]] if failure.output else []
        held = held_ports(self.stack, blocked, self.engine, self.listeners)
        left = work.plan.actions.keys() - self._acted.keys()
        if edge and edge.kept and not self._edge.began:
            left.add(edge.service)
        self._actions = [action for action in self._actions if action["service"] not in left]
        self._changed = bool(self._acted or self._edge.began or work.missing or work.places or work.plan.orphans_first)
        details = self.result()
        del details["diff"]
        for line in details["start_chart"]:
            self.tell(line)
        details["failure"] = {
            "service": failure.service,
            "reason": failure.reason,
            "logs": logs,
            "health": container.probe if container else "",
        }
        others = acted_on(self._acted, failure.service, machine.not_started)
        story = failure_text(self.stack, failure, logs, held)
        return ActivationFailed(story, left_text(self._file, failure.service, others), details, failure.untouched)

    def _completed(self, service: Service, container: Container) -> None:
        self._ledger.record(service.name, service.digest, container.image_id, container.finished)

    def _event(self, event: Event) -> None:
        self._timeline.append({"at": event.at, "service": event.service, "state": event.state})
        self.tell(progress_line(event))

    # -- off -------------------------------------------------------------------------------------------------------

    def absent(self) -> t.Dict[str, t.Any]:
        """Remove containers and networks. Volumes stay, always."""
        if not self.check_mode or self.look().reachable:
            self._actions = self._patience.through(lambda: remove_stack(self.stack, self.services, self.engine, self.check_mode, self.tell))
        forgotten = False if self.check_mode else self._ledger.clear()
        if not self.check_mode:
            self._edge.let_go()
            self._firewall.settle(self.stack, self.tell)
        self._changed = bool(self._actions or forgotten)
        before = "".join("{0}: present\n".format(action["service"]) for action in self._actions)
        return dict(self.result(), services={}, diff={"before": before, "after": ""})

    # -- results ---------------------------------------------------------------------------------------------------

    def result(self) -> t.Dict[str, t.Any]:
        """What every task returns."""
        return {
            "changed": self._changed,
            "actions": self._actions,
            "timeline": self._timeline,
            **self._start.result(),
            "services": states(self.services, self._containers, self._ledger.read()),
            "pulled": [],
            "diff": self._diff,
        }


def _refuse(problems: t.List[str]) -> None:
    if problems:
        raise StackError("\n".join(problems))
