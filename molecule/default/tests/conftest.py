"""Runs site.yml against the converged host, as a user would, and looks at the result."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess

import pytest

PROJECT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SECRETS = pathlib.Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent / ".secrets"
EDGE = "http://127.0.0.1:18080"


@dataclasses.dataclass
class Run:
    """One ansible-playbook run: its exit code, its output, its recap."""

    code: int
    output: str

    @property
    def recap(self) -> dict[str, int]:
        line = re.findall(r"^default\s+: (.*)$", self.output, re.M)[-1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


class Site:
    """Runs playbooks as a user would, telling as much as there is to tell, and keeps all they said."""

    def __init__(self) -> None:
        self.outputs: list[str] = []

    def __call__(self, *arguments: str, **extra) -> Run:
        playbook = arguments[0] if arguments and arguments[0].endswith(".yml") else "site.yml"
        rest = [one for one in arguments if one != playbook]
        command = ["ansible-playbook", playbook, "-i", os.environ["MOLECULE_INVENTORY_FILE"], "-vvv", "--diff", *rest]
        if extra:
            command += ["-e", json.dumps(extra)]
        plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
        done = subprocess.run(command, cwd=PROJECT, env=plain, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.outputs.append(done.stdout)
        return Run(done.returncode, done.stdout)


@pytest.fixture(scope="session")
def site():
    return Site()


@pytest.fixture()
def containers(host):
    """Service -> (container id, started at) of every container of the stack, as the engine tells it."""

    def read() -> dict[str, tuple[str, str]]:
        listed = host.check_output(
            "sudo docker ps --all --no-trunc --filter label=com.docker.compose.project=selflink --format '{{.ID}}'"
        )
        inspected = json.loads(host.check_output("sudo docker inspect %s" % " ".join(listed.split())))
        return {
            one["Config"]["Labels"]["com.docker.compose.service"]: (one["Id"], one["State"]["StartedAt"])
            for one in inspected
        }

    return read


@pytest.fixture(scope="session")
def probe():
    """Drives every kind of request through the edge, from outside the host."""

    def run() -> subprocess.CompletedProcess:
        secret = SECRETS / "realtime_jwt_secret"
        return subprocess.run(
            ["python3", "tests/apps/selflink_probe.py", EDGE, "--jwt-secret", secret.read_text().strip()],
            cwd=PROJECT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return run


@pytest.fixture(scope="session")
def reboot():
    """Restarts the host and waits until it answers."""

    def run() -> None:
        subprocess.run(["python3", "tests/bed", "reboot", "default"], cwd=PROJECT, check=True)

    return run
