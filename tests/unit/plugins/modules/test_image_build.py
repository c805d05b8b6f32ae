# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import tarfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _image_build, _lease
from ansible_collections.portside.stack.plugins.modules import image_build
from fake_engine import FakeEngine
from module_runner import run_module


class Host:
    """A host with an engine, and a docker command that builds what it is told to."""

    def __init__(self, engine):
        self.engine, self.builds, self.contexts, self.commits = engine, [], [], {}
        self.answer, self.now, self.takes = (0, "", ""), 1600000000.0, 0.0

    def time(self):
        return self.now

    monotonic = time

    def run(self, argv, _data):
        if "git" in argv:
            return self.git(argv)
        self.builds.append(argv)
        self.now += self.takes
        with tarfile.open(argv[6]) as tar:
            self.contexts.append({info.name: tar.extractfile(info).read().decode() for info in tar if info.isfile()})
        if not self.answer[0]:
            tag = argv[argv.index("--tag") + 1]
            self.engine.images[tag] = "sha256:{0}".format(len(self.builds))
        return self.answer

    def git(self, argv):
        if "ls-remote" in argv:
            name = argv[-1] if argv[-1] != "main" else "refs/heads/main"
            commit = self.commits.get(name)
            return (0, "{0}\t{1}\n".format(commit, name), "") if commit else (128, "", "fatal: no route to host")
        if "init" in argv:
            os.mkdir(argv[-1])
        if "checkout" in argv:
            with open(os.path.join(argv[argv.index("-C") + 1], "Dockerfile"), "w", encoding="utf-8") as file:
                file.write("FROM scratch # " + argv[-1])
        return 0, "", ""

    def words(self, number=-1):
        argv = self.builds[number]
        return argv[argv.index("docker") :]


@pytest.fixture
def host(tmp_path, monkeypatch, run_directory):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        made = Host(engine)
        client = image_build.EngineClient
        monkeypatch.setattr(image_build, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(image_build, "time", made)
        monkeypatch.setattr(image_build, "detached", lambda *_args: made.run)
        yield made


@pytest.fixture
def app(tmp_path):
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch")
    return directory


@pytest.fixture
def build(host, capsys):
    def call(*builds, check=False, **options):
        arguments = dict({"stack": "demo", "builds": [one(**keys) for keys in builds]}, **options)
        return run_module(image_build.main, capsys, arguments, check)

    return call


def one(service="api", **keys):
    own = "portside.stack/build/demo-" + service
    return dict({"service": service, "image": own, "name": own}, **keys)


API = "portside.stack/build/demo-api"


def test_an_image_is_built_once(host, build, app):
    result = build({"context": str(app)}).result
    (tag,) = result["built"]
    assert tag.startswith(API + ":") and len(tag) == len(API) + 17
    assert result["changed"] and result["images"] == {API: "sha256:1"}
    assert result["progress"] == ["building api from {0}".format(app), "built api"]
    assert host.words() == ["docker", "build", "--force-rm", "--tag", tag, "-"]
    assert host.contexts == [{"Dockerfile": "FROM scratch"}]
    assert "diff" in result and tag in result["diff"]["after"]
    again = build({"context": str(app)}).result
    assert not again["changed"] and again["built"] == [] and again["images"] == {API: "sha256:1"}
    assert len(host.builds) == 1


def test_the_command_says_all_that_was_asked_for(host, build, app):
    (app / "other").write_text("")
    args = {"B": "x y", "A": 1}
    build({"context": str(app), "dockerfile": "other", "args": args, "target": "run", "platform": "linux/arm64"}, timeout=7)
    assert host.builds[0][:6] == ["timeout", "--kill-after=10", "7", "sh", "-c", 'exec "$@" < "$0"']
    said = ["--file", "other", "--target", "run", "--platform", "linux/arm64", "--build-arg", "A=1", "--build-arg", "B=x y", "-"]
    assert host.words()[5:] == said


@pytest.mark.parametrize("change", [{"args": {"A": "1"}}, {"target": "x"}, {"platform": "linux/arm64"}, {"dockerfile": "./Dockerfile"}])
def test_whatever_is_asked_for_otherwise_is_another_image(host, build, app, change):
    build({"context": str(app)})
    assert build({"context": str(app), **change})["changed"]


def test_a_changed_file_is_another_image(host, build, app):
    build({"context": str(app)})
    (app / "f").write_text("x")
    assert build({"context": str(app)}).result["images"] == {API: "sha256:2"}


def test_services_that_are_built_from_the_same_are_built_once(host, build, app):
    result = build({"context": str(app)}, {"service": "job", "context": str(app), "image": "shop/job:1"}).result
    assert result["images"] == {API: "sha256:1", "shop/job:1": "sha256:1"}
    assert len(host.builds) == 1 and len(result["built"]) == 2
    assert not build({"service": "job", "context": str(app)})["changed"]


def test_a_failed_build_ends_there(host, build, app):
    host.answer = 1, "\n".join("step {0}".format(number) for number in range(30)), "the command returned 1\n"
    result = build({"context": str(app)}, {"service": "job", "context": str(app)}).result
    assert result["failed"] and len(host.builds) == 1
    assert result["msg"].startswith("stack demo: service api: build {0}: the build failed".format(app))
    assert "step 29\nthe command returned 1\nRemedy" in result["msg"] and "step 9\n" not in result["msg"]


def test_no_secret_of_the_stack_is_in_what_a_failed_build_said(host, build, app, tmp_path):
    (tmp_path / "secrets" / "pw").mkdir(parents=True)
    (tmp_path / "secrets" / "pw" / "1").write_text("hunter2")
    host.answer = 1, "step 1\n", "hunter2 is wrong\n"
    assert "step 1\n[secret pw] is wrong\n" in build({"context": str(app)}, directory=str(tmp_path)).result["msg"]


def test_a_build_without_an_image(host, build, app):
    host.run, run = lambda argv, data: (run(argv, data), host.engine.images.clear())[0], host.run
    assert "docker buildx use default" in build({"context": str(app)}).result["msg"]


@pytest.mark.parametrize("code", [124, 137])
def test_a_build_whose_time_is_up_is_told_from_a_command_in_it_that_was_killed(host, build, app, code):
    host.answer, host.takes = (code, "step 3\nKilled\n", ""), 100
    killed = build({"context": str(app)}).result["msg"]
    assert "the build failed" in killed and "step 3\nKilled\nRemedy: correct what they name" in killed
    late = build({"context": str(app)}, timeout=100).result["msg"]
    assert "building did not end within 100 seconds. Its last lines:\nstep 3\nKilled\nRemedy: raise timeout." in late


def test_the_lease_lasts_as_long_as_all_fetches_and_builds_may(host, build, app):
    holder = {"who": "alice", "origin": "laptop", "pid": 1, "started": ""}
    lock = _lease.StackLock("demo", host.time)
    lock.acquire(holder, "deploy", "mine", 60)
    host.commits["HEAD"] = "a" * 40
    build({"context": str(app)}, {"service": "job", "context": "https://git.test/x"}, lock="mine", timeout=100)
    assert len(host.builds) == 2
    # Two builds; and of the repository what commit it is, and its fetch.
    assert lock.read().expires == host.now + 2 * 100 + 60 + 100 + _lease.IDLE


def test_a_directory_that_changes_meanwhile_is_not_built(host, build, app, monkeypatch):
    read = _image_build.read_context

    def reading(*arguments):
        found = read(*arguments)
        (app / "f").write_text("x")
        return found

    monkeypatch.setattr(_image_build, "read_context", reading)
    assert "changed while it was read" in build({"context": str(app)}).result["msg"]
    assert host.builds == []


def test_all_places_that_are_wrong_are_told_at_once(host, build, tmp_path):
    result = build({"context": str(tmp_path / "a")}, {"service": "job", "context": "https://git.test/x"}).result
    first, second = result["msg"].split("\n")
    assert "service api" in first and "is no directory" in first
    assert "service job" in second and "no route to host" in second


def test_a_repository_is_built_from_its_commit(host, build):
    host.commits["HEAD"] = "a" * 40
    context = {"context": "https://git.test/x"}
    assert build(context)["changed"] and host.contexts[-1] == {"Dockerfile": "FROM scratch # " + "a" * 40}
    assert not build(context)["changed"]
    # Under whatever name: what counts is the commit.
    assert not build({"context": "https://mirror.test/x#" + "a" * 40})["changed"]
    host.commits["HEAD"] = "b" * 40
    assert build(context)["changed"]


def test_a_directory_of_the_controller_is_asked_for_only_when_it_is_new(host, build, app, tmp_path):
    sent = {"context": "app", "context_digest": "d" * 64}
    result = build(sent, {"service": "job", "context": str(app)}).result
    assert result["missing"] == ["d" * 64] and not result["changed"] and host.builds == []
    archive = tmp_path / "context.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(app / "Dockerfile", "Dockerfile")
    result = build({**sent, "archive": str(archive)}, {"service": "job", "context": str(app)}).result
    assert "missing" not in result and len(result["built"]) == 2
    result = build(sent).result
    assert "missing" not in result and not result["changed"]


def test_check_mode_builds_and_asks_for_nothing(host, build, app):
    result = build({"context": str(app)}, {"service": "job", "context": "app", "context_digest": "d"}, check=True).result
    assert result["changed"] and len(result["built"]) == 2 and sorted(result["images"].values()) == sorted(result["built"]) and "missing" not in result
    assert host.builds == []


def test_check_mode_on_a_bare_host(host, build, app, tmp_path):
    host.engine.path = str(tmp_path / "none")
    outcome = build({"context": str(app)}, {"service": "job", "context": "https://git.test/x"}, check=True)
    assert outcome["changed"] and len(outcome["built"]) == 1
    (warning,) = outcome.warnings
    assert "service job" in warning and "not known yet" in warning


def test_another_runs_lock_keeps_it_out(host, build, app):
    holder = {"who": "alice", "origin": "laptop", "pid": 1, "started": ""}
    _lease.StackLock("demo", host.time).acquire(holder, "deploy", "theirs", 60)
    assert "alice" in build({"context": str(app)}).result["msg"]
    assert not build({"context": str(app)}, lock="theirs").result.get("failed")
