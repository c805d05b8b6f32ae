"""Two deploys at once, and many one after the other."""

from __future__ import annotations

import getpass
import time

import pytest
from deploys import DIRECTORY, REPOSITORY, new_release

KEEP = 3


def test_of_two_deploys_one_wins_and_the_other_is_told_and_changes_nothing(notes, users):
    slow = {"notes_version": "1.0.1", "notes_run": new_release(), "notes_migrate": "sh -c 'sleep 10; exec python manage.py migrate --noinput'"}
    first = notes.start("deploy", **slow)
    notes.wait_for_work("steps")
    before = notes.started(), notes.history()
    began = time.monotonic()
    second = notes.deploy(notes_version="1.0.0", notes_run=new_release())
    print(f"the second was told after {time.monotonic() - began:.1f} s")
    assert second.code != 0
    assert not second.lacks("stack notes", getpass.getuser(), "since", "until"), second.output
    assert (notes.started(), notes.history()) == before
    done = first.end()
    assert done.code == 0, done.output
    assert notes.version() == "1.0.1"
    assert notes.deploy(**slow).changed == 0


def tags(notes) -> set[str]:
    return set(notes.sh("docker image ls --format '{{.Repository}}:{{.Tag}}'").split())


@pytest.mark.slow
def test_ten_releases_in_a_row_leave_what_retention_says(notes, registry):
    before = tags(notes)
    made = []
    for number in range(10):
        tag = new_release()
        registry.variant("1.0.0", tag, author=f"number {number}")
        # Steps are not what is looked at, and take their time.
        made.append((notes.deployed(notes_version=tag, notes_run=tag, stack_overrides={"notes": {"steps": []}}), tag))
    kept = made[-KEEP:]
    assert notes.releases() == {release for release, _tag in kept}

    on_disk = set(notes.sh(f"find {DIRECTORY}/files -type f").split())
    assert on_disk == {path for release, _tag in kept for path in notes.record(release)["files"]}

    new = {tag for tag in tags(notes) - before if tag.startswith(REPOSITORY)}
    assert new == {f"{REPOSITORY}:{tag}" for _release, tag in kept}
    # Beside its own name each image has one that keeps it from pruning: of these three releases, postgres and nginx.
    assert len([tag for tag in tags(notes) if tag.startswith("portside.stack/notes:")]) == KEEP + 2
    # What others use stays, and so do the data.
    assert {"postgres:17", "nginx:1.26"} <= tags(notes)
    assert notes.sh("docker volume ls --quiet").split() == ["notes_data"]
    # What is kept can come back, also when nobody has the tag any more but the host.
    with notes.registry_gone():
        done = notes.rollback(release=kept[0][0])
    assert done.code == 0, done.output
