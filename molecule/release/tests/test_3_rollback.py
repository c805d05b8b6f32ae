"""Back to a release that was good, whole: its files, secrets and images; and its database, if that is wanted."""

from __future__ import annotations

import json
import urllib.request

import pytest
from deploys import REPOSITORY, new_release

OLD = {"notes_version": "1.0.1", "notes_run": "old"}
MIGRATED = {"notes_version": "2.0.0"}


@pytest.fixture()
def write(notes):
    """Writes a note, as a user."""

    def send(text: str) -> None:
        request = urllib.request.Request(notes.edge + "/notes", data=json.dumps({"text": text}).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 201

    return send


def texts(notes) -> list[str]:
    status, _version, body = notes.get("/notes")
    assert status == 200, body
    return [note["text"] for note in json.loads(body)["notes"]]


def has_pinned(notes) -> bool:
    return bool(notes.sql("select 1 from information_schema.columns where table_name = 'notes_note' and column_name = 'pinned'"))


def test_to_the_previous_release(notes, users):
    before = notes.deployed(notes_version="1.0.0", notes_run="before")
    key = notes.record(before)["secrets"]["django_secret_key"]
    later = notes.deployed(
        **OLD, stack_secrets={"notes": {"db_password": "nobody-may-read-this-one", "django_secret_key": "a key of a later day" * 3}}
    )
    assert notes.record(later)["secrets"]["django_secret_key"] > key
    done = notes.rollback(reason="it was better before")
    assert done.code == 0, done.output
    assert (notes.current(), notes.version()) == (before, "1.0.0")
    assert not done.lacks(r"api +[.#-]* +[\d.]+ s", r"total [\d.]+ s, 1 of 1 up"), done.output
    assert f"/django_secret_key/{key}" in notes.sh("docker inspect notes-api-1 --format '{{json .Mounts}}'")
    assert notes.sh("docker exec notes-api-1 cat /etc/notes/run").strip() == "before"
    event = notes.history()[-1]
    assert (event["event"], event["action"]) == ("rolled_back", "rollback")
    assert (event["release"], event["previous"], event["why"]) == (before, later, "it was better before")


@pytest.mark.slow
def test_only_releases_that_were_good_are_offered(notes):
    good = notes.current()
    assert notes.deploy(notes_run=new_release(), notes_smoke="false").code != 0
    bad = notes.history()[-1]["release"]
    started = notes.started()
    done = notes.rollback(release=bad)
    assert done.code != 0
    assert not done.lacks("stack notes", bad, "never"), done.output
    assert (notes.current(), notes.started()) == (good, started)


def test_across_a_migration_it_is_refused_without_a_word_on_the_schema(notes, users, write):
    old = notes.deployed(**OLD)
    write("before the migration")
    migrated = notes.deployed(**MIGRATED)
    assert has_pinned(notes)
    write("after the migration")
    started = notes.started()
    done = notes.rollback()
    assert done.code != 0
    assert not done.lacks("stack notes", "schema=keep", "schema=restore", "notes", old), done.output
    assert (notes.current(), notes.started()) == (migrated, started)


def test_with_restore_the_data_of_before_is_back_and_the_newer_is_kept_aside(notes):
    databases = set(notes.sql("select datname from pg_database").split())
    done = notes.rollback(schema="restore")
    assert done.code == 0, done.output
    assert notes.version() == "1.0.1"
    assert not has_pinned(notes)
    assert "before the migration" in texts(notes)
    assert "after the migration" not in texts(notes)
    (aside,) = set(notes.sql("select datname from pg_database").split()) - databases
    assert notes.sql("select count(*) from notes_note where text = 'after the migration'", aside) == "1"


def test_what_was_rolled_back_can_come_again_and_migrates_again(notes, write):
    notes.deployed(**MIGRATED)
    assert has_pinned(notes)
    assert notes.version() == "2.0.0"
    write("with the new schema")


def test_with_keep_the_older_code_serves_on_the_newer_schema(notes, write):
    done = notes.rollback(schema="keep")
    assert done.code == 0, done.output
    assert notes.version() == "1.0.1"
    assert has_pinned(notes)
    assert "with the new schema" in texts(notes)
    write("by the older code")
    assert "by the older code" in texts(notes)


@pytest.mark.slow
def test_a_tag_that_moved_moves_no_release(notes, registry):
    tag = new_release()
    digest = registry.tag("1.0.0", tag)
    moving = notes.deployed(notes_version=tag)
    assert notes.record(moving)["images"][f"{REPOSITORY}:{tag}"] == f"{REPOSITORY}:{tag}@{digest}"
    assert notes.version() == "1.0.0"

    registry.tag("1.0.1", tag)
    notes.sh(f"docker pull --quiet {REPOSITORY}:{tag}")
    assert notes.deploy(notes_version=tag).changed == 0
    notes.sh("docker restart notes-api-1")
    assert notes.version_within(30) == "1.0.0"
    # Asked to look again, a deploy makes a release of what the tag names now.
    assert notes.deployed(notes_version=tag, refresh=True) != moving
    assert notes.version() == "1.0.1"
    done = notes.rollback(release=moving)
    assert done.code == 0, done.output
    assert notes.version() == "1.0.0"
