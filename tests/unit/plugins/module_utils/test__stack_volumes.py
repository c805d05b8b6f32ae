# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import (
    bind_sources,
    mounted,
    of_renamed_stacks,
    orphaned,
    own_names,
    renamed,
)

OURS = {"Labels": {"portside.stack": "shop"}}


def definition(volumes, externals=None, image="postgres:17", **services):
    """volumes and externals are key -> the engine's name, services are name -> mounts."""
    bodies = {name: {"image": image, "volumes": mounts} for name, mounts in services.items()}
    names = {key: {"name": name, "external": True} for key, name in {**volumes, **(externals or {})}.items()}
    return {"name": "shop", "services": bodies, "volumes": names, "x-portside": {"volumes": {name: {} for name in volumes.values()}}}


def record(old, **images):
    return {"definition": old, "images": images}


OLD = definition({"data": "shop_data"}, db=["data:/var/lib/postgresql/data"])


def test_own_volumes_are_those_the_stack_makes():
    assert own_names(definition({"data": "shop_data"}, {"media": "media"})) == {"shop_data": "data"}
    assert own_names({}) == {}


def test_orphaned_are_labelled_ones_that_are_not_mentioned():
    there = {"shop_data": OURS, "shop_old": OURS, "media": OURS, "other_data": {"Labels": {"portside.stack": "other"}}, "plain": {"Labels": None}}
    assert orphaned("shop", definition({"data": "shop_data"}, {"media": "media"}), there) == ["shop_old"]


@pytest.mark.parametrize(
    "new",
    [
        definition({"database": "shop_database"}, db=["database:/var/lib/postgresql/data:nocopy"]),
        definition({"database": "shop_database"}, db=[{"type": "volume", "source": "database", "target": "/var/lib/postgresql/data/"}]),
        # The service is called another name too.
        definition({"database": "shop_database"}, postgres=["database:/var/lib/postgresql/data"]),
        # The service is on another major version.
        definition({"database": "shop_database"}, image="postgres:18", postgres=["database:/var/lib/postgresql/data"]),
        definition({"data": "shop_data2"}, image="mine", db=["data:/var/lib/postgresql/data"]),
    ],
)
def test_a_renamed_volume_is_refused_with_advice(new):
    old = record(definition({"data": "shop_data"}, image="postgres:17@sha256:" + "a" * 64, db=["data:/var/lib/postgresql/data"]))
    (problem,) = renamed("shop", new, old, {"shop_data": OURS})
    (name,) = own_names(new)
    assert "volume {0} is not on the host".format(name) in problem
    assert "in place of volume shop_data with its data" in problem
    assert "keep the key 'data'" in problem
    assert "{name: shop_data}" in problem
    assert "docker volume create --label portside.stack=shop {0}".format(name) in problem


@pytest.mark.parametrize(
    ("new", "there"),
    [
        (OLD, {"shop_data": OURS}),
        # Given the data of the old one, or made by hand before.
        (definition({"database": "shop_data"}, db=["database:/var/lib/postgresql/data"]), {"shop_data": OURS}),
        (definition({"database": "shop_database"}, db=["database:/var/lib/postgresql/data"]), {"shop_data": OURS, "shop_database": {}}),
        # Kept beside the new one, or gone already.
        (definition({"new": "shop_new", "data": "shop_data"}, db=["new:/var/lib/postgresql/data", "data:/old"]), {"shop_data": OURS}),
        (definition({"database": "shop_database"}, db=["database:/var/lib/postgresql/data"]), {}),
        # At another place, and of another program.
        (definition({"wal": "shop_wal"}, db=["wal:/wal"]), {"shop_data": OURS}),
        (definition({"cache": "shop_cache"}, image="redis:8", redis=["cache:/var/lib/postgresql/data"]), {"shop_data": OURS}),
    ],
)
def test_what_is_no_rename_is_let_through(new, there):
    assert renamed("shop", new, record(OLD), there) == []
    assert renamed("shop", new, {}, there) == []


def test_images_that_were_built_are_told_apart():
    pins = {"portside.stack/build/a:1": "sha256:" + "a" * 64, "portside.stack/build/b:1": "sha256:" + "b" * 64}
    old = definition({"data": "shop_data"}, image=pins["portside.stack/build/a:1"], api=["data:/data"])
    for name, found in (("a", 1), ("b", 0)):
        new = definition({"store": "shop_store"}, image="portside.stack/build/{0}:2".format(name), web=["store:/data"])
        assert len(renamed("shop", new, record(old, **pins), {"shop_data": OURS})) == found
    new = definition({"store": "shop_store"}, image="sha256:" + "c" * 64, web=["store:/data"])
    assert renamed("shop", new, record(old), {"shop_data": OURS}) == []


def test_a_stack_that_may_have_been_renamed_is_known_by_its_keys():
    there = {"old_data": {"Labels": {"portside.stack": "old"}}, "old_x": {"Labels": {"portside.stack": "old"}}, "data": {}}
    assert of_renamed_stacks("shop", OLD, there) == {"old": {"data": "old_data"}}
    assert of_renamed_stacks("shop", OLD, {**there, "shop_data": OURS}) == {}


def test_mounts_are_read_in_both_forms():
    assert mounted("a:/b:ro,z") == ("a", "/b")
    assert mounted({"type": "volume", "src": "a", "dst": "/b"}) == ("a", "/b")
    assert mounted({"type": "tmpfs", "target": "/b"}) == ("", "/b")
    bind, other = {"type": "bind", "source": "/srv/x", "target": "/y"}, {"type": "tmpfs", "target": "/t"}
    services = {"a": {"volumes": ["/srv/x/:/x:ro", "v:/v", "/anonymous"]}, "b": {"volumes": [bind, other]}}
    assert bind_sources({"services": services}) == {"/srv/x": ["a", "b"]}
