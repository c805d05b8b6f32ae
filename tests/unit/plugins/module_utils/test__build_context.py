# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import socket
import tarfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils._build_context import context_entries, read_context
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


@pytest.fixture
def app(tmp_path):
    directory = tmp_path / "app"
    (directory / "src").mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / "src" / "run").write_text("#!/bin/sh\n")
    (directory / "src" / "run").chmod(0o700)
    (directory / "secret.env").write_text("KEY=1")
    (directory / "link").symlink_to("/etc/passwd")
    return directory


def paths(directory, dockerfile=""):
    return [entry.path for entry in context_entries(str(directory), dockerfile)]


def digest(directory, dockerfile=""):
    return read_context(str(directory), dockerfile)


def archived(directory):
    file = io.BytesIO()
    written = read_context(str(directory), "", file)
    assert written == digest(directory)
    return {info.name: info for info in tarfile.open(fileobj=io.BytesIO(file.getvalue()))}


def test_what_is_built_from(app):
    assert paths(app) == ["Dockerfile", "link", "secret.env", "src", "src/run"]
    (app / ".dockerignore").write_text("*\n!src\n")
    assert paths(app) == [".dockerignore", "Dockerfile", "src", "src/run"]


def test_an_ignored_directory_is_looked_into_only_for_what_is_taken_in_again(app, monkeypatch):
    seen, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: seen.append(os.path.relpath(path, app)) or scandir(path))
    (app / "src" / "keep").write_text("")
    (app / ".dockerignore").write_text("src\n!src/keep\n")
    assert [path for path in paths(app) if path.startswith("src")] == ["src/keep"]
    seen.clear()
    (app / ".dockerignore").write_text("src\n")
    assert "src/keep" not in paths(app)
    assert seen == ["."]


def test_a_dockerfile_may_have_rules_of_its_own_and_lie_where_all_is_ignored(app):
    (app / "docker").mkdir()
    (app / "docker" / "api").write_text("FROM scratch\n")
    (app / "docker" / "api.dockerignore").write_text("docker\nsecret.env\n")
    (app / ".dockerignore").write_text("src\n")
    assert paths(app, "./docker/api") == [".dockerignore", "Dockerfile", "docker/api", "docker/api.dockerignore", "link", "src", "src/run"]


def test_what_is_no_file_is_left_out(app, monkeypatch):
    monkeypatch.chdir(app)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    assert not {"pipe", "socket"} & set(paths(app))


def test_the_archive_is_the_same_for_every_umask_and_user(app):
    found = archived(app)
    assert {name: oct(info.mode) for name, info in found.items()} == {
        "Dockerfile": "0o644",
        "link": "0o777",
        "secret.env": "0o644",
        "src": "0o755",
        "src/run": "0o755",
    }
    assert {(info.uid, info.gid, info.uname) for info in found.values()} == {(0, 0, "")}
    assert found["link"].linkname == "/etc/passwd"
    # A web server takes a file of the same time for the same file.
    assert found["secret.env"].mtime == int((app / "secret.env").stat().st_mtime)


@pytest.mark.parametrize(
    "change",
    [
        lambda app: (app / "secret.env").write_text("KEY=2"),
        lambda app: (app / "src" / "run").chmod(0o644),
        lambda app: (app / "secret.env").rename(app / "secret.txt"),
        lambda app: ((app / "link").unlink(), (app / "link").symlink_to("/etc/group")),
        lambda app: (app / "empty").mkdir(),
        lambda app: ((app / "link").unlink(), (app / "link").write_text("/etc/passwd")),
    ],
)
def test_the_digest_changes_with(app, change):
    before = digest(app)
    change(app)
    assert digest(app) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda app: os.utime(app / "secret.env", (1, 1)),
        lambda app: (app / "secret.env").chmod(0o600),
        lambda app: app.rename(app.with_name("moved")),
    ],
)
def test_the_digest_stays_with(app, change):
    before = digest(app)
    change(app)
    assert digest(app if app.exists() else app.with_name("moved")) == before


def test_the_digest_does_not_run_names_and_contents_together(app, tmp_path):
    other = tmp_path / "other"
    for directory, files in ((app, {"a": "bc"}), (other, {"ab": "c"})):
        directory.mkdir(exist_ok=True)
        for name in ("Dockerfile", "link", "secret.env"):
            if directory is app:
                (app / name).unlink()
        (directory / "Dockerfile").write_text("")
        for name, content in files.items():
            (directory / name).write_text(content)
    (app / "src" / "run").unlink()
    (app / "src").rmdir()
    assert digest(app) != digest(other)


def test_names_of_any_bytes_are_built(app):
    os.close(os.open(os.fsencode(str(app)) + b"/\xff\xc3", os.O_CREAT))
    assert os.fsdecode(b"\xff\xc3") in archived(app)


def test_what_cannot_be_built_from_is_refused(app):
    with pytest.raises(StackError, match="none is no directory.*Remedy"):
        paths(app / "none")
    with pytest.raises(StackError, match="has no other.*dockerfile"):
        paths(app, "other")


def test_a_file_that_shrinks_meanwhile_is_told(app, monkeypatch):
    entries = list(context_entries(str(app), ""))
    (app / "secret.env").write_text("")
    monkeypatch.setattr(
        "ansible_collections.portside.stack.plugins.module_utils._build_context.context_entries", lambda *_args: entries
    )
    with pytest.raises(StackError, match="cannot be read"):
        read_context(str(app), "", io.BytesIO())
