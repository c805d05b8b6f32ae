# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack `notes` on a host of the bed, as its operators and its users see it. A pytest plugin: fixtures for whoever deploys it.

Molecule says which host and inventory; without it they are those of `make test-faults`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import testinfra
from load import Load
from playbook import POLL, PROJECT, Playbook, Run
from registry import Registry

HOST = os.environ.get("MOLECULE_SCENARIO_NAME", "faults")
INVENTORY = os.environ.get("MOLECULE_INVENTORY_FILE", str(PROJECT / "tests/faults/inventory/hosts.yml"))
DIRECTORY = "/opt/stacks/notes"
REPOSITORY = "registry.test:5000/portside/notes"
SECRET = "nobody-may-read-this-one"

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_numbers = itertools.count(int(time.time()))


def new_release() -> str:
    """A value of notes_run that no release had: with it the same version is another release."""
    return str(next(_numbers))


def bed(*arguments: str) -> str:
    """A command of the test bed."""
    return subprocess.run(["python3", "tests/bed", *arguments], cwd=PROJECT, check=True, text=True, stdout=subprocess.PIPE).stdout


class Notes:
    """The stack."""

    def __init__(self) -> None:
        published = json.loads(bed("up", HOST, "--json"))["published"]
        # The variables of the last deploy that went well: with them a run has nothing to do.
        self.good: dict = {}
        self.edge = f"http://127.0.0.1:{published['80']}"
        self.server = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(PROJECT / ".bed/ssh_config"), sudo=True)

    # -- deploying -------------------------------------------------------------------------------------------------

    def start(self, playbook: str, *arguments: str, **extra) -> Playbook:
        """Begins a run."""
        return Playbook(f"playbooks/{playbook}.yml", INVENTORY, *arguments, **extra)

    def run(self, playbook: str, *arguments: str, **extra) -> Run:
        """A whole run."""
        done = self.start(playbook, *arguments, **extra).end()
        assert SECRET not in done.output, "a secret is in the output"
        return done

    def deploy(self, *arguments: str, **extra) -> Run:
        """A deploy, however it ends."""
        return self.run("deploy", *arguments, **extra)

    def deployed(self, **extra) -> str:
        """A deploy that has to go well; returns the release."""
        done = self.deploy(**extra)
        assert done.code == 0, done.output
        self.good = extra
        return self.current()

    def rollback(self, **extra) -> Run:
        """A rollback, however it ends."""
        return self.run("rollback", stack="notes", **extra)

    # -- the host --------------------------------------------------------------------------------------------------

    def sh(self, command: str) -> str:
        """What a shell command of root says on the host; it has to succeed."""
        return self.server.check_output(command)

    def current(self) -> str:
        """The release that the link names, which has to be whole."""
        release = self.sh(f"basename $(readlink {DIRECTORY}/current)")
        assert release in self.releases(), f"current names {release}, which is not complete"
        return release

    def releases(self) -> set[str]:
        """The complete releases; anything else beside them would be a leftover."""
        names = set(self.sh(f"ls -A {DIRECTORY}/releases").split())
        complete = {path.split("/")[-2] for path in self.sh(f"ls {DIRECTORY}/releases/*/release.json").split()}
        assert names == complete, f"left over: {names - complete}"
        return complete

    def record(self, release: str) -> dict:
        """What the release is."""
        return json.loads(self.sh(f"cat {DIRECTORY}/releases/{release}/release.json"))

    def history(self) -> list[dict]:
        """The events, oldest first. One that had no room on the disk is half a line."""
        lines = self.sh(f"cat {DIRECTORY}/history.jsonl").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def containers(self) -> dict[str, dict]:
        """Service -> what the engine tells of its container."""
        listed = self.sh("docker ps --all --quiet --filter label=com.docker.compose.project=notes --filter label=com.docker.compose.oneoff=False")
        inspected = json.loads(self.sh(f"docker inspect {' '.join(listed.split())}")) if listed else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in inspected}

    def started(self) -> dict[str, tuple[str, str]]:
        """Service -> container and start, which differ when anything was done to it."""
        return {service: (one["Id"], one["State"]["StartedAt"]) for service, one in self.containers().items()}

    def files(self) -> str:
        """Everything that is kept of the stack, with times, to see that nothing was touched."""
        return self.sh(f"find {DIRECTORY} -printf '%p %m %u %T@ %l\\n' | sort")

    def sql(self, query: str, database: str = "notes") -> str:
        """What the database answers."""
        return self.sh(f'docker exec notes-postgres-1 psql -U notes -d {database} -tAc "{query}"')

    def wait_for_work(self, stage: str) -> None:
        """Returns when a module of that stage is at work on the host."""
        self.sh(f"timeout 60 sh -c 'until grep -qs {stage} /run/portside/notes.work; do sleep {POLL}; done'")

    @contextlib.contextmanager
    def registry_gone(self, how: str = "REJECT"):
        """The registry does not answer: REJECT says so, DROP lets the engine wait."""
        rule = f"OUTPUT -d registry.test -p tcp --dport 5000 -j {how}"
        self.sh(f"iptables -I {rule}")
        try:
            yield
        finally:
            # A reboot has taken it away already.
            self.sh(f"iptables -D {rule} || ! iptables -C {rule}")

    @contextlib.contextmanager
    def full_disk(self, directory: str):
        """The directory is on a file system without a free byte; what is written when there is room again stays."""
        full = "/mnt/full"
        self.sh(f"mkdir -p {full} && mount -t tmpfs -o size=16m tmpfs {full} && cp -a {directory}/. {full}")
        self.sh(f"! cp /dev/zero {full}/ballast 2>/dev/null && mount --bind {full} {directory}")
        try:
            yield
        finally:
            self.sh(f"rm {full}/ballast; umount -l {directory} && cp -a {full}/. {directory} && umount -l {full}")

    # -- users -----------------------------------------------------------------------------------------------------

    def users(self) -> Load:
        """Requests to the edge, from `with` on."""
        return Load(self.edge)

    def get(self, path: str) -> tuple[int, str, str]:
        """(status, version, body) of one request; status 0 is no answer."""
        try:
            with _opener.open(self.edge + path, timeout=5) as answer:
                return answer.status, answer.headers.get("X-Version", ""), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("X-Version", ""), error.read().decode()
        except OSError as error:
            return 0, "", str(error)

    def version(self) -> str:
        """The version that serves users now."""
        status, version, body = self.get("/notes")
        assert status == 200, (status, body)
        return version

    def version_within(self, seconds: float) -> str:
        """The version that serves users, at most so much later."""
        deadline = time.monotonic() + seconds
        while (answer := self.get("/notes"))[0] != 200:
            assert time.monotonic() < deadline, f"nobody is served: {answer}"
            time.sleep(1)
        return answer[1]


@pytest.fixture(scope="session")
def notes() -> Notes:
    """The stack, as the inventory declares it."""
    stack = Notes()
    stack.deployed()
    return stack


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The registry's repository of the application."""
    return Registry("portside/notes")


@pytest.fixture()
def users(notes):
    """Load while the test runs; what it saw is shown with the test's output."""
    with notes.users() as load:
        yield load
    print(load.report())
