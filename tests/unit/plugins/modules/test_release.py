# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import stat

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._filesystem import STAGING_RE, FileSystem
from ansible_collections.portside.stack.plugins.module_utils._history import History
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock, utc
from ansible_collections.portside.stack.plugins.module_utils._release_known import known_releases
from ansible_collections.portside.stack.plugins.module_utils._release_rollback import choose, judge, restores
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.modules import release
from module_runner import run_module
from release_host import STACK, Engine, release_files

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="files are owned by root")

EDGE = {"edge/nginx.conf": "events {}\n", "edge/certificates/0.pem": "-----BEGIN CERTIFICATE-----\n"}
SCHEMA = {"db/app": "a" * 16}
CHANGES = ("mkdir", "rmdir", "write_new", "chown", "chmod", "link", "rename", "unlink", "fsync", "symlink", "remove_tree", "make_staging")


class Killed(BaseException):
    """The process is gone: nothing it would have done comes after."""


class Faults(FileSystem):
    """The real file system, until the call number `at` that changes something."""

    at, error, calls, dead = None, None, 0, False

    def __getattribute__(self, name):
        method = super().__getattribute__(name)
        if name not in CHANGES:
            return method

        def called(*arguments):
            kind = type(self)
            if kind.dead:
                raise kind.error
            kind.calls += 1
            if kind.calls - 1 == kind.at:
                kind.dead = isinstance(kind.error, Killed)
                raise kind.error
            return method(*arguments)

        return called

    @classmethod
    def arm(cls, at, error):
        cls.at, cls.error, cls.calls, cls.dead = at, error, 0, False


class Host:
    """A stack's directory and engine, and the module as tasks call it."""

    def __init__(self, tmp_path, engine, capsys):
        self.directory = str(tmp_path / STACK)
        self.engine, self.store, self._capsys = engine, ReleaseStore(self.directory), capsys
        self.clock = None
        self.lock = StackLock(STACK, lambda: 1700000000.0, str(tmp_path / "run"))

    def run(self, name, state="present", check=False, diff=False, **arguments):
        arguments = dict(arguments, directory=self.directory, release=name, state=state)
        return run_module(release.main, self._capsys, arguments, check, diff)

    def files(self, *references, **keys):
        return release_files(self.directory, {reference: self.engine.pull(reference) for reference in references}, **keys)

    def deploy(self, *references, keep=5, **keys):
        name, files = self.files(*references, **keys)
        written = self.run(name, files=files)
        assert not written.result.get("failed"), written["msg"]
        return name, self.run(name, "current", keep=keep)

    def commit(self, images, keep=5, **keys):
        name, files = release_files(self.directory, images, **keys)
        assert not self.run(name, files=files).result.get("failed")
        assert not self.run(name, "current", keep=keep).result.get("failed")
        return name

    def ledger(self, name, *entries):
        with open(self.store.state_path(name, "steps.json"), "w", encoding="utf-8") as file:
            json.dump([dict({"step": "migrate", "started": "t", "ended": "t", "exit_code": 0}, **entry) for entry in entries], file)

    def history(self):
        try:
            with open(self.directory + "/history.jsonl", encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def events(self):
        return [(one["event"], one["release"]) for one in self.history()]

    def tree(self):
        found = {}
        for top, directories, names in os.walk(self.directory):
            for name in directories + names:
                path = os.path.join(top, name)
                status = os.lstat(path)
                content = None
                if stat.S_ISLNK(status.st_mode):
                    content = os.readlink(path)
                elif stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                found[os.path.relpath(path, self.directory)] = (stat.S_IMODE(status.st_mode), content)
        return found

    def staging(self):
        return [path for path in self.tree() if STAGING_RE.match(os.path.basename(path))]


@pytest.fixture(name="booted")
def booted_fixture():
    return []


@pytest.fixture(name="host")
def host_fixture(tmp_path, monkeypatch, capsys, booted):
    with Engine(tmp_path / "engine") as engine:
        Faults.arm(None, None)
        clock = iter(range(1700000000, 1800000000))
        monkeypatch.setattr(release, "EngineClient", lambda: EngineClient(engine.path))
        monkeypatch.setattr(release, "FileSystem", Faults)
        monkeypatch.setattr(release, "StackLock", functools.partial(StackLock, directory=str(tmp_path / "run")))
        monkeypatch.setattr(release, "schemas_to_record", lambda *_: SCHEMA)
        monkeypatch.setattr(release.time, "time", lambda: float(next(clock)))
        lacking = []
        boot = {"ensure": lambda _self, d: booted.append(d), "lacks": lambda _self, _d: lacking}
        monkeypatch.setattr(release, "BootUnit", lambda *_: type("Unit", (), boot)())
        made = Host(tmp_path, engine, capsys)
        made.clock, made.lacking = clock, lacking
        yield made


# ---- written


def test_a_release_is_written_whole_with_its_modes_and_a_second_time_nothing_is(host):
    name, files = host.files("nginx:1.26")
    predicted = host.run(name, files=files, check=True, diff=True)
    assert predicted["changed"] is True and host.tree() == {}
    done = host.run(name, files=files, diff=True)
    assert done["changed"] is True and done["diff"] == predicted["diff"]
    assert (done["current"], done["is_current"]) == ("", False)
    home = "releases/" + name
    tree = host.tree()
    assert {path: tree[path][0] for path in (home, home + "/compose.yaml", home + "/release.json", home + "/state")} == {
        home: 0o755,
        home + "/compose.yaml": 0o644,
        home + "/release.json": 0o600,
        home + "/state": 0o700,
    }
    for path, entry in files.items():
        assert tree[os.path.relpath(path, host.directory)][1] == entry["content"].encode()
    before = host.tree()
    again = host.run(name, files=files, diff=True)
    assert again["changed"] is False and host.tree() == before
    assert again["diff"] == done["diff"], "it is not the current one yet"
    assert host.events() == [("started", name)] and host.staging() == []
    host.run(name, "current")
    assert host.run(name, files=files, diff=True)["diff"] == []


def test_the_units_of_a_current_release_that_are_missing_come_back(host, booted):
    name, files = host.files("nginx:1.26")
    host.lacking.append("portside@opt-stacks-shop.service")
    host.run(name, files=files)
    assert booted == [], "they come with the commit"
    host.run(name, "current")
    booted.clear()
    assert host.run(name, files=files, check=True)["changed"] is True and booted == []
    assert host.run(name, files=files)["changed"] is True and booted == [host.directory]
    host.lacking.clear()
    assert host.run(name, files=files)["changed"] is False and booted == [host.directory]


def test_what_was_verified_is_noted_by_digests_and_stays_so(host):
    name, files = host.files("nginx:1.26")
    host.run(name, files=files)
    host.run(name, "current")
    path = os.path.join(host.directory, "releases", name, "state", "digests.json")
    compose = os.path.join(host.directory, "releases", name, "compose.yaml")
    with open(path, encoding="utf-8") as handle:
        before = json.load(handle)
    assert before["files"]["compose.yaml"] == hashlib.sha256(files[compose]["content"].encode()).hexdigest()
    with open(compose, "a", encoding="utf-8") as handle:
        handle.write("# by hand\n")
    host.run(name, "current", action="rollback")
    with open(path, encoding="utf-8") as handle:
        assert json.load(handle) == before


def test_check_mode_needs_neither_an_engine_nor_a_directory(host, monkeypatch):
    monkeypatch.setattr(release, "EngineClient", lambda: EngineClient("/nonexistent"))
    name, files = host.files("nginx:1.26")
    outcome = host.run(name, files=files, check=True, diff=True)
    assert outcome["changed"] is True and outcome["is_current"] is False
    assert [entry["after_header"].rpartition(" ")[2] for entry in outcome["diff"]] == ["compose.yaml", "release.json", "files/app.conf"]
    assert outcome["diff"][0]["before_header"] == "release (absent), compose.yaml"
    assert host.run(name, "current", check=True)["changed"] is True
    assert not os.path.exists(host.directory)


@pytest.mark.parametrize("part", ["compose.yaml", "release.json"])
@pytest.mark.parametrize("harm", ["altered", "deleted", "mode"])
def test_what_was_done_to_a_release_by_hand_is_mended_and_its_state_stays(host, part, harm):
    name, files = host.files("nginx:1.26")
    host.run(name, files=files)
    intact = host.tree()
    path = host.store.path(name) + "/" + part
    with open(host.store.state_path(name, "steps.json"), "w", encoding="utf-8") as file:
        file.write("[]")
    if harm == "deleted":
        os.unlink(path)
    elif harm == "mode":
        os.chmod(path, 0o666)
    else:
        with open(path, "a", encoding="utf-8") as file:
            file.write("# by hand\n")
    outcome = host.run(name, files=files, diff=True)
    assert outcome["changed"] is True and any(part in entry["after_header"] for entry in outcome["diff"])
    tree = host.tree()
    assert tree.pop("releases/{0}/state/steps.json".format(name)) == (0o644, b"[]")
    assert tree == intact


def test_a_release_without_files_has_to_be_there(host):
    name, files = host.files("nginx:1.26")
    absent = host.run(name)
    assert absent["failed"] and "release {0} is not complete".format(name) in absent["msg"] and "there is none" in absent["msg"]
    host.run(name, files=files)
    assert host.run(name)["changed"] is False
    mounted = next(path for path in files if "/files/" in path)
    os.unlink(mounted)
    lacking = host.run(name)
    assert lacking["failed"] and mounted in lacking["msg"] and "release.json" not in lacking["msg"]


@pytest.mark.parametrize("name", ["", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef\n", "../../../etc/passwd"])
def test_what_is_no_release_name_is_refused(host, name):
    for state in ("present", "current", "failed", "absent"):
        outcome = host.run(name, state, files={})
        assert outcome["failed"] and "stack shop" in outcome["msg"] and "16 hexadecimal digits" in outcome["msg"]


def test_files_that_are_not_of_the_release_are_refused(host):
    name, files = host.files("nginx:1.26")
    other = host.run(name, files=dict(files, **{"/etc/passwd": {"content": "x", "mode": "0644"}}))
    assert other["failed"] and "/etc/passwd is neither of the release" in other["msg"]
    part = {path: entry for path, entry in files.items() if not path.endswith("release.json")}
    lacking = host.run(name, files=part)
    assert lacking["failed"] and "release.json is not given" in lacking["msg"]
    assert host.tree() == {}


def test_what_an_edge_is_given_is_part_of_the_release(host):
    name, files = host.files("nginx:1.26", edge=EDGE)
    host.run(name, files=files)
    home = "releases/{0}/".format(name)
    tree = host.tree()
    assert {path: tree[home + path] for path in EDGE} == {path: (0o644, text.encode()) for path, text in EDGE.items()}
    assert (tree[home + "edge"][0], tree[home + "edge/certificates"][0]) == (0o755, 0o755)
    assert host.run(name, files=files)["changed"] is False
    os.unlink(host.store.path(name) + "/edge/nginx.conf")
    assert host.store.missing(name) == [host.store.path(name) + "/edge/nginx.conf"]
    refused = host.run(name, "current")
    assert refused["failed"] and "edge/nginx.conf is missing" in refused["msg"]
    assert host.run(name, files=files)["changed"] is True
    assert host.tree()[home + "edge/nginx.conf"] == (0o644, b"events {}\n")
    assert host.run(name, "current")["changed"] is True


def test_nothing_of_another_release_or_outside_is_an_edges(host):
    name, files = host.files("nginx:1.26")
    for path in ("releases/{0}/other/x".format(name), "releases/{0}/edge/x".format("0" * 16), "edge/nginx.conf"):
        given = dict(files, **{"{0}/{1}".format(host.directory, path): {"content": "x", "mode": "0644"}})
        assert "is neither of the release" in host.run(name, files=given)["msg"]


def test_the_diff_shows_the_configuration_of_the_edge(host):
    host.deploy("app:1", edge=EDGE)
    name, files = host.files("app:1", edge={"edge/nginx.conf": "events {}\nhttp {}\n"})
    entries = {entry["after_header"].rpartition(" ")[2]: entry for entry in host.run(name, files=files, check=True, diff=True)["diff"]}
    assert list(entries) == ["edge/certificates/0.pem", "edge/nginx.conf"]
    shown = entries["edge/nginx.conf"]
    assert (shown["before"], shown["after"]) == ("events {}\n", "events {}\nhttp {}\n")


# ---- images


def test_its_images_are_tagged_and_one_that_is_missing_is_refused_before_anything_is_written(host):
    name, files = host.files("nginx:1.26", "redis:8.0")
    image = host.engine.images["nginx:1.26"]
    outcome = host.run(name, files=files)
    assert "portside.stack/shop:{0}".format(image[7:19]) in outcome["tagged"] and len(outcome["tagged"]) == 2
    assert host.engine.images["portside.stack/shop:" + image[7:19]] == image
    assert host.run(name, files=files)["tagged"] == []
    other, files = release_files(host.directory, {"gone:1": "gone:1@sha256:" + "0" * 64})
    refused = host.run(other, files=files)
    assert refused["failed"] and "image gone:1 (gone:1@sha256:" in refused["msg"] and "pulled first" in refused["msg"]
    assert other not in host.store.ids() and host.run(other, files=files, check=True)["changed"] is True


def test_a_lost_keep_tag_comes_back(host):
    name, files = host.files("nginx:1.26")
    tag = host.run(name, files=files)["tagged"][0]
    del host.engine.images[tag]
    again = host.run(name, files=files)
    assert again["changed"] is True and again["tagged"] == [tag]


# ---- the diff


def test_the_diff_is_against_the_current_release(host):
    old, _outcome = host.deploy("app:1", config="one\n")
    step = {"name": "migrate", "service": "s0", "command": ["python", "manage.py"], "when": "before"}
    name, files = host.files("app:2", config="two\n", steps=[step], secrets={"password": 2})
    for _once in range(2):
        entries = {entry["after_header"]: entry for entry in host.run(name, files=files, check=True, diff=True)["diff"]}
        assert list(entries) == ["release {0}, {1}".format(name, part) for part in ("compose.yaml", "release.json", "files/app.conf")]
        assert {entry["before_header"].split(",")[0] for entry in entries.values()} == {"release " + old}
        compose, record, config = entries.values()
        assert "app:1@sha256" in compose["before"] and "app:2@sha256" in compose["after"]
        assert (config["before"], config["after"]) == ("one\n", "two\n")
        assert "secret password version 1\n" in record["before"]
        assert record["after"].endswith(
            "secret password version 2\nstep migrate, before the activation, in s0: python manage.py\n"
        )
        host.run(name, files=files)  # the plan is the same for one that was written by a run that failed
    assert host.run(name, diff=True)["diff"] == list(entries.values())


def test_no_header_of_a_check_is_seen(host):
    checks = [{"name": "api", "url": "http://x", "headers": {"Authorization": "Bearer s3cret", "Host": "shop.example"}}]
    host.deploy("app:1", checks=checks)
    name, files = host.files("app:2", checks=[dict(checks[0], headers={"Authorization": "Bearer an0ther"})])
    for outcome in (host.run(name, files=files, diff=True), host.run(name, "current"), host.run("zz", files=files)):
        assert "s3cret" not in outcome.seen and "an0ther" not in outcome.seen


# ---- committed


def test_the_first_release_becomes_current(host, booted):
    name, outcome = host.deploy("app:1")
    assert outcome["changed"] is True and host.store.current() == name and booted == [host.directory]
    assert os.readlink(host.directory + "/current") == "releases/" + name
    assert host.store.verified(name)["schema"] == SCHEMA and host.store.verified(name)["verified"].startswith("2023-11-14T22:")
    assert host.tree()["releases/{0}/state/verified.json".format(name)][0] == 0o600
    assert outcome["record"] == host.history()[-1] and host.events() == [("started", name), ("deployed", name)]
    assert outcome["pruned"] == {"releases": [], "files": [], "images": [], "kept_images": {}, "secrets": {}, "logins": []}
    before = host.tree()
    written = host.run(name)
    assert (written["is_current"], written["current"]) == (True, name)
    again = host.run(name, "current")
    assert again["changed"] is False and again["record"] == outcome["record"] and host.tree() == before


def test_the_history_tells_who_why_and_what_was_before(host):
    old, _outcome = host.deploy("app:1")
    host.lock.acquire({"who": "ann", "origin": "laptop", "pid": 1, "started": "1"}, "deploy", "t0ken", 600)
    name, files = host.files("app:2")
    host.run(name, files=files, why="more speed", lock="t0ken")
    host.run(name, files=files, why="more speed", lock="t0ken")
    host.run(name, "current", why="more speed", lock="t0ken")
    started, deployed = host.history()[2:]
    for one in (started, deployed):
        assert (one["who"], one["from"], one["why"], one["run"], one["stack"]) == ("ann", "laptop", "more speed", "t0ken", STACK)
        assert (one["release"], one["previous"]) == (name, old)
    assert [one["stage"] for one in deployed["stages"]] == ["release", "release"] and deployed["seconds"] > 0
    assert host.run(name, "current", lock="other")["failed"]


def test_a_rollback_is_called_one(host):
    old, _outcome = host.deploy("app:1")
    new, _outcome = host.deploy("app:2")
    host.run(old, action="rollback")
    host.run(old, "current", action="rollback")
    assert host.events()[4:] == [("started", old), ("rolled_back", old)] and host.store.current() == old
    host.run(old, action="rollback")
    assert host.events()[-1] == ("started", old), "its databases are brought back"
    assert host.run(old, "current", action="rollback")["record"]["event"] == "rolled_back"


def test_a_release_that_lacks_something_does_not_become_current(host):
    old, _outcome = host.deploy("app:1")
    name, files = host.files("app:2")
    host.run(name, files=files)
    os.unlink(host.store.compose_file(name))
    outcome = host.run(name, "current")
    assert outcome["failed"] and "compose.yaml is missing" in outcome["msg"]
    assert host.store.current() == old and host.store.verified(name) is None


def test_schemas_that_cannot_be_told_are_a_warning(host, monkeypatch):
    def fails(*_):
        raise OSError(errno.ENOENT, "no such command")

    monkeypatch.setattr(release, "schemas_to_record", fails)
    name, outcome = host.deploy("app:1")
    assert host.store.current() == name and host.store.verified(name)["schema"] is None
    assert "no such command" in "\n".join(outcome.warnings)


def test_after_the_switch_nothing_fails_the_commit(host, monkeypatch):
    name, files = host.files("app:1")
    host.run(name, files=files)
    os.rename(host.directory + "/history.jsonl", host.directory + "/older")
    os.mkdir(host.directory + "/history.jsonl")
    monkeypatch.setattr(release.ReleaseOnHost, "_last_event", lambda _self: {})
    outcome = host.run(name, "current")
    assert outcome["changed"] is True and host.store.current() == name
    assert "what comes after that did not work" in "\n".join(outcome.warnings)


# ---- steps whose work is lost


def with_database(*steps, service="api"):
    label = {"portside.digest": "x"}
    services = {
        "api": {"image": "app:1", "labels": label, "depends_on": {"db": {"condition": "service_healthy"}}},
        "db": {"image": "app:1", "labels": label, "volumes": ["data:/var/lib/db"]},
        "mail": {"image": "app:1", "labels": label},
    }
    definition = {"name": STACK, "services": services, "volumes": {"data": {"name": "shop_data", "external": True}}}
    definition["x-portside"] = {"volumes": {"shop_data": {}}}
    return {"definition": definition, "steps": [{"name": "migrate", "service": service, "command": ["x"], "when": "before"}]}


def test_a_release_whose_step_is_undone_is_not_current_until_it_ran_again(host):
    name, files = host.files("app:1", steps=[{"name": "migrate", "service": "api", "command": ["x"], "when": "before"}])
    host.run(name, files=files)
    host.run(name, "current")
    host.ledger(name, {})
    assert host.run(name, files=files)["is_current"] is True
    host.ledger(name, {"undone": "t"})
    assert host.run(name, files=files)["is_current"] is False
    host.ledger(name, {"undone": "t"}, {})
    host.run(name, "current")
    assert host.run(name, files=files)["is_current"] is True


@pytest.mark.parametrize(("service", "current"), [("api", False), ("db", False), ("mail", True)])
def test_a_release_whose_step_worked_on_a_volume_that_is_gone_is_not_current(host, service, current):
    pin = host.engine.pull("app:1")
    name, files = release_files(host.directory, {"app:1": pin}, **with_database(service=service))
    host.engine.volumes["shop_data"] = {}
    host.run(name, files=files)
    host.run(name, "current")
    host.ledger(name, {})
    assert host.run(name, files=files)["is_current"] is True
    del host.engine.volumes["shop_data"]
    assert host.run(name, files=files)["is_current"] is current


def test_a_release_whose_logins_went_with_a_volume_is_not_current(host):
    pin = host.engine.pull("app:1")
    logins = [{"secret": "app", "version": 1, "service": "db", "role": "shop"}]
    name, files = release_files(host.directory, {"app:1": pin}, **{**with_database(service="mail"), "steps": [], "logins": logins})
    host.engine.volumes["shop_data"] = {}
    host.run(name, files=files)
    host.run(name, "current")
    assert host.run(name, files=files)["is_current"] is True
    del host.engine.volumes["shop_data"]
    assert host.run(name, files=files)["is_current"] is False


# ---- failed, absent


def test_a_failure_is_noted_once_and_the_link_stays(host):
    old, _outcome = host.deploy("app:1")
    name, files = host.files("app:2")
    host.run(name, files=files)
    assert host.run(name, "failed", error="boom", restored=old, check=True)["changed"] is True
    assert host.events()[-1] == ("started", name)
    outcome = host.run(name, "failed", error="a" * 9000 + "why", restored=old)
    record = outcome["record"]
    assert (record["error"], record["restored"], record["previous"]) == ("a" * 4000 + "\n[...]\n" + "a" * 3997 + "why", old, old)
    assert host.history()[-1] == record and host.store.current() == old
    assert host.run(name, "failed", error="again", restored=old)["changed"] is False and host.history()[-1] == record
    assert host.store.ids() == sorted([old, name])


def test_no_secret_of_the_stack_is_in_the_history(host):
    os.makedirs(host.directory + "/secrets/password")
    with open(host.directory + "/secrets/password/1", "w", encoding="utf-8") as file:
        file.write("hunter2-hunter2")
    name, _outcome = host.deploy("app:1")
    error = "x" * 3990 + " hunter2-hunter2 " + "y" * 5000
    record = host.run(name, "failed", error=error, restored="")["record"]
    assert "[secret" in record["error"] and "hunter" not in record["error"] + json.dumps(host.history())


def test_versions_of_secrets_go_with_the_last_release_that_names_them(host):
    host.engine.pull("app:1")
    for number in range(1, 6):
        for name in ("password", "gone"):
            os.makedirs(host.directory + "/secrets/" + name, exist_ok=True)
            with open("{0}/secrets/{1}/{2}".format(host.directory, name, number), "w", encoding="utf-8") as file:
                file.write("value")
        used = {"password": number, "gone": number} if number < 3 else {"password": number}
        _name, outcome = host.deploy("app:1", config="c{0}".format(number), keep=2, secrets=used)
    assert sorted(os.listdir(host.directory + "/secrets")) == ["password"]
    assert sorted(os.listdir(host.directory + "/secrets/password")) == ["4", "5"]
    assert outcome["pruned"]["secrets"] == {"gone": [5], "password": [3]}


def test_the_last_version_of_a_secret_outlives_its_declaration_while_a_volume_does(host):
    host.engine.pull("app:1")
    host.engine.volumes["demo_data"] = {"Labels": {"portside.stack": host.store.stack}}
    for number in (1, 2):
        os.makedirs(host.directory + "/secrets/gone", exist_ok=True)
        with open("{0}/secrets/gone/{1}".format(host.directory, number), "w", encoding="utf-8") as file:
            file.write("value")
        _name, outcome = host.deploy("app:1", config="c{0}".format(number), keep=1, secrets={"gone": 1} if number == 1 else {})
    assert os.listdir(host.directory + "/secrets/gone") == ["2"]
    assert outcome["pruned"]["secrets"] == {"gone": [1]}


def test_the_databases_that_still_let_in_with_what_was_removed_are_named(host):
    host.engine.pull("app:1")
    for number in (1, 2):
        os.makedirs(host.directory + "/secrets/app", exist_ok=True)
        with open("{0}/secrets/app/{1}".format(host.directory, number), "w", encoding="utf-8") as file:
            file.write("value")
        login = {"secret": "app", "version": 1, "service": "db", "role": "shop"}
        used = {"secrets": {"app": 1}, "logins": [login]} if number == 1 else {"secrets": {}}
        _name, outcome = host.deploy("app:1", config="c{0}".format(number), keep=1, **used)
    assert outcome["pruned"]["logins"] == ["db"]


def test_the_database_of_a_version_whose_release_is_gone_is_named(host):
    host.engine.pull("app:1")
    os.makedirs(host.directory + "/secrets/app")
    for number in (1, 2):
        with open("{0}/secrets/app/{1}".format(host.directory, number), "w", encoding="utf-8") as file:
            file.write("value")
    login = {"secret": "app", "version": 2, "service": "db", "role": "shop"}
    _name, outcome = host.deploy("app:1", secrets={"app": 2}, logins=[login])
    assert outcome["pruned"]["secrets"] == {"app": [1]} and outcome["pruned"]["logins"] == ["db"]


def test_a_failure_before_anything_was_written_is_noted_too(host):
    outcome = host.run("0" * 16, "failed", error="no space left")
    assert outcome["changed"] is True and host.events() == [("failed", "0" * 16)] and host.history()[0]["restored"] is None


def test_a_release_is_removed_unless_it_is_current(host):
    old, _outcome = host.deploy("app:1")
    new, _outcome = host.deploy("app:2")
    refused = host.run(new, "absent")
    assert refused["failed"] and "release {0} is the current one".format(new) in refused["msg"]
    assert host.run(old, "absent", check=True)["changed"] is True and old in host.store.ids()
    assert host.run(old, "absent")["changed"] is True and os.listdir(host.directory + "/releases") == [new]
    assert host.run(old, "absent")["changed"] is False


# ---- kills and full disks


def sound(host, allowed):
    """What has to be so at every moment."""
    current = host.store.current()
    assert current in allowed
    if current:
        assert host.store.missing(current) == [] and host.store.verified(current) is not None
    for name in host.store.ids():
        assert host.store.missing(name) == [] and host.store.read(name)["stack"] == STACK
        if host.store.verified(name):
            assert all(map(host.engine.resolve, host.store.read(name)["images"].values())), "offered, but not to be had"


class FaultyEngine(EngineClient):
    """Whose client is killed at its call number `at`."""

    at, calls = None, 0

    def _send(self, *arguments):
        kind = type(self)
        kind.calls += 1
        if kind.at is not None and kind.calls > kind.at:
            raise Killed
        return super()._send(*arguments)


def exists_except_processes(path, exists=os.path.exists):
    """This process is the one that was killed."""
    return not str(path).startswith("/proc/") and exists(path)


def attempts(host, capsys, tmp_path_factory, monkeypatch, first, arm):
    """A deploy that `arm(number)` cuts off, for each number until none does; each followed by the next run."""
    monkeypatch.setattr(os.path, "exists", exists_except_processes)
    number, over = 0, False
    while not over:
        attempt = Host(tmp_path_factory.mktemp("attempt"), host.engine, capsys)
        host.engine.images.clear()
        old = "" if first else attempt.deploy("app:1", config="one", keep=1)[0]
        name, files = attempt.files("app:2", config="two", edge=EDGE)
        reached = arm(number)
        try:
            failed = attempt.run(name, files=files).result.get("failed")
            failed = failed or attempt.run(name, "current", keep=1).result.get("failed")
        except Killed:
            failed = True
        over = not reached()
        arm(None)
        assert failed or attempt.store.current() == name
        sound(attempt, {old, name})
        yield attempt, failed
        written = attempt.run(name, files=files)
        assert not written.result.get("failed"), written["msg"]
        if not written["is_current"]:
            assert not attempt.run(name, "current", keep=1).result.get("failed")
        assert attempt.store.current() == name and attempt.run(name, files=files)["is_current"] is True
        assert attempt.events()[-1] == ("deployed", name)
        # What pruning had no time for is done by the next commit.
        last, _outcome = attempt.deploy("app:3", config="three", keep=1)
        assert os.listdir(attempt.directory + "/releases") == [last]
        assert len(os.listdir(attempt.directory + "/files")) == 1 and attempt.staging() == []
        assert set(attempt.engine.images.values()) == {attempt.engine.images["app:3"]}
        number += 1
    assert number > 10


@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device", "x")])
@pytest.mark.parametrize("first", [True, False])
def test_cut_off_in_its_files_the_old_or_the_new_release_is_current(tmp_path_factory, host, capsys, monkeypatch, error, first):
    def arm(number):
        Faults.arm(number, error)
        return lambda: Faults.calls > number

    for attempt, failed in attempts(host, capsys, tmp_path_factory, monkeypatch, first, arm):
        if failed and isinstance(error, OSError):
            assert attempt.staging() == [] or Faults.at is None


def test_cut_off_at_the_engine_the_old_or_the_new_release_is_current(tmp_path_factory, host, capsys, monkeypatch):
    def arm(number):
        FaultyEngine.at, FaultyEngine.calls = number, 0
        return lambda: FaultyEngine.calls > number

    monkeypatch.setattr(release, "EngineClient", lambda: FaultyEngine(host.engine.path))
    for _attempt in attempts(host, capsys, tmp_path_factory, monkeypatch, False, arm):
        pass


def test_cut_off_before_its_last_line_in_the_history_the_commit_is_made_again(host, monkeypatch):
    def killed(*_):
        raise Killed

    name, files = host.files("app:1")
    host.run(name, files=files)
    with monkeypatch.context() as patch:
        patch.setattr(History, "append", killed)
        with pytest.raises(Killed):
            host.run(name, "current")
    assert host.store.current() == name and host.events() == [("started", name)]
    assert host.run(name, files=files)["is_current"] is False
    assert host.run(name, "current")["changed"] is True and host.events() == [("started", name), ("deployed", name)]


# ---- retention


def test_ten_releases_leave_what_retention_says(host):
    host.engine.pull("foreign:1")
    names, pins = [], {}
    for number in range(10):
        # Two images of which one changes each time, and a file that changes every second time.
        name, outcome = host.deploy("db:1", "app:{0}".format(number), config="c{0}".format(number // 2), keep=3)
        names.append(name)
        pins[name] = host.store.read(name)["images"]
    kept = names[-3:]
    assert sorted(os.listdir(host.directory + "/releases")) == sorted(kept)
    used = {os.path.basename(os.path.dirname(path)) for name in kept for path in host.store.read(name)["files"]}
    assert set(os.listdir(host.directory + "/files")) == used and len(used) == 2
    app = {"app:{0}".format(number) for number in (7, 8, 9)}
    tags = {reference for reference in host.engine.images if "@" not in reference}
    keep_tags = {"portside.stack/shop:" + host.engine.images[name][7:19] for name in app | {"db:1"}}
    assert tags == app | {"db:1", "foreign:1"} | keep_tags
    assert outcome["pruned"]["releases"] == [names[6]] and "app:6" in outcome["pruned"]["images"]
    assert [one["event"] for one in host.history()].count("deployed") == 10


def test_after_a_rollback_the_current_release_counts_among_those_kept(host):
    first, _outcome = host.deploy("app:1", keep=2)
    second, _outcome = host.deploy("app:2", keep=2)
    host.run(first, action="rollback")
    host.run(first, "current", action="rollback", keep=2)
    assert host.store.ids() == sorted([first, second])
    third, _outcome = host.deploy("app:3", keep=2)
    assert host.store.ids() == sorted([first, third])


def test_a_failed_release_stays_until_the_next_one_is_committed(host):
    old, _outcome = host.deploy("app:1")
    bad, files = host.files("app:2")
    host.run(bad, files=files)
    host.run(bad, "failed", error="boom", restored=old)
    assert bad in host.store.ids() and "app:2" in host.engine.images
    new, outcome = host.deploy("app:3")
    assert host.store.ids() == sorted([old, new]) and "app:2" not in host.engine.images
    assert outcome["pruned"]["releases"] == [bad]


def test_the_dump_of_a_release_that_failed_stays_for_the_release_that_it_brings_back(host):
    first, _outcome = host.deploy("app:1", keep=2)
    step = {"name": "migrate", "service": "api", "command": ["x"], "when": "before"}
    bad, files = host.files("app:2", steps=[dict(step, dump={"service": "db", "database": "app", "user": "app"})])
    host.run(bad, files=files)
    dump = host.store.state_path(bad, "migrate.dump")
    with open(dump, "w", encoding="utf-8") as file:
        file.write("S1")
    moved = {"schema_before": SCHEMA, "schema_after": {"db/app": "half"}, "dump": dump, "exit_code": 1}
    host.ledger(bad, dict(moved, started=utc(float(next(host.clock)))))
    other, files = host.files("app:3")
    host.run(other, files=files)
    host.ledger(other, dict(moved, dump=None, started=utc(float(next(host.clock)))))
    second, outcome = host.deploy("app:4", keep=2)
    assert host.store.ids() == sorted([first, bad, second]) and outcome["pruned"]["releases"] == [other]
    assert "app:2" not in host.engine.images, "it is kept for its dump alone"
    releases = known_releases(host.store)
    target = choose(STACK, "", "", releases, second, host.history())
    verdict = judge(target, releases, {"db/app": "S2"})
    assert target.id == first and [one["path"] for one in restores(STACK, target, verdict, "restore", second)] == [dump]
    third, _outcome = host.deploy("app:5", keep=2)
    assert host.store.ids() == sorted([second, third]), "no good release from before the dump is left"


def test_a_dump_that_was_brought_back_holds_nothing_any_more(host):
    first, _outcome = host.deploy("app:1")
    bad, files = host.files("app:2")
    host.run(bad, files=files)
    host.ledger(bad, {"started": "2999-01-01T00:00:00Z", "dump": "/dump", "undone": "t"})
    second, _outcome = host.deploy("app:3")
    assert host.store.ids() == sorted([first, second])


def test_what_containers_use_stays_and_is_named(host):
    host.deploy("app:1", config="one", keep=1)
    image = host.engine.images["app:1"]
    file = "{0}/files/{1}/app.conf".format(host.directory, os.listdir(host.directory + "/files")[0])
    key = host.engine.use(image, [file])
    host.engine.containers[key]["State"]["Status"] = "exited"
    _name, outcome = host.deploy("app:2", config="two", keep=1)
    assert outcome["pruned"]["kept_images"] == {"portside.stack/shop:" + image[7:19]: "container other-thing-1 uses it"}
    assert host.engine.images["app:1"] == image and os.path.exists(file)
    del host.engine.containers[key]
    _name, outcome = host.deploy("app:3", config="three", keep=1)
    assert image not in host.engine.images.values() and not os.path.exists(file)
    assert outcome["pruned"]["kept_images"] == {}


def test_an_image_that_another_stack_keeps_stays_with_its_names(host):
    host.deploy("app:1", keep=1)
    image = host.engine.images["app:1"]
    host.engine.images["portside.stack/other:" + image[7:19]] = image
    _name, outcome = host.deploy("app:2", keep=1)
    left = {reference for reference, one in host.engine.images.items() if one == image and "@" not in reference}
    assert left == {"app:1", "portside.stack/other:" + image[7:19]}
    assert "other" in outcome["pruned"]["kept_images"]["portside.stack/shop:" + image[7:19]]


def test_an_image_that_was_built_here_goes_like_any_other(host):
    image, other = "sha256:" + "b" * 64, "sha256:" + "c" * 64
    host.engine.images.update({"portside.stack/build/shop-api:1": image, "portside.stack/build/shop-api:2": other})
    for pin in (image, other):
        # The record has the name from the declaration, the tag is by what the image was built from.
        host.commit({"portside.stack/build/shop-api": pin}, keep=1)
    assert image not in host.engine.images.values()
    assert host.engine.images["portside.stack/build/shop-api:2"] == other


def test_names_of_an_image_that_another_release_wants_go_with_the_last_that_does(host):
    image, other = "sha256:" + "b" * 64, "sha256:" + "c" * 64
    host.engine.images.update({"app:1": image, "app:2": image, "app:3": other})
    host.commit({"app:1": image}, keep=1)
    host.commit({"app:2": image}, keep=1)
    assert {"app:1", "app:2"} <= set(host.engine.images), "one image has both"
    host.commit({"app:3": other}, keep=1)
    assert image not in host.engine.images.values() and host.store.left_images() == {}


def test_a_name_that_a_kept_release_uses_is_never_taken(host):
    image, other = "sha256:" + "b" * 64, "sha256:" + "c" * 64
    host.engine.images["app:1"] = image
    first = host.commit({"app:1": image}, keep=2)
    host.engine.images.update({"app:1": other, "own:1": image})
    host.commit({"app:1": other}, keep=2)
    host.run(first, action="rollback")
    outcome = host.run(first, "current", action="rollback", keep=1)
    keep_tag = "portside.stack/shop:" + "c" * 12
    assert host.engine.images["app:1"] == other
    assert outcome["pruned"]["kept_images"] == {keep_tag: "a release that stays calls an image app:1"}
    host.commit({"own:1": image}, keep=1)
    assert other not in host.engine.images.values(), "nobody calls it so any more"


def test_a_tag_that_moved_since_is_not_taken_from_what_it_names_now(host):
    host.deploy("app:1", keep=1)
    before = host.engine.images["app:1"]
    host.engine.images["app:1"] = "sha256:" + "e" * 64
    host.deploy("app:2", keep=1)
    assert host.engine.images["app:1"] == "sha256:" + "e" * 64 and before not in host.engine.images.values()


def test_the_engine_refusing_is_told_and_not_forced(host, monkeypatch):
    host.deploy("app:1", keep=1)
    image = host.engine.images["app:1"]
    tag = "portside.stack/shop:" + image[7:19]
    host.engine.use(image)
    # A container that came after the look.
    monkeypatch.setattr(EngineClient, "containers", lambda _self, *_: [])
    _name, outcome = host.deploy("app:2", keep=1)
    assert "conflict" in outcome["pruned"]["kept_images"][tag] and host.engine.images[tag] == image


def test_volumes_secrets_and_what_is_not_ours_stay(host):
    host.deploy("app:1", keep=1)
    for path in ("secrets/password/1", "releases/notes.txt", "files/README"):
        os.makedirs(os.path.dirname(os.path.join(host.directory, path)), exist_ok=True)
        with open(os.path.join(host.directory, path), "w", encoding="utf-8") as file:
            file.write("mine")
    host.engine.requests.clear()
    host.deploy("app:2", keep=1)
    for path in ("secrets/password/1", "releases/notes.txt", "files/README"):
        assert os.path.exists(os.path.join(host.directory, path))
    changes = [one for one in host.engine.requests if not one.startswith("GET")]
    assert not [one for one in changes if "volumes" in one or one.startswith("DELETE") and "/images" not in one and "images/" not in one]


def test_fewer_than_one_release_cannot_be_kept(host):
    outcome = host.run("0" * 16, "current", keep=0)
    assert outcome["failed"] and "option keep: 0 is less than 1" in outcome["msg"]
