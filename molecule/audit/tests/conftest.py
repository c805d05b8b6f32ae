"""The audit as a user runs it: nothing but the name of a host."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

CHECKOUT = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parent.parent


@pytest.fixture(scope="session")
def addresses() -> list[str]:
    """Where the host is reached from this machine, which is another one."""
    done = subprocess.run(["python3", str(CHECKOUT / "tests" / "bed"), "up", "audit", "--json"], text=True, capture_output=True, check=True)
    found = json.loads(done.stdout)
    return [found["address"], found["address6"]]


@pytest.fixture
def audit(addresses, tmp_path):
    """Runs the playbook; its report, and all that it said and wrote."""

    def run(*arguments: str) -> tuple[dict, str]:
        extra = {"audit_directory": str(tmp_path / "out"), "audit_addresses": addresses}
        extra["ansible_ssh_common_args"] = "-F {0}".format(CHECKOUT / ".bed" / "ssh_config")
        command = ["ansible-playbook", str(CHECKOUT / "playbooks" / "audit.yml"), "-i", "audit,", "-e", json.dumps(extra), *arguments]
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0 and "changed=0 " in done.stdout, done.stdout
        written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
        assert sorted(written) == ["audit.html", "audit.json"]
        return json.loads(written["audit.json"]), done.stdout + "".join(written.values())

    return run
