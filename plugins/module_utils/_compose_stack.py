# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module compose_stack does, in its three states.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import (
    Clock,
    Host,
    Run,
    compose_argv,
    last_lines,
    read_containers,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_images import image_ids, image_users, pull
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container, Service, services_of
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Plan, is_done, make_plan, summary, voided
from ansible_collections.portside.stack.plugins.module_utils._compose_ports import port_problems
from ansible_collections.portside.stack.plugins.module_utils._compose_remove import remove_stack
from ansible_collections.portside.stack.plugins.module_utils._compose_report import (
    acted_on,
    failure_text,
    progress_line,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_resources import (
    Missing,
    absent_externals,
    missing_resources,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import (
    Convergence,
    Event,
    converge,
    state_of,
    worst,
)
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener

_INTERVAL = 0.25
_LOG_LINES = 20


class ActivationFailed(StackError):
    """A service failed; ``details`` is what the task's result says besides the message."""

    def __init__(self, message: str, details: t.Dict[str, t.Any]) -> None:
        super().__init__(message)
        self.details = details


class StackOnHost:
    """One stack on one host: reads first, then acts."""

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        check_mode: bool,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        listeners: t.Callable[[], t.List[Listener]],
        tell: t.Callable[[str], None],
    ) -> None:
        self.services = services_of(params["definition"])
        self.stack: str = params["definition"]["name"]
        self._params, self._check = params, check_mode
        self._engine, self._run, self._clock = engine, run, clock
        self._listeners, self._tell = listeners, tell
        self._ledger = OneShotLedger(params["project_directory"])
        self._timeline: t.List[t.Dict[str, t.Any]] = []
        self._read()

    def _read(self) -> None:
        wanted = self._params["definition"].get("x-portside") or {}
        networks: t.Dict[str, t.Any] = {}
        volumes: t.Dict[str, t.Any] = {}
        self.reachable = True
        self.containers: t.List[Container] = []
        images: t.Dict[str, str] = {}
        try:
            self.containers = read_containers(self._engine, self.stack, self._clock.time())
            networks = {network["Name"]: network for network in self._engine.get("/networks")}
            volumes = {volume["Name"]: volume for volume in self._engine.get("/volumes").get("Volumes") or ()}
            if self._params["refresh"] and self._params["state"] == "present":
                images = image_ids(self._engine, (service.image for service in self.services.values()))
        except EngineUnavailable as error:
            if not self._check:
                raise StackError("stack {0}: {1}".format(self.stack, error)) from error
            self.reachable = False
        self.missing, self.problems = missing_resources(self.stack, wanted, networks, volumes)
        # Another stack of the same run may make them before it is this one's turn.
        if self._params["state"] == "present" and not self._check:
            self.problems += absent_externals(self.stack, self._params["definition"], networks, volumes)
        ledger = self._ledger.read()
        ran = {*ledger, *(container.service for container in self.containers)}
        self._void = ran & voided(self.services, {one.name for one in self.missing if one.kind == "volume"})
        ids = {name: network["Id"] for name, network in networks.items()}
        self.plan: Plan = make_plan(self.services, self.containers, ledger, ids, images, self._void)

    # -- pulled ----------------------------------------------------------------------------------------------------

    def pulled(self) -> t.Dict[str, t.Any]:
        """Have everything that is needed on the host, or say all that is wrong."""
        starting = [self.services[name] for name in self.plan.actions]
        problems = self._document_problems() + self.problems + self._held_ports(starting)
        users = image_users(self.services.values())
        before = image_ids(self._engine, (image for image, _platform in users)) if self.reachable else {}
        wanted = {key: names for key, names in users.items() if self._params["refresh"] or key[0] not in before}
        if not self._check:
            problems += pull(self.stack, wanted, self._run, self._tell)
        if problems:
            raise StackError("\n".join(problems))
        references = sorted({image for image, _platform in wanted})
        if self._check:
            # Whether a refresh finds something newer only the registry knows.
            pulled = [reference for reference in references if reference not in before]
        else:
            after = image_ids(self._engine, references)
            pulled = [reference for reference in references if after.get(reference) != before.get(reference)]
        result = self._result(bool(pulled))
        result["pulled"] = pulled
        text = "".join("image {0}: pulled\n".format(reference) for reference in pulled)
        result["diff"] = {"before": "", "after": text}
        return result

    def _document_problems(self) -> t.List[str]:
        argv = [*compose_argv("-", self._params["project_directory"]), "config", "--quiet"]
        try:
            code, _out, err = self._run(argv, json.dumps(self._params["definition"], ensure_ascii=False))
        except StackError:
            if self._check:
                return []
            raise
        if not code or (self._check and not self.reachable):
            return []
        return [
            "stack {0}: Compose refuses the document: {1}. Remedy: correct the key it names under stacks: {0}.".format(
                self.stack, last_lines(err)
            )
        ]

    def _held_ports(self, starting: t.List[Service]) -> t.List[str]:
        if not any(service.ports for service in starting):
            return []
        running = self._engine.containers(stopped=False) if self.reachable else []
        return port_problems(self.stack, starting, running, self._listeners())

    # -- present ---------------------------------------------------------------------------------------------------

    def present(self) -> t.Dict[str, t.Any]:
        """Create what is missing, act on what differs, wait until all of it is up."""
        if self.problems:
            raise StackError("\n".join(self.problems))
        result = self._result(self.plan.changed or bool(self.missing))
        result["diff"] = self._diff()
        if self._check:
            return result
        if self.plan.actions and not os.path.exists(self._params["file"]):
            raise StackError(
                "stack {0}: file {1} does not exist. Remedy: write the rendered document there first.".format(
                    self.stack, self._params["file"]
                )
            )
        # Before the volumes exist, so that an interrupted run leaves no record of work that is lost.
        self._ledger.lose(self._void)
        for resource in self.missing:
            self._create(resource)
        self._converge()
        result.update(timeline=self._timeline, services=self._states())
        return result

    def _create(self, resource: Missing) -> None:
        try:
            self._engine.post("/{0}s/create".format(resource.kind), resource.body)
        except EngineError as error:
            raise StackError(
                "stack {0}: {1} {2} could not be created: {3}. Remedy: correct it under stacks: {0}.{1}s.".format(
                    self.stack, resource.kind, resource.name, error
                )
            ) from error
        self._tell("created {0} {1}".format(resource.kind, resource.name))

    def _converge(self) -> None:
        host = Host(
            self.stack,
            self._engine,
            self._run,
            self._clock,
            self._params["file"],
            self._params["project_directory"],
            self._event,
            self._completed,
            self.containers,
        )
        try:
            self._remove(host, self.plan.orphans_first, "is not declared any more")
            self._remove(host, self.plan.in_the_way, "another service is to have its port")
            machine = Convergence(self.services, self.plan.actions, host.now(), self._params["wait_timeout"])
            converge(machine, host, _INTERVAL)
            if not machine.failure:
                self._remove(host, self.plan.orphans_last, "is not declared any more")
        finally:
            # Waits for what was begun: only then is it known what a failure leaves.
            host.close()
        if self.plan.changed:
            self.containers = read_containers(self._engine, self.stack, self._clock.time())
        if machine.failure:
            raise self._failed(machine)

    def _remove(self, host: Host, containers: t.List[Container], why: str) -> None:
        for container in containers:
            self._event(Event(0.0, container.service, "remove ({0})".format(why), ""))
        host.remove(containers)

    def _failed(self, machine: Convergence) -> ActivationFailed:
        failure = machine.failure
        container = failure.container
        logs = self._engine.logs(container.id, _LOG_LINES) if container else []
        touched = machine.touched | {container.service for container in self.plan.in_the_way}
        acted = {name: action for name, action in self.plan.actions.items() if name in touched}
        left = self.plan.actions.keys() - acted.keys()
        details = self._result(bool(acted or self.missing or self.plan.orphans_first))
        details.update(
            actions=[action for action in details["actions"] if action["service"] not in left],
            timeline=self._timeline,
            services=self._states(),
            failure={
                "service": failure.service,
                "reason": failure.reason,
                "logs": logs,
                "health": container.probe if container else "",
            },
        )
        held = self._held_ports([self.services[failure.service]]) if failure.output else []
        others = acted_on(acted, failure.service, machine.not_started)
        return ActivationFailed(failure_text(self.stack, self._params["file"], failure, logs, held, others), details)

    def _completed(self, service: Service, container: Container) -> None:
        self._ledger.record(service.name, service.digest, container.image_id, container.finished)

    def _event(self, event: Event) -> None:
        self._timeline.append({"at": event.at, "service": event.service, "state": event.state})
        self._tell(progress_line(event))

    # -- absent ----------------------------------------------------------------------------------------------------

    def absent(self) -> t.Dict[str, t.Any]:
        """Remove containers and networks. Volumes stay, always."""
        removed = (
            remove_stack(self.stack, self.services, self._engine, self._check, self._tell) if self.reachable else []
        )
        forgotten = False if self._check else self._ledger.clear()
        before = "".join("{0}: present\n".format(action["service"]) for action in removed)
        return {
            "changed": bool(removed or forgotten),
            "actions": removed,
            "timeline": [],
            "services": {},
            "pulled": [],
            "diff": {"before": before, "after": ""},
        }

    # -- results ---------------------------------------------------------------------------------------------------

    def _result(self, changed: bool) -> t.Dict[str, t.Any]:
        return {
            "changed": changed,
            "actions": self.plan.report(),
            "timeline": self._timeline,
            "services": self._states(),
            "pulled": [],
        }

    def _states(self) -> t.Dict[str, t.Any]:
        states = {}
        ledger = self._ledger.read()
        done = [
            name
            for name, service in self.services.items()
            if service.oneshot and is_done(service, ledger.get(name), {})
        ]
        for name, service in self.services.items():
            own = [container for container in self.containers if container.service == name]
            container = worst(service, own)
            states[name] = {
                "state": "completed" if name in done else state_of(container),
                "health": container.health if container else None,
                "containers": sorted(one.id for one in own),
            }
        return states

    def _diff(self) -> t.Dict[str, str]:
        diff = summary(self.services, self.containers, self.plan)
        created = "".join("{0} {1}: created\n".format(one.kind, one.name) for one in self.missing)
        return {"before": diff["before"], "after": created + diff["after"]}
