"""The stack of this scenario, seen from its host as root and as somebody who may only ask. A pytest plugin, which test files can import from."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re

import pytest
from deploys import DIRECTORY

AWKWARD = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "awkward.txt").read_bytes()
BANNER = AWKWARD.replace(b"nobody", b"everybody")


def problems(output: str) -> list[str]:
    """What a run that failed says is wrong, each on its own."""
    (told,) = re.findall(r"^fatal: .* => (\{.*\})$", output, re.M)
    return json.loads(told)["msg"].splitlines()


@pytest.fixture()
def process_environment(notes):
    """Variable -> value, byte for byte as the program of a service was started with it."""

    def read(service: str) -> dict[str, bytes]:
        text = notes.sh(f"base64 --wrap 0 /proc/{notes.containers()[service]['State']['Pid']}/environ")
        entries = base64.b64decode(text).split(b"\0")[:-1]
        return {name.decode(): value for name, _, value in (entry.partition(b"=") for entry in entries)}

    return read


@pytest.fixture()
def shown_in(notes):
    """The places outside of containers that show one of some texts."""
    # A command, and what it is certain to say.
    places = {
        "docker inspect": ("docker ps --all --quiet | xargs docker inspect", "notes-api-1"),
        "docker compose config": (f"docker compose --file {DIRECTORY}/current/compose.yaml config", "notes.wsgi"),
        "process list": ("ps -eww -o args", "notes.wsgi"),
        "release": (f"cat {DIRECTORY}/current/*.*", "notes.wsgi"),
        "mounted files": (f"find {DIRECTORY}/files -type f -exec cat {{}} +", "proxy_pass"),
    }

    def look(*texts: str) -> set[str]:
        said = {place: notes.sh(command) for place, (command, _certain) in places.items()}
        assert all(certain in said[place] for place, (_command, certain) in places.items()), said
        return {place for place, one in said.items() if any(text in one for text in texts)}

    return look


@pytest.fixture()
def untouched(notes):
    """Everything of the stack on its host, to be compared: containers, files, volumes, history."""

    def look() -> tuple:
        volumes = notes.sh("docker volume ls --quiet | sort | xargs docker volume inspect")
        return notes.started(), notes.files(), notes.history(), volumes, notes.sh("docker network ls --quiet | sort")

    return look


@pytest.fixture()
def refused(notes, untouched):
    """A deploy that is refused before anything is touched; returns its problems."""

    def run(override: dict, **extra) -> list[str]:
        before = untouched()
        done = notes.deploy(stack_overrides={"notes": override}, **extra)
        assert done.code != 0, done.output
        assert untouched() == before
        return problems(done.output)

    return run
