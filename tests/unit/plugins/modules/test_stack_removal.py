# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.modules import stack_removal
from module_runner import run_module
from release_host import STACK, Engine, release_files

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="files are owned by root")

LINEAGE = "etc/letsencrypt/renewal/portside-shop.conf"
HOOK = "etc/letsencrypt/renewal-hooks/deploy/portside-shop"
OURS = {"Labels": {"portside.stack": STACK}}


class Unit:
    """The boot unit of the stack."""

    def __init__(self):
        self.on = False

    def enabled(self, _directory):
        return self.on

    def disable(self, _directory):
        self.on = False


class Host:
    """A host with a stack that was deployed."""

    def __init__(self, root, engine, unit, capsys):
        self.root, self.engine, self.unit, self._capsys = root, engine, unit, capsys
        self.directory = root / STACK

    def run(self, *delete, check=False, **arguments):
        arguments = dict(arguments, directory=str(self.directory), delete_volumes=list(delete))
        return run_module(stack_removal.main, self._capsys, arguments, check, True)

    def refused(self, *delete, **arguments):
        """What it says, having touched nothing."""
        before = self.all()
        outcome = self.run(*delete, **arguments)
        assert outcome.result.get("failed"), outcome.result
        assert self.all() == before
        return outcome["msg"]

    def volume(self, name, **rest):
        self.engine.volumes[name] = dict(OURS, **rest)

    def write(self, path, content):
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def release(self, image, volumes=("data",), current=True, externals=(), **rest):
        names = {key: {"name": "{0}_{1}".format(STACK, key)} for key in volumes}
        outside = {key: {"name": key} for key in externals}
        body = {"image": image, "labels": {"portside.digest": "d"}}
        definition = {
            "name": STACK,
            "services": {"api": dict(body, depends_on={"db": {"condition": "service_started"}}), "db": body},
            "volumes": {**names, **outside},
            "x-portside": {
                "volumes": {one["name"]: {} for one in names.values()},
                "edge": {"kind": "nginx"},
            },
        }
        images = {image: self.engine.pull(image)}
        name, files = release_files(str(self.directory), images, config=image, definition=definition, **rest)
        for path, entry in files.items():
            self.write(os.path.relpath(path, self.directory), entry["content"])
        self.write("releases/{0}/state/verified.json".format(name), json.dumps({"verified": "t", "schema": None}))
        repo = "portside.stack/{0}:{1}".format(STACK, self.engine.images[image][7:19])
        self.engine.images[repo] = self.engine.images[image]
        if current:
            (self.directory / "current").unlink(missing_ok=True)
            (self.directory / "current").symlink_to("releases/" + name)
        return name

    def certbot(self, argv, _data):
        assert argv[:3] == ["certbot", "delete", "--non-interactive"]
        (self.root / "etc/letsencrypt/renewal" / (argv[-1] + ".conf")).unlink()
        return 0, "", ""

    def deployed(self):
        release = self.release("app:1")
        for path in (LINEAGE, HOOK, "etc/letsencrypt/renewal/other.conf"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text("[renewalparams]\nwebroot_path = {0}/edge/acme,\n".format(self.directory))
        self.write("edge/nginx.conf", "events {}")
        self.write("edge/certificates/acme.pem", "key")
        self.write("edge/acme/.well-known/acme-challenge/x", "x")
        self.engine.networks["shop_default"] = {"Name": "shop_default", "Labels": {"portside.stack": STACK}}
        self.volume("shop_data")
        self.engine.sizes["shop_data"] = 12300000
        for service in ("db", "api"):
            key = self.engine.use(self.engine.images["app:1"], project=STACK)
            one = self.engine.containers[key]
            one["Config"]["Labels"].update({"com.docker.compose.service": service, "portside.stack": STACK})
            one["Name"] = "/shop-{0}-1".format(service)
            one["Mounts"] = [{"Type": "volume", "Name": "shop_data"}] if service == "db" else []
        self.write("secrets/password/1", "xyzzy")
        self.write("history.jsonl", json.dumps({"event": "deployed", "run": "r", "release": release}) + "\n")
        self.write("oneshots.json", "{}")
        self.unit.on = True
        return release

    def history(self):
        return [json.loads(line) for line in (self.directory / "history.jsonl").read_text().splitlines()]

    def files(self):
        """Without what a process that was killed has left, which this one is not."""
        found = [path for path in self.directory.rglob("*") if not path.is_dir() or path.is_symlink()]
        return sorted(str(path.relative_to(self.directory)) for path in found if "/.portside-" not in str(path))

    def all(self):
        engine = self.engine
        certbot = sorted(str(path) for path in (self.root / "etc").rglob("*"))
        return self.files(), certbot, sorted(engine.containers), sorted(engine.networks), sorted(engine.volumes), sorted(engine.images), self.unit.on


@pytest.fixture(name="host")
def host_fixture(tmp_path, monkeypatch, capsys, run_directory):
    with Engine(tmp_path / "engine") as engine:
        unit = Unit()
        monkeypatch.setattr(stack_removal, "EngineClient", lambda: EngineClient(engine.path))
        monkeypatch.setattr(stack_removal, "BootUnit", lambda *_: unit)
        (tmp_path / "stacks").mkdir()
        made = Host(tmp_path / "stacks", engine, unit, capsys)
        monkeypatch.setattr(stack_removal, "Certbot", lambda stack, _run, fs: Certbot(stack, made.certbot, fs, root=str(made.root)))
        yield made


def test_all_goes_but_volumes_secrets_and_history(host):
    release = host.deployed()
    outcome = host.run(why="moved")
    assert outcome["changed"]
    assert outcome["containers"] == ["shop-api-1", "shop-db-1"]
    assert outcome["networks"] == ["shop_default"]
    assert outcome["releases"] == [release]
    assert outcome["kept_volumes"] == ["shop_data"]
    assert outcome["deleted_volumes"] == []
    assert outcome["progress"][:2] == ["removed shop-api-1", "removed shop-db-1"]
    assert host.files() == ["history.jsonl", "secrets/password/1"]
    assert not host.unit.on
    assert (host.engine.containers, host.engine.networks, host.engine.images) == ({}, {}, {})
    assert list(host.engine.volumes) == ["shop_data"]
    event = host.history()[-1]
    assert (event["event"], event["action"], event["release"], event["why"]) == ("removed", "remove", release, "moved")
    assert event["kept_volumes"] == ["shop_data"]
    assert outcome["text"][-1] == "  stays: volume shop_data; secrets, dumps and history in {0}".format(host.directory)


@pytest.mark.parametrize("delete", [(), ("old",)])
def test_a_second_time_there_is_nothing_to_do(host, delete):
    host.deployed()
    host.volume("shop_old")
    assert host.run(*delete)["changed"]
    before = host.all()
    outcome = host.run(*delete)
    assert not outcome["changed"]
    assert "record" not in outcome.result
    assert outcome["text"][0] == "shop: nothing of it runs here, so there is nothing to remove"
    assert host.all() == before


def test_the_edge_goes_with_its_keys_and_its_certificate_and_no_other(host):
    host.deployed()
    planned = host.run(check=True)
    assert planned["certificates"] == ["portside-shop"]
    assert "certificate portside-shop of certbot, whose account stays\n" in planned["diff"]["before"]
    assert "{0}/edge, with its keys\n".format(host.directory) in planned["diff"]["before"]
    assert (host.root / HOOK).exists() and (host.directory / "edge/nginx.conf").exists()
    done = host.run()
    assert done["certificates"] == ["portside-shop"]
    assert not (host.directory / "edge").exists()
    assert not (host.root / HOOK).exists() and not (host.root / LINEAGE).exists()
    assert (host.root / "etc/letsencrypt/renewal/other.conf").exists()
    # A hook alone is left over too.
    (host.root / HOOK).touch()
    assert host.run()["changed"] and not (host.root / HOOK).exists()


def test_check_mode_tells_and_touches_nothing(host):
    host.deployed()
    before = host.all()
    outcome = host.run("data", check=True)
    assert outcome["changed"]
    assert outcome["deleted_volumes"] == [{"name": "shop_data", "key": "data", "size": 12300000}]
    assert "volume shop_data (12.3 MB), with all that is in it\n" in outcome["diff"]["before"]
    assert outcome["diff"]["after"] == ""
    assert host.all() == before


def test_with_the_last_volume_the_secrets_stay_unless_they_are_asked_for_too(host):
    host.deployed()
    assert not host.run("data", check=True)["directory_removed"]
    outcome = host.run("data", delete_secrets=True)
    assert outcome["directory_removed"]
    assert outcome["deleted_volumes"] == [{"name": "shop_data", "key": "data", "size": 12300000}]
    assert host.engine.volumes == {}
    assert not host.directory.exists()
    # What is gone is not asked for, and not refused.
    assert not host.run("data", delete_secrets=True)["changed"]


def test_secrets_do_not_go_before_the_data_that_may_need_them(host):
    host.deployed()
    assert "delete_secrets: volume shop_data stays" in host.refused(delete_secrets=True)


def test_what_a_container_mounted_of_the_directory_is_nothing_of_the_stacks_that_may_go(host):
    host.deployed()
    uploads = host.write("uploads/1.jpg", "a picture")
    outcome = host.run("data", delete_secrets=True)
    assert outcome["directory_removed"]
    assert outcome.warnings == ["{0}: uploads was not put there by a deploy, and stays".format(host.directory)]
    assert host.files() == ["uploads/1.jpg"]
    assert uploads.read_text() == "a picture"
    assert not host.run("data", delete_secrets=True)["changed"]


def test_one_volume_of_two(host):
    host.deployed()
    host.volume("shop_old")
    outcome = host.run("shop_old")
    assert [one["name"] for one in outcome["deleted_volumes"]] == ["shop_old"]
    assert not outcome["directory_removed"]
    assert list(host.engine.volumes) == ["shop_data"]
    assert host.history()[-1]["deleted_volumes"] == [{"name": "shop_old", "key": "old", "size": None}]
    assert "of unknown size" in "\n".join(outcome["text"])


def test_dumps_stay_where_no_deploy_lets_them_go(host):
    release = host.deployed()
    dump = host.write("releases/{0}/state/dumps/a.dump".format(release), "rows")
    host.write("releases/{0}/state/steps.json".format(release), json.dumps([{"step": "migrate", "dump": str(dump)}]))
    outcome = host.run()
    assert outcome["kept_dumps"] == [release]
    (kept,) = [path for path in host.files() if path.endswith(".dump")]
    assert kept.startswith("dumps/") and kept.endswith("-{0}/a.dump".format(release))
    assert not [path for path in host.files() if path.startswith("releases/")]
    assert not host.run()["changed"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("dat", "there is no such volume; did you mean data? Remedy: name one of the stack's own: shop_data."),
        ("media", "it is external, so it is not this stack's to delete"),
        ("blog_data", "it is of stack blog"),
        ("plain", "it is not of this stack"),
    ],
)
def test_what_is_not_its_own_is_refused(host, given, said):
    host.deployed()
    host.release("app:1", externals=["media"])
    host.engine.volumes.update(media={}, plain={"Labels": None}, blog_data={"Labels": {"portside.stack": "blog"}})
    problem = host.refused("shop_data", given)
    assert problem.startswith("stack shop, option delete_volumes: {0}: ".format(given))
    assert said in problem


def test_a_volume_that_others_use_is_refused(host):
    host.deployed()
    key = host.engine.use("sha256:x", project="blog")
    host.engine.containers[key]["Mounts"] = [{"Type": "volume", "Name": "shop_data"}]
    assert "shop_data: container blog-thing-1 uses it" in host.refused("data")


def test_a_volume_that_another_stack_mentions_is_refused(host):
    host.deployed()
    record = {"definition": {"volumes": {"theirs": {"name": "shop_data", "external": True}}}}
    home = host.root / "blog/releases" / ("0" * 16)
    home.mkdir(parents=True)
    (home / "release.json").write_text(json.dumps(record))
    (host.root / "blog/current").symlink_to("releases/" + "0" * 16)
    assert "shop_data: stack blog mounts it too" in host.refused("data")
    assert host.run()["changed"]


def test_a_network_that_others_use_is_refused_before_anything_is_touched(host):
    host.deployed()
    host.engine.networks["shop_default"]["Containers"] = {"x": {"Name": "proxy"}}
    assert "network shop_default is used by proxy of others" in host.refused()


def test_a_compose_project_that_is_no_stack_is_refused(host):
    host.engine.use("sha256:x", project=STACK)
    assert "is no stack of this collection, with shop-thing-1" in host.refused()


def test_files_that_others_mount_stay(host):
    host.deployed()
    (mounted,) = (host.directory / "files").iterdir()
    host.engine.use("sha256:x", mounts=[str(mounted / "app.conf")])
    host.run()
    assert mounted.exists()


def test_a_host_without_an_engine_has_nothing_of_it_in_check_mode_alone(host, monkeypatch, tmp_path):
    monkeypatch.setattr(stack_removal, "EngineClient", lambda: EngineClient(str(tmp_path / "none")))
    assert not host.run("data", check=True)["changed"]
    assert "no Docker engine answers" in host.refused()


class Killed(BaseException):
    pass


class Faults(FileSystem):
    """The real file system, until the call number at that changes something."""

    left = 0

    def __getattribute__(self, name):
        method = super().__getattribute__(name)
        if name not in ("rename", "unlink", "remove_tree", "make_staging", "rmdir", "shred"):
            return method

        def called(*arguments):
            Faults.left -= 1
            if Faults.left == 0:
                raise Killed
            return method(*arguments)

        return called


@pytest.mark.parametrize("delete", [(), ("data",)])
def test_what_was_cut_off_is_taken_up_by_the_next_time(host, monkeypatch, delete):
    cut = 0
    while True:
        cut += 1
        host.deployed()
        Faults.left = cut
        monkeypatch.setattr(stack_removal, "FileSystem", Faults)
        try:
            host.run(*delete, delete_secrets=bool(delete))
            break
        except Killed:
            Faults.left = 0
        monkeypatch.setattr(stack_removal, "FileSystem", FileSystem)
        assert not host.run(*delete, delete_secrets=bool(delete)).result.get("failed")
        if delete:
            assert not host.directory.exists()
            assert host.engine.volumes == {}
        else:
            assert host.files() == ["history.jsonl", "secrets/password/1"]
            assert list(host.engine.volumes) == ["shop_data"]
        assert host.engine.images == {}
        assert not host.run(*delete, delete_secrets=bool(delete))["changed"]
    assert cut > 5
