"""Variables that are secrets: inside every byte of them, outside nothing; and those that were chosen to be seen."""

from __future__ import annotations

import hashlib

import pytest
from deploys import DIRECTORY, SECRET
from entrusted import AWKWARD, BANNER

# A program and its libraries, and no shell.
MAKE_BARE = "tar -ch $(command -v sleep) $(ldd $(command -v sleep) | grep -o '/[^ ]*') | docker import - portside/bare:1"
BARE = {"image": "portside/bare:1", "command": ["sleep", "infinity"], "stop_signal": "SIGKILL"}


def test_the_application_reads_every_byte(process_environment):
    environment = process_environment("api")
    assert environment["AWKWARD"] == AWKWARD
    assert len(environment["DB_PASSWORD"]) == 32
    assert len(environment["DJANGO_SECRET_KEY"]) == 64


def test_nothing_outside_shows_a_value(process_environment, shown_in):
    environment = process_environment("api")
    assert SECRET in environment["AWKWARD"].decode()
    assert shown_in(SECRET, environment["DB_PASSWORD"].decode(), environment["DJANGO_SECRET_KEY"].decode()) == set()


def test_the_files_are_for_the_user_of_the_container_alone(notes):
    owners = notes.sh(f"find {DIRECTORY}/secrets -type f -printf '%m %u\\n' | sort -u").splitlines()
    assert set(owners) == {"400 root", "400 10001"}
    # What the health check needs it has, or the service would not be healthy; nobody who comes from outside has it.
    assert notes.containers()["api"]["State"]["Health"]["Status"] == "healthy"
    assert "AWKWARD" not in notes.sh("docker exec notes-api-1 env")


def test_the_release_step_read_every_byte_before_it_migrated(notes):
    (step,) = notes.record(notes.current())["steps"]
    assert hashlib.sha256(AWKWARD).hexdigest() in str(step["command"])
    assert notes.sql("select count(*) from django_migrations where app = 'notes'") == "1"


def test_what_was_chosen_to_be_visible_is_so_and_says_so(notes, shown_in):
    assert f"BANNER={BANNER.decode()}" in notes.containers()["edge"]["Config"]["Env"]
    # Compose reads the file that is for root alone, so root's Compose shows it.
    assert shown_in("everybody-may-read-this-one") == {"docker inspect", "docker compose config"}
    done = notes.run("status", stack="notes")
    assert not done.lacks("docker inspect shows.*edge: BANNER"), done.output
    assert "AWKWARD" not in done.output


def test_an_image_without_a_shell_is_refused_until_its_variable_is_visible(notes, refused, process_environment):
    notes.sh(MAKE_BARE)
    (said,) = refused({"services": {"bare": BARE}, "secret_environment": {"bare": {"BANNER": "banner"}}})
    for word in ("stack notes", "service bare", "portside/bare:1", "/bin/sh", "visible: true"):
        assert word in said, said
    notes.deployed(stack_overrides={"notes": {"services": {"bare": BARE}, "secret_environment": {"bare": {"BANNER": {"secret": "banner", "visible": True}}}}})
    assert process_environment("bare")["BANNER"] == BANNER


def test_a_rotated_secret_recreates_its_users_and_nobody_else(notes, process_environment):
    before, key = notes.started(), process_environment("api")["DJANGO_SECRET_KEY"]
    notes.deployed(rotate="django_secret_key")
    after = notes.started()
    assert {service for service in after if after[service] != before[service]} == {"api"}
    assert set(before) - set(after) == {"bare"}
    assert process_environment("api")["DJANGO_SECRET_KEY"] != key


@pytest.mark.slow
def test_after_the_rotation_there_is_nothing_to_do(notes):
    assert notes.deploy().changed == 0


def test_a_rollback_brings_the_former_version_back_and_a_deploy_the_newer(notes, process_environment):
    def key() -> tuple[int, bytes]:
        return notes.record(notes.current())["secrets"]["django_secret_key"], process_environment("api")["DJANGO_SECRET_KEY"]

    newer = key()
    done = notes.rollback()
    assert done.code == 0, done.output
    former = key()
    assert former[0] == newer[0] - 1 and former[1] != newer[1]
    notes.deployed()
    assert key() == newer
