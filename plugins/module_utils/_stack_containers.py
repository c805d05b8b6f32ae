# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of one stack, as probes of checks use them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_NUMBER, LABEL_PROJECT, LABEL_SERVICE, is_oneoff
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._engine_exec import HostProcesses, TimeIsUp, execute
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, Ran

# How a service begins whose secrets are variables of its process; what the engine runs besides has none of them.
_WRAPPER = ["/bin/sh", "/portside/environment"]
_HOST = "127.0.0.1"


class StackContainers:
    """``engine`` makes a client that waits for so many seconds."""

    def __init__(self, engine: t.Callable[[float], EngineClient], stack: str, clock: Clock, processes: HostProcesses) -> None:
        self._engine, self._stack, self._clock, self._processes = engine, stack, clock, processes

    def of(self, service: str, until: float) -> t.List[t.Dict[str, t.Any]]:
        """The inspections of a service's containers, by their numbers."""
        try:
            found = self._inspected(self._client(until), service)
        except (EngineUnavailable, EngineError) as error:
            raise _unanswered("the engine does not tell", error) from error
        if not found:
            raise Objection("service {0} has no container".format(service), remedy=self._remedy(service))
        return found

    def addresses(self, service: str, until: float) -> t.List[str]:
        """Where its running containers are reached from the host."""
        return [self._address(data, service, until) for data in self._running(service, until)]

    def execute(self, service: str, argv: t.Sequence[str], until: float) -> Ran:
        """Run a command in the first of its running containers, with the variables that its own process has."""
        data = self._running(service, until)[0]
        left = max(0.1, until - self._clock.monotonic())
        try:
            return Ran(*execute(self._client(until), data["Id"], [*_front(data), *argv], left, self._clock, self._processes))
        except TimeIsUp as error:
            said = "{0} did not end within {1:.1f} s, output".format(argv[0], left)
            raise Objection(said, error.output, self._remedy(service), late=True) from error
        except (EngineUnavailable, EngineError) as error:
            raise _unanswered("{0} could not be run".format(argv[0]), error) from error

    def _running(self, service: str, until: float) -> t.List[t.Dict[str, t.Any]]:
        every = self.of(service, until)
        found = [data for data in every if data["State"]["Status"] == "running"]
        if not found:
            said = "no container of service {0} runs: it is {1}".format(service, every[0]["State"]["Status"])
            raise Objection(said, remedy=self._remedy(service))
        return found

    def _client(self, until: float) -> EngineClient:
        return self._engine(max(0.1, until - self._clock.monotonic()))

    def _inspected(self, engine: EngineClient, service: str) -> t.List[t.Dict[str, t.Any]]:
        labels = ["{0}={1}".format(LABEL_PROJECT, self._stack), "{0}={1}".format(LABEL_SERVICE, service)]
        found = []
        for entry in engine.get("/containers/json", all=1, filters=json.dumps({"label": labels})):
            if is_oneoff(entry["Labels"]):
                continue
            try:
                found.append(engine.get("/containers/{0}/json".format(entry["Id"])))
            except EngineError as error:
                # It was replaced meanwhile.
                if error.status != 404:
                    raise
        return sorted(found, key=lambda data: int(data["Config"]["Labels"].get(LABEL_NUMBER) or 1))

    def _address(self, data: t.Dict[str, t.Any], service: str, until: float) -> str:
        mode = data["HostConfig"].get("NetworkMode") or ""
        if mode.startswith("container:"):
            try:
                data = self._client(until).get("/containers/{0}/json".format(mode[len("container:") :]))
            except (EngineUnavailable, EngineError) as error:
                raise _unanswered("the engine does not tell whose network it has", error) from error
            mode = data["HostConfig"].get("NetworkMode") or ""
        if mode == "host":
            return _HOST
        networks = [network for _name, network in sorted(data["NetworkSettings"]["Networks"].items())]
        for key in ("IPAddress", "GlobalIPv6Address"):
            for network in networks:
                if network.get(key):
                    return network[key]
        raise Objection("service {0} has no address that the host reaches".format(service), remedy="let it join a network of the stack")

    def _remedy(self, service: str) -> str:
        return "see the containers and the log of service {0} (docker ps --all, docker logs)".format(service)


def _unanswered(what: str, error: StackError) -> Objection:
    """What an engine that does not do what is asked is to a check; its own remedy goes where those of checks are."""
    said, _remedy, own = str(error).partition(" Remedy: ")
    late = isinstance(error, EngineUnavailable)
    remedy = own.rstrip(".") or "see the state of the container (docker ps --all), and journalctl -u docker"
    return Objection("{0}: {1}".format(what, said.rstrip(".")), remedy=remedy, late=late)


def _front(data: t.Mapping[str, t.Any]) -> t.List[str]:
    """What the service's own program has in front of it, if anything."""
    words = data["Config"].get("Entrypoint") or []
    return words[: words.index("--") + 1] if words[:2] == _WRAPPER and "--" in words else []
