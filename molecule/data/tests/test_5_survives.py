"""Rows, files and secrets through releases, two rollbacks, a removal and another deploy. In order, each from where the last one ended."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.request

import pytest
from deploys import DIRECTORY

# Steps are not what is looked at, and take their time. A volume of somebody else's is among those that are mounted.
QUICK = {
    "steps": [],
    "services": {"edge": {"volumes": ["scratch:/srv/scratch", "archive:/srv/archive:ro"]}},
    "volumes": {"archive": {"external": True, "name": "archive"}},
}
PLACES = "/var/lib/docker/volumes/notes_media/_data /var/lib/docker/volumes/notes_scratch/_data /srv/uploads/notes"
VOLUMES = {"archive", "notes_data", "notes_media", "notes_scratch"}
KEEP = 3
# Ten with all tests; otherwise as many as have some let go.
RELEASES = 10 if os.environ.get("SLOW") else KEEP + 1


def rows(notes) -> str:
    return notes.sql("select id, text, created_at from notes_note order by id")


def sums(notes) -> str:
    return notes.sh(f"find {PLACES} -type f -exec sha256sum {{}} + | sort")


def generated(notes) -> dict[str, str]:
    """A sum of the newest version of each generated secret."""
    names = ("db_password", "django_secret_key")
    return {name: notes.sh(f"cd {DIRECTORY}/secrets/{name} && sha256sum $(ls | grep -v -- - | sort -n | tail -n 1)") for name in names}


def volumes(notes) -> set[str]:
    """All volumes with a name that somebody gave them."""
    return {name for name in notes.sh("docker volume ls --quiet").split() if not re.fullmatch("[0-9a-f]{64}", name)}


@pytest.fixture(scope="module")
def written(notes):
    """What users have written: rows, sums of files; and the secrets that were generated."""
    notes.deployed()
    notes.sh("docker volume inspect archive || docker volume create archive")
    for number in range(20):
        request = urllib.request.Request(notes.edge + "/notes", data=json.dumps({"text": f"note {number}, ünïcödé"}).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 201
    write = "for n in 1 2 3; do head -c 300000 /dev/urandom > /srv/media/$n; head -c 3000 /dev/urandom > /srv/uploads/$n; done"
    notes.sh(f"docker exec notes-api-1 sh -c '{write}'")
    notes.sh("docker exec notes-edge-1 sh -c 'head -c 3000000 /dev/urandom > /srv/scratch/large'")
    found = rows(notes), sums(notes), generated(notes)
    assert len(found[0].splitlines()) >= 20 and len(found[1].splitlines()) >= 7
    return found


def assert_all_there(notes, written) -> None:
    assert (rows(notes), sums(notes), generated(notes)) == written


@pytest.fixture(scope="module")
def let_go(notes):
    """The file of a version that is about to be let go, held open: what is in it now, and a function that reads it again."""
    version = notes.record(notes.current())["secrets"]["django_secret_key"] - 1
    notes.sh(f"systemd-run --quiet --collect --unit=holder sh -c 'exec sleep infinity 3<{DIRECTORY}/secrets/django_secret_key/{version}'")
    file = f"/proc/{notes.sh('systemctl show --property MainPID --value holder')}/fd/3"
    notes.sh(f"timeout 10 sh -c 'until test -e {file}; do sleep 0.1; done'")
    yield notes.sh(f"cat {file}"), lambda: notes.sh(f"base64 {file}")
    notes.sh("systemctl stop holder")


def test_through_releases_and_two_rollbacks(notes, written, let_go):
    releases = [notes.deployed(notes_run=str(number), stack_overrides={"notes": QUICK}) for number in range(RELEASES)]
    assert notes.releases() == set(releases[-KEEP:])
    for expected in (releases[-2], releases[-3]):
        done = notes.rollback()
        assert done.code == 0, done.output
        assert notes.current() == expected
    assert_all_there(notes, written)


def test_versions_that_no_kept_release_names_are_overwritten(notes, let_go):
    versions = {name.split("-")[0] for name in notes.sh(f"ls {DIRECTORY}/secrets/django_secret_key").split()}
    assert versions == {str(notes.record(notes.current())["secrets"]["django_secret_key"])}
    before, now = let_go[0], base64.b64decode(let_go[1]())
    assert len(before) == len(now) == 64
    assert before.encode() != now


def test_to_delete_what_is_not_the_stacks_own_is_refused_before_anything_is_touched(notes, untouched):
    before = untouched()
    done = notes.run("remove", stack="notes", delete_volumes="scratch,archive,nonsense")
    assert done.code != 0
    assert not done.lacks("delete_volumes: archive: it is external", "delete_volumes: nonsense: there is no such volume"), done.output
    assert untouched() == before
    assert notes.version() == "1.0.0"


def test_a_removal_in_check_mode_says_what_goes_and_touches_nothing(notes, untouched):
    before = untouched()
    done = notes.run("remove", "--check", "--diff", stack="notes")
    assert done.code == 0 and done.changed, done.output
    assert not done.lacks("container notes-api-1", "network notes_default", "stays: .*volume notes_data"), done.output
    assert untouched() == before


def test_a_removal_keeps_volumes_secrets_and_history(notes, written):
    history = notes.history()
    done = notes.run("remove", stack="notes", reason="moving out")
    assert done.code == 0 and done.changed, done.output
    assert not notes.containers()
    assert "notes_default" not in notes.sh("docker network ls --format '{{.Name}}'").split()
    assert volumes(notes) == VOLUMES
    assert (sums(notes), generated(notes)) == written[1:]
    assert notes.sh(f"ls -A {DIRECTORY}/releases") == ""
    notes.sh(f"test ! -e {DIRECTORY}/current")
    *before, last = notes.history()
    assert before == history
    assert (last["event"], last["why"], last["kept_volumes"]) == ("removed", "moving out", sorted(VOLUMES - {"archive"}))


def test_a_second_removal_changes_nothing(notes):
    before = notes.files()
    for arguments in (("--check",), ()):
        done = notes.run("remove", *arguments, stack="notes")
        assert (done.code, done.changed) == (0, 0), done.output
    assert notes.files() == before


def test_after_it_a_deploy_finds_everything_again(notes, written):
    notes.deployed()
    assert_all_there(notes, written)
    assert notes.version() == "1.0.0"


def test_a_volume_that_is_named_is_deleted_and_no_other(notes):
    done = notes.run("remove", stack="notes", delete_volumes="scratch")
    assert done.code == 0, done.output
    # It had a file of 3 MB.
    assert not done.lacks(r"volume notes_scratch \(3\.\d MB\)"), done.output
    assert volumes(notes) == VOLUMES - {"notes_scratch"}
    (deleted,) = notes.history()[-1]["deleted_volumes"]
    assert (deleted["name"], deleted["size"] >= 3_000_000) == ("notes_scratch", True)


def test_secrets_stay_while_a_volume_does_and_go_when_they_are_asked_for(notes):
    refused = notes.run("remove", stack="notes", delete_volumes="media", delete_secrets=True)
    assert refused.code != 0 and not refused.lacks("delete_secrets: volume notes_data stays"), refused.output
    done = notes.run("remove", stack="notes", delete_volumes="data,media,scratch", delete_secrets=True)
    assert done.code == 0, done.output
    assert volumes(notes) == {"archive"}
    notes.sh(f"test ! -e {DIRECTORY}")
    # What nobody here made is not removed either.
    notes.sh("test -e /srv/uploads/notes/1")
