"""The host from inside and from outside, and the role with other variables, as a user would run it."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import time

import pytest

SCENARIO = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
BED = SCENARIO.parent.parent / "tests" / "bed"
IMAGE = "--rm --volume /usr:/usr:ro web python3 -m http.server"


@pytest.fixture(scope="session")
def play():
    def run(*arguments: str, playbook="converge.yml", **extra) -> subprocess.CompletedProcess:
        command = ["ansible-playbook", str(SCENARIO / playbook), "-i", os.environ["MOLECULE_INVENTORY_FILE"]]
        return subprocess.run([*command, "-e", json.dumps(extra), *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    return run


@pytest.fixture(scope="session")
def bed():
    def run(command: str) -> dict:
        done = subprocess.run(["python3", str(BED), command, "firewall", "--json"], text=True, capture_output=True, check=True)
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def seen(bed):
    """The families by which a port of the host answers to this machine."""
    found = bed("up")

    def look(port: int) -> set[str]:
        return {family for family, address in (("v4", found["address"]), ("v6", found["address6"])) if _answers(address, port)}

    return look


def _answers(address: str, port: int) -> bool:
    """True when there is an answer: the engine's proxy takes connections whether or not anybody is behind it."""
    try:
        with socket.create_connection((address, port), timeout=2) as one:
            if port != 22:
                one.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return bool(one.recv(4))
    except OSError:
        return False


@pytest.fixture(scope="session")
def until():
    """Waits for something to become true."""

    def wait(condition, seconds: float) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds
            time.sleep(1)
        return time.monotonic() - began

    return wait


@pytest.fixture
def root(host):
    with host.sudo():
        yield host


@pytest.fixture(scope="session")
def containers(until, seen):
    """One that the stack has, by its port, and one that somebody started by hand."""

    def start(host) -> None:
        host.check_output("docker rm --force edge database")
        host.check_output("docker run --detach --name edge --publish 8080:80 %s 80" % IMAGE)
        host.check_output("docker run --detach --name database --publish 5432:5432 %s 5432" % IMAGE)
        until(lambda: host.run("curl -sf -o /dev/null http://127.0.0.1:5432").rc == 0, 30)
        until(lambda: host.run("curl -sf -o /dev/null http://127.0.0.1:8080").rc == 0, 30)

    return start
