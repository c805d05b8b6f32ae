"""A deploy makes one release, which says all about itself; a second run makes none."""

from __future__ import annotations

import getpass
import json
import socket

import pytest
from deploys import DIRECTORY, REPOSITORY

NEXT = {"notes_version": "1.0.1"}


def test_the_plan_names_what_would_be_done_and_why_and_touches_nothing(notes):
    before = notes.started(), notes.files()
    done = notes.deploy("--check", "--diff", notes_version="2.0.0")
    assert done.code == 0, done.output
    assert done.changed > 0
    assert not done.lacks("api", "recreate", f"{REPOSITORY}:2.0.0", "migrate", "smoke"), done.output
    assert (notes.started(), notes.files()) == before


def test_a_deploy_makes_one_release_more_and_recreates_only_what_differs(notes, users):
    previous, releases, started = notes.current(), notes.releases(), notes.started()
    release = notes.deployed(**NEXT, reason="the next one")
    assert notes.version() == "1.0.1"
    assert notes.releases() == releases | {release}
    after = notes.started()
    assert {service for service in after if after[service] != started[service]} == {"api"}
    assert set(users.report().versions) <= {"1.0.0", "1.0.1"}

    event = notes.history()[-1]
    assert (event["event"], event["action"], event["release"], event["previous"]) == ("deployed", "deploy", release, previous)
    assert (event["who"], event["from"], event["why"]) == (getpass.getuser(), socket.gethostname(), "the next one")
    assert [stage["stage"] for stage in event["stages"]] == ["images", "release", "steps", "activate", "steps", "verify"]
    assert not [stage for stage in event["stages"] if stage["failed"]]


def test_the_release_says_all_about_itself(notes):
    release = notes.current()
    record = notes.record(release)
    assert set(record["images"]) == {f"{REPOSITORY}:1.0.1", "postgres:17", "nginx:1.26"}
    for reference, pin in record["images"].items():
        assert pin.startswith(f"{reference}@sha256:")
    services = record["definition"]["services"]
    assert {service["image"] for service in services.values()} == set(record["images"].values())
    assert record["secrets"] == {"db_password": 1, "django_secret_key": 1}
    assert [step["name"] for step in record["steps"]] == ["migrate", "smoke"]
    assert [check["name"] for check in record["checks"]] == ["health", "version"]
    for path in record["files"]:
        notes.sh(f"test -f {path}")
    # The ID is a digest over these, so it is in none of them.
    assert release not in json.dumps(record)
    assert release not in notes.sh(f"cat {DIRECTORY}/current/compose.yaml")
    # What is not for everybody.
    assert notes.sh(f"stat -c %a {DIRECTORY}/current/release.json {DIRECTORY}/current/state {DIRECTORY}/history.jsonl").split() == ["600", "700", "600"]


def test_a_second_run_makes_nothing_and_needs_no_registry(notes):
    before = notes.started(), notes.files()
    with notes.registry_gone():
        done = notes.deploy(**NEXT)
    assert (done.code, done.changed) == (0, 0), done.output
    assert (notes.started(), notes.files()) == before


def test_status_tells_what_serves_and_what_can_come_back(notes):
    good = [event["release"] for event in notes.history() if event["event"] == "deployed"]
    done = notes.run("status", stack="notes")
    assert (done.code, done.changed) == (0, 0), done.output
    assert not done.lacks(*good, f"{REPOSITORY}:1.0.0", "the next one", getpass.getuser()), done.output


@pytest.mark.slow
def test_hooks_get_the_record(notes, tmp_path):
    told = tmp_path / "told.json"
    notes.deployed(notes_run="hooks", stack_hooks={"on_success": {"command": ["tee", str(told)]}})
    assert json.loads(told.read_text()) == notes.history()[-1]


def test_a_first_deploy_that_fails_leaves_nothing_running(notes):
    web = {"image": "nginx:1.26", "healthcheck": {"test": ["CMD", "true"], "interval": "1s"}}
    services = {"web": web, "lost": {**web, "command": ["false"], "depends_on": ["web"]}}
    done = notes.deploy(stacks=[{"name": "first", "services": services}], stack_secrets={})
    assert done.code != 0
    assert not done.lacks("stack first", "service lost", "nothing of it runs"), done.output
    assert not notes.sh("docker ps --all --quiet --filter label=com.docker.compose.project=first")
    notes.sh("test ! -e /opt/stacks/first/current")
    assert json.loads(notes.sh("tail -n 1 /opt/stacks/first/history.jsonl"))["event"] == "failed"
