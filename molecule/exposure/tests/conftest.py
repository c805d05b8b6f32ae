"""The host from inside, and playbooks as a user runs them."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess

import pytest

PROJECT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
_numbers = itertools.count(1)
# What an engine before 28 wants besides, where there is no firewall.
HARDENED = ("iptables -P FORWARD DROP", "iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP")


@pytest.fixture(scope="session")
def addresses() -> list[str]:
    """Where the host is reached from this machine, which is another one."""
    done = subprocess.run(["python3", str(PROJECT / "tests" / "bed"), "up", "exposed", "--json"], text=True, capture_output=True, check=True)
    found = json.loads(done.stdout)
    return [found["address"], found["address6"]]


@pytest.fixture(scope="session")
def play(addresses):
    """Runs a playbook: its exit code and all that it said."""

    def run(playbook: str, **extra) -> tuple[int, str]:
        command = ["ansible-playbook", str(PROJECT / "playbooks" / f"{playbook}.yml"), "-i", os.environ["MOLECULE_INVENTORY_FILE"]]
        told = json.dumps({"stack_probe_addresses": addresses, **extra})
        done = subprocess.run([*command, "-e", told], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    return run


@pytest.fixture
def new_release() -> dict:
    """The variable that makes another release."""
    return {"exposure_run": str(next(_numbers))}


@pytest.fixture(scope="module")
def root(host):
    with host.sudo():
        for command in HARDENED:
            host.check_output(command)
        yield host


@pytest.fixture
def serving(root):
    """The release that is current, the version that answers, and the containers by service."""

    def look() -> tuple[str, str, dict[str, str]]:
        current = root.check_output("readlink /opt/stacks/shop/current")
        listed = root.check_output("docker ps --no-trunc --filter label=com.docker.compose.project=shop --format '{{.Names}} {{.ID}}'")
        version = root.check_output("docker exec shop-web-1 printenv RUN")
        assert '"service": "web"' in root.check_output("curl -sf http://127.0.0.1/")
        return current, version, dict(line.split() for line in listed.splitlines())

    return look
