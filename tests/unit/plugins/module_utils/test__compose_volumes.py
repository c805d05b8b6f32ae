# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes and directories on their way through a deploy: judged by state: pulled, made and set right by state: present."""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_pulled import pulled
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._host_budget import HostBudget
from fake_engine import FakeEngine

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="files are owned by root")

RELEASE = "0" * 16


class Host:
    """A host with an engine, on which every Compose command goes well and does nothing."""

    def __init__(self, root, engine):
        self.root, self.engine, self.warnings, self.lines = root, engine, [], []
        self.directory = root / "demo"
        self.directory.mkdir()

    def definition(self, volumes, directories=None, mounts=(), **services):
        body = {"image": "sha256:" + "1" * 64, "labels": {"portside.digest": "d"}}
        bodies = {name: dict(body, volumes=[key + ":/data" for key in keys]) for name, keys in services.items()}
        bodies["api"] = dict(body, volumes=list(mounts), scale=0)
        own = {"demo_" + key: options for key, options in volumes.items()}
        return {
            "name": "demo",
            "services": bodies,
            "volumes": {key: {"name": "demo_" + key, "external": True} for key in volumes},
            "x-portside": {"volumes": own, "directories": directories or {}},
        }

    def stack(self, definition, check=False):
        file = self.root / "compose.yaml"
        file.write_text("")
        params = {"definition": definition, "file": str(file), "project_directory": str(self.directory), "wait_timeout": 5}
        client = EngineClient(self.engine.path)
        return StackOnHost(params, check, client, lambda *_: (0, "", ""), time, list, self.lines.append)

    def pulled(self, definition, check=False, way_back=True, awaited=()):
        params = {"release": None if way_back else RELEASE, "images": {}, "refresh": False, "pull_timeout": 5, "awaited": awaited}
        budget = HostBudget({}, "0", "here", FileSystem(), lambda: 1)
        return pulled(self.stack(definition, check), time, params, "x86_64", budget, self.warnings.append)

    def present(self, definition, check=False):
        return self.stack(definition, check).present()

    def current(self, definition):
        home = self.directory / "releases" / RELEASE
        home.mkdir(parents=True)
        (home / "release.json").write_text(json.dumps({"definition": definition, "images": {}}))
        (self.directory / "current").symlink_to("releases/" + RELEASE)

    def volume(self, name, stack="demo"):
        self.engine.volumes[name] = {"Labels": {"portside.stack": stack}}


@pytest.fixture(name="host")
def host_fixture(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        engine.volume_root = tmp_path / "volumes"
        engine.images["sha256:" + "1" * 64] = {"Id": "sha256:" + "1" * 64, "Os": "linux", "Architecture": "amd64"}
        yield Host(tmp_path, engine)


def test_owners_are_set_once_and_told(host, tmp_path):
    uploads = str(tmp_path / "srv/uploads")
    directories = {uploads: {"uid": 9, "gid": 9, "mode": "0700"}}
    wanted = host.definition({"media": {"uid": 7, "gid": 8, "mode": "0750"}}, directories, ["media:/media", uploads + ":/u"])
    planned = host.present(wanted, check=True)
    assert planned["changed"]
    assert planned["diff"]["after"].splitlines() == [
        "volume demo_media: created",
        "volume demo_media: owner 7:8, mode 0750",
        "directory {0}: created, owner 9:9, mode 0700".format(uploads),
    ]
    assert (host.engine.volumes, os.path.exists(uploads)) == ({}, False)
    assert host.present(wanted)["diff"] == planned["diff"]
    assert host.engine.volumes["demo_media"]["Labels"] == {"portside.stack": "demo", "portside.service": "api"}
    root = os.stat(str(tmp_path / "volumes/demo_media/_data"))
    assert (root.st_uid, root.st_gid, root.st_mode & 0o7777) == (7, 8, 0o750)
    assert os.stat(uploads).st_uid == 9
    assert host.lines == [
        "created volume demo_media",
        "set volume demo_media: owner 7:8, mode 0750",
        "set directory {0}: owner 9:9, mode 0700".format(uploads),
    ]
    assert not host.present(wanted)["changed"]


def test_what_differs_is_set_right(host, tmp_path):
    wanted = host.definition({"media": {"mode": "0750"}}, mounts=["media:/media"])
    host.present(wanted)
    root = tmp_path / "volumes/demo_media/_data"
    root.chmod(0o777)
    result = host.present(wanted)
    assert result["diff"] == {"before": "volume demo_media: owner 0:0, mode 0777\n", "after": "volume demo_media: owner 0:0, mode 0750\n"}
    assert root.stat().st_mode & 0o7777 == 0o750


def test_what_services_mount_has_to_be_there(host, tmp_path):
    wanted = host.definition({}, mounts=["{0}:/x".format(tmp_path / "none")])
    with pytest.raises(StackError, match="none is not on the host. Remedy: have it made, directories: "):
        host.pulled(wanted)
    host.engine.server_close()
    os.unlink(host.engine.path)
    # A plan for a host that is to get its engine.
    wanted["services"]["api"]["image"] = "app:1"
    assert host.pulled(wanted, check=True)["orphaned_volumes"] == []


def test_a_directory_that_cannot_be_as_declared_is_refused(host, tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    wanted = host.definition({}, {str(tmp_path / "link"): {"uid": 0, "gid": 0, "mode": "0755"}})
    with pytest.raises(StackError, match="is a link to /etc"):
        host.pulled(wanted)


def test_an_external_volume_that_is_not_there_is_refused_unless_another_stack_makes_it_in_time(host):
    wanted = host.definition({"data": {}}, db=["data"])
    del wanted["x-portside"]["volumes"]["demo_data"]
    with pytest.raises(StackError, match="volume demo_data is declared external and is not on the host"):
        host.pulled(wanted)
    assert host.pulled(wanted, awaited=["demo_data"])["changed"] is False
    host.volume("demo_data")
    assert host.pulled(wanted)["changed"] is False


def test_a_renamed_volume_is_refused_but_not_on_the_way_back(host):
    host.current(host.definition({"data": {}}, db=["data"]))
    host.volume("demo_data")
    renamed = host.definition({"store": {}}, db=["store"])
    with pytest.raises(StackError, match="volume demo_store is not on the host, .* in place of volume demo_data"):
        host.pulled(renamed)
    assert host.pulled(renamed, way_back=False)["orphaned_volumes"] == ["demo_data"]
    host.volume("demo_store")
    assert host.pulled(renamed)["orphaned_volumes"] == ["demo_data"]
    assert len(host.warnings) == 2
    assert "not mentioned any more, and kept with all that is in them: volume demo_data." in host.warnings[0]


def test_the_data_of_a_renamed_stack_are_pointed_at(host):
    host.volume("old_data", "old")
    wanted = host.definition({"data": {}}, db=["data"])
    host.pulled(wanted)
    (warning,) = host.warnings
    assert "give it the data, volumes: {data: {name: old_data}}" in warning
    # It is there still: no stack that was renamed.
    host.engine.add("db", "d", project="old")
    host.pulled(wanted)
    assert len(host.warnings) == 1
