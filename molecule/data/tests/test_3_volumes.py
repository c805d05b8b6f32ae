"""Volumes and directories: whose they are, and that none is lost, replaced or made up."""

from __future__ import annotations

import json

from deploys import DIRECTORY


def volume(notes, name: str) -> dict:
    (found,) = json.loads(notes.sh(f"docker volume inspect {name}"))
    return found


def test_volumes_are_labelled_and_belong_to_whom_they_are_declared_for(notes):
    for name, service in {"notes_data": "postgres", "notes_media": "api", "notes_scratch": "edge"}.items():
        labels = volume(notes, name)["Labels"]
        assert (labels["portside.stack"], labels["portside.service"]) == ("notes", service)
    assert notes.sh("stat -c '%u %g %a' /var/lib/docker/volumes/notes_media/_data") == "10001 10001 750"
    assert notes.sh("stat -c '%u %g %a' /srv/uploads/notes /srv/uploads").splitlines() == ["10001 10001 700", "0 0 755"]
    # The application can write to both, and it is not root.
    notes.sh("docker exec notes-api-1 sh -c 'test $(id -u) = 10001 && date > /srv/media/probe && date > /srv/uploads/probe'")


def test_an_owner_that_was_changed_is_told_in_the_plan_and_set_right_by_the_next_deploy(notes):
    notes.sh("chown 0:0 /var/lib/docker/volumes/notes_media/_data && chmod 755 /srv/uploads/notes")
    plan = notes.deploy("--check", "--diff")
    assert plan.code == 0 and plan.changed, plan.output
    assert not plan.lacks("volume notes_media: .*10001", "directory /srv/uploads/notes: .*0700"), plan.output
    before = notes.started()
    assert notes.deploy().changed
    assert notes.sh("stat -c '%u %g %a' /var/lib/docker/volumes/notes_media/_data /srv/uploads/notes").splitlines() == ["10001 10001 750", "10001 10001 700"]
    assert notes.started() == before


def test_what_would_come_up_empty_is_refused_all_at_once(refused, notes):
    mounts = ["pictures:/srv/media", "/srv/uploads/notes:/srv/uploads", "/srv/elsewhere:/srv/more"]
    said = refused({"services": {"api": {"volumes": mounts}}, "volumes": {"pictures": {"uid": 10001, "gid": 10001}}})
    assert len(said) == 2, said
    for words in (
        ("service 'api'", "volume notes_pictures", "volume notes_media", "keep the key 'media'", "{name: notes_media}"),
        ("service 'api'", "/srv/elsewhere is not on the host", "directories:"),
    ):
        assert [line for line in said if all(word in line for word in words)], (words, said)
    assert "notes_pictures" not in notes.sh("docker volume ls --quiet")
    notes.sh("test ! -e /srv/elsewhere")


ARCHIVE = {"services": {"edge": {"volumes": ["archive:/srv/archive"]}}, "volumes": {"archive": {"external": True, "name": "archive"}}}


def test_an_external_volume_that_is_not_there_is_refused_before_anything_is_touched(notes, untouched):
    before = untouched()
    done = notes.deploy(stack_overrides={"notes": ARCHIVE})
    assert done.code != 0
    assert not done.lacks("stack notes: volume archive is declared external and is not on the host.*docker volume create archive"), done.output
    assert untouched() == before


def test_a_volume_that_is_not_mentioned_any_more_is_told_and_kept(notes):
    notes.sh("docker volume create archive")
    notes.sh("echo kept > /var/lib/docker/volumes/notes_scratch/_data/kept")
    done = notes.deploy(stack_overrides={"notes": ARCHIVE})
    assert done.code == 0, done.output
    assert not done.lacks("not mentioned any more.* volume notes_scratch"), done.output
    assert "archive:" in notes.sh(f"cat {DIRECTORY}/current/compose.yaml")
    done = notes.run("status", stack="notes")
    assert not done.lacks("notes_scratch"), done.output
    assert notes.sh("cat /var/lib/docker/volumes/notes_scratch/_data/kept") == "kept"
    assert volume(notes, "archive")["Labels"] in (None, {})
