"""Runs the role again with other variables, as a user would."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

SCENARIO = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])


@pytest.fixture(scope="session")
def play():
    def run(target: str, *arguments: str, **extra) -> subprocess.CompletedProcess:
        command = ["ansible-playbook", str(SCENARIO / "converge.yml"), "-i", os.environ["MOLECULE_INVENTORY_FILE"]]
        command += ["-e", json.dumps({"target": target, **extra}), *arguments]
        return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    return run
