# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._build_source import Git, GitSource, git_source, is_git
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


@pytest.mark.parametrize(
    ("context", "source"),
    [
        ("https://git.test/a/b.git", GitSource("https://git.test/a/b.git", "", "")),
        ("https://git.test/a/b#main", GitSource("https://git.test/a/b", "main", "")),
        ("git@git.test:a/b.git#v1:docker/api/", GitSource("git@git.test:a/b.git", "v1", "docker/api")),
        ("ssh://git@git.test:22/a#:sub", GitSource("ssh://git@git.test:22/a", "", "sub")),
        ("file:///srv/a", GitSource("file:///srv/a", "", "")),
    ],
)
def test_the_parts_of_a_url(context, source):
    assert is_git(context) and git_source(context) == source


@pytest.mark.parametrize("context", ["app", "./app", "../a:b", "/srv/app", "a@b/c", "", "/a@b:c"])
def test_what_is_a_path(context):
    assert not is_git(context)


def run(argv, _data):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Repository:
    def __init__(self, path):
        self.path, self.url = path, "file://{0}".format(path)
        path.mkdir()
        self.git("init", "--quiet", "-b", "main")

    def git(self, *arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "protocol.file.allow=always")
        return subprocess.run(["git", "-C", str(self.path), *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, content, name="f"):
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_text(content)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", content)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return Repository(tmp_path / "repository")


class Ticking:
    """A clock on which so many seconds go by each time it is asked."""

    def __init__(self, seconds):
        self.now, self.seconds = 0, seconds

    def monotonic(self):
        self.now += self.seconds
        return self.now


@pytest.fixture
def git():
    return Git(run, time, 60)


def test_a_ref_is_its_commit(repository, git):
    first = repository.commit("1")
    repository.git("tag", "-a", "-m", "x", "v1")
    repository.git("branch", "feature/main")
    repository.git("branch", "both")
    second = repository.commit("2")
    repository.git("tag", "both")
    refs = {"": second, "main": second, "v1": first, "feature/main": first, "both": second, "refs/heads/both": first}
    assert {ref: git.commit(GitSource(repository.url, ref, "")) for ref in refs} == refs


def test_a_commit_is_itself_without_asking():
    def nobody(_argv, _data):
        raise AssertionError

    assert Git(nobody, time, 60).commit(GitSource("https://git.test/a", "a" * 40, "")) == "a" * 40


@pytest.mark.parametrize("ref", ["none", "mai", "heads"])
def test_a_ref_that_is_not_there_is_refused(repository, git, ref):
    repository.commit("1")
    with pytest.raises(StackError, match="no branch or tag '{0}'.*40 digits".format(ref)):
        git.commit(GitSource(repository.url, ref, ""))


def test_a_commit_is_fetched_also_when_the_branch_has_moved(repository, git, tmp_path):
    first = repository.commit("1", "sub/f")
    repository.commit("2", "sub/f")
    directory = git.fetch(GitSource(repository.url, "main", "sub"), first, str(tmp_path / "fetched"))
    assert directory == str(tmp_path / "fetched" / "sub")
    assert (tmp_path / "fetched" / "sub" / "f").read_text() == "1"


def test_an_old_server_that_gives_no_commit_by_its_name(repository, tmp_path):
    first = repository.commit("1")
    repository.commit("2")

    def old(argv, data):
        return (128, "", "unadvertised object") if "--depth" in argv else run(argv, data)

    Git(old, time, 60).fetch(GitSource(repository.url, "", ""), first, str(tmp_path / "fetched"))
    assert (tmp_path / "fetched" / "f").read_text() == "1"


def test_submodules_come_along(repository, tmp_path, git, monkeypatch):
    config = tmp_path / "gitconfig"
    config.write_text("[protocol \"file\"]\n\tallow = always\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    other = Repository(tmp_path / "other")
    other.commit("inner")
    repository.git("submodule", "add", "--quiet", other.url, "lib")
    commit = repository.commit("1")
    git.fetch(GitSource(repository.url, "", ""), commit, str(tmp_path / "fetched"))
    assert (tmp_path / "fetched" / "lib" / "f").read_text() == "inner"


def test_what_git_says_is_passed_on(git, tmp_path):
    with pytest.raises(StackError, match="(?s)not appear to be a git repository.*Remedy"):
        git.commit(GitSource("file://{0}/none".format(tmp_path), "", ""))


@pytest.mark.parametrize(("code", "said"), [(127, "no git on the host.*apt-get install git"), (124, "did not answer in time")])
def test_without_git_or_an_answer(code, said):
    with pytest.raises(StackError, match=said):
        Git(lambda _argv, _data: (code, "", "x"), Ticking(60), 60).commit(GitSource("https://git.test/a", "", ""))


def test_a_fetch_has_one_limit_for_all_it_takes(tmp_path):
    limits = []

    def failing(argv, _data):
        limits.append(float(argv[argv.index("timeout") + 2]))
        return (128 if "--depth" in argv else 0), "", "x"

    Git(failing, Ticking(20), 100).fetch(GitSource("https://git.test/a", "", ""), "a" * 40, str(tmp_path / "x"))
    # It is asked twice for each command. What is left is never 0, which would be no limit.
    assert limits == [80, 40, 1, 1]


def test_git_never_asks(repository):
    seen = []
    Git(lambda argv, _data: seen.append(argv) or (0, "c\tHEAD\n", ""), time, 60).commit(GitSource("https://git.test/a", "", ""))
    assert "GIT_TERMINAL_PROMPT=0" in seen[0] and "GIT_SSH_COMMAND=ssh -o BatchMode=yes" in seen[0] and "timeout" in seen[0]
