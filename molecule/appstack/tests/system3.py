"""The stack of system 3, as its operators and its users see it. A pytest plugin: fixtures for whoever asks them."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
import testinfra
from deploys import HOST, INVENTORY, bed
from playbook import PROJECT, Playbook, Run
from web import Web

DIRECTORY = "/opt/stacks/appstack"


def eventually(what: str, condition: t.Callable[[], t.Any], seconds: float) -> t.Any:
    """What the condition says as soon as it says something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never within {seconds} s: {what}"
        time.sleep(0.2)
    return found


class Stack:
    """The stack and its host."""

    def __init__(self) -> None:
        self.published = json.loads(bed("up", HOST, "--json"))["published"]
        self.web = Web({"http": self.published["80"]})
        self.server = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(PROJECT / ".bed/ssh_config"), sudo=True)

    def run(self, playbook: str, *arguments: str, **extra) -> Run:
        """A whole run, however it ends."""
        return Playbook(f"playbooks/{playbook}.yml", INVENTORY, *arguments, **extra).end()

    def sh(self, command: str) -> str:
        """What a shell command of root says on the host; it has to succeed."""
        return self.server.check_output(command)

    def containers(self) -> dict[str, dict]:
        """Service -> what the engine tells of its container."""
        listed = self.sh("docker ps --all --quiet --filter label=com.docker.compose.project=appstack --filter label=com.docker.compose.oneoff=False")
        inspected = json.loads(self.sh(f"docker inspect {' '.join(listed.split())}"))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in inspected}

    def started(self) -> dict[str, tuple[str, str]]:
        """Service -> container and start, which differ when anything was done to it."""
        return {service: (one["Id"], one["State"]["StartedAt"]) for service, one in self.containers().items()}

    def files(self) -> str:
        """Everything that is kept of the stack, with times, to see that nothing was touched."""
        return self.sh(f"find {DIRECTORY} -not -name lock -printf '%p %m %u %T@ %l\\n' | sort")

    def ask(self, path: str, method: str = "GET", told: dict | None = None):
        """The answer that the proxy gives to a user."""
        body = json.dumps(told).encode() if told else b""
        return self.web.ask(f"http://127.0.0.1{path}", method, {"Content-Type": "application/json"} if told else None, body)


class Start(t.NamedTuple):
    """A start of all services: the run that did it, and its record, by service."""

    run: Run
    seconds: float
    services: dict[str, dict]


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack, as the inventory declares it."""
    return Stack()


@pytest.fixture(scope="session")
def start(stack) -> Start:
    """A cold one: no container is there."""
    stack.sh("docker rm --force $(docker ps --all --quiet)")
    run = stack.run("deploy")
    assert run.code == 0, run.output
    record = json.loads(stack.sh(f"cat {DIRECTORY}/current/state/start.json"))
    return Start(run, record["seconds"], {one["service"]: one for one in record["services"]})
