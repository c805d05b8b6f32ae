# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._owned_places import absent_sources, set_right, wrong_places
from fake_engine import FakeEngine

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="files are owned by root")


def definition(volumes=(), directories=(), mounts=()):
    return {
        "name": "shop",
        "services": {"api": {"volumes": list(mounts)}},
        "x-portside": {"volumes": dict(volumes), "directories": dict(directories)},
    }


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        engine.volume_root = tmp_path / "volumes"
        yield engine


def made(engine, name):
    client = EngineClient(engine.path)
    client.post("/volumes/create", {"Name": name})
    return client


def test_a_volume_is_set_right_once(engine):
    wanted = definition({"shop_media": {"uid": 10001, "gid": 10001, "mode": "0750"}, "shop_plain": {}})
    (place,), problems = wrong_places("shop", wanted, {})
    assert problems == []
    assert place.lines() == ("", "volume shop_media: owner 10001:10001, mode 0750\n")
    client = made(engine, "shop_media")
    (place,), problems = wrong_places("shop", wanted, engine.volumes)
    assert place.lines()[0] == "volume shop_media: owner 0:0, mode 0755\n"
    set_right("shop", client, place)
    assert wrong_places("shop", wanted, engine.volumes) == ([], [])


def test_only_what_is_said_counts(engine):
    made(engine, "shop_media")
    assert wrong_places("shop", definition({"shop_media": {"uid": 0}}), engine.volumes) == ([], [])
    (place,), _problems = wrong_places("shop", definition({"shop_media": {"gid": 5}}), engine.volumes)
    assert place.lines()[1] == "volume shop_media: owner 0:5, mode 0755\n"


def test_the_engines_root_may_be_reached_by_a_link(engine, tmp_path):
    client = made(engine, "shop_media")
    (tmp_path / "link").symlink_to(engine.volume_root)
    engine.volumes["shop_media"]["Mountpoint"] = str(tmp_path / "link/shop_media/_data")
    (place,), _problems = wrong_places("shop", definition({"shop_media": {"uid": 9}}), engine.volumes)
    set_right("shop", client, place)
    assert os.stat(str(engine.volume_root / "shop_media/_data")).st_uid == 9


def test_a_volume_that_is_elsewhere_is_said(engine):
    client = made(engine, "shop_media")
    engine.volumes["shop_media"]["Mountpoint"] = "/nowhere/_data"
    wanted = definition({"shop_media": {"uid": 1}})
    _places, (problem,) = wrong_places("shop", wanted, engine.volumes)
    assert problem.startswith("stack shop, key 'volumes': volume shop_media cannot be made as declared: ")
    assert "/nowhere/_data, which is not on this host" in problem
    (place,), _problems = wrong_places("shop", wanted, {})
    with pytest.raises(StackError, match="/nowhere/_data, which is not on this host"):
        set_right("shop", client, place)


def test_a_directory_is_made_and_set_right_once(tmp_path):
    path = str(tmp_path / "srv/uploads")
    wanted = definition(directories={path: {"uid": 10001, "gid": 0, "mode": "2770"}})
    (place,), _problems = wrong_places("shop", wanted, {})
    assert place.lines() == ("", "directory {0}: created, owner 10001:0, mode 2770\n".format(path))
    set_right("shop", None, place)
    assert wrong_places("shop", wanted, {}) == ([], [])
    os.chmod(path, 0o700)
    (place,), _problems = wrong_places("shop", wanted, {})
    assert place.lines()[0] == "directory {0}: owner 10001:0, mode 0700\n".format(path)


def test_a_directory_that_is_a_link_is_said_before_anything_is_touched(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    path = str(tmp_path / "link")
    _places, (problem,) = wrong_places("shop", definition(directories={path: {"uid": 1, "gid": 1, "mode": "0755"}}), {})
    assert problem.startswith("stack shop, key 'directories': directory {0} cannot be made as declared: ".format(path))
    assert "is a link to /etc" in problem


def test_what_is_mounted_has_to_be_there_or_declared(tmp_path):
    there, missing = str(tmp_path), str(tmp_path / "missing")
    mounts = [there + ":/a", missing + ":/b", {"type": "bind", "source": missing, "target": "/c"}, "data:/d", "/anonymous"]
    (problem,) = absent_sources("shop", definition(mounts=mounts))
    assert "service 'api', 'api'" not in problem
    assert problem.startswith("stack shop, service 'api', key 'volumes': {0} is not on the host. Remedy: ".format(missing))
    assert "directories: {{{0}: ".format(missing) in problem
    assert absent_sources("shop", definition(mounts=mounts, directories={missing: {}})) == []
