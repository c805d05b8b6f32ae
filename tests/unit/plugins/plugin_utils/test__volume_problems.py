# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import ANYTHING
from hypothesis import given
from hypothesis import strategies as st


def stack(volumes=None, directories=None, mounts=("data:/data", "/srv/shop/uploads:/uploads"), name="shop", **rest):
    declared = {"name": name, "services": {"api": {"image": "x", "volumes": list(mounts)}}, "volumes": {"data": volumes or {}}}
    return dict(declared, **({} if directories is None else {"directories": directories}), **rest)


def problems(*arguments, **rest):
    return stack_problems([stack(*arguments, **rest)])


@pytest.mark.parametrize(
    "options",
    [
        {"uid": 10001, "gid": "10001", "mode": "0750"},
        {"uid": 0},
        {"mode": "2770", "driver": "local", "labels": {"a": "b"}},
    ],
)
def test_owners_of_volumes_are_accepted(options):
    assert problems(options) == []


@pytest.mark.parametrize(
    ("options", "key", "said"),
    [
        ({"uid": "app"}, "volumes.data.uid", "value 'app' is not a number; names of accounts differ"),
        ({"gid": -1}, "volumes.data.gid", "value -1 is not a number"),
        ({"uid": True}, "volumes.data.uid", "value true is not a number"),
        ({"uid": 2**32 - 1}, "volumes.data.uid", "is not a number"),
        ({"mode": 750}, "volumes.data.mode", 'value 750 is a guess between octal and decimal; write octal digits in quotes, "0750"'),
        ({"mode": "0790"}, "volumes.data.mode", "is a guess"),
        ({"mode": "u=rwx"}, "volumes.data.mode", "is a guess"),
        ({"uid": 1, "driver": "nfs"}, "volumes.data", "this volume lies elsewhere (driver, driver_opts)"),
        ({"uid": 1, "driver_opts": {"type": "tmpfs"}}, "volumes.data", "this volume lies elsewhere"),
        ({"uid": 1, "external": True}, "volumes.data", "an external one is made elsewhere"),
    ],
)
def test_other_owners_of_volumes_are_refused(options, key, said):
    (problem,) = problems(options)
    assert problem.startswith("stack 'shop', key '{0}': ".format(key))
    assert said in problem


@pytest.mark.parametrize(
    ("directories", "key", "said"),
    [
        ({"srv/x": {}}, "directories.srv/x", "is not an absolute path"),
        ({"/srv/shop/uploads/": {}}, "directories./srv/shop/uploads/", "is not written plainly"),
        ({"/srv/../etc": {}}, "directories./srv/../etc", "is not written plainly"),
        ({"/": {}}, "directories./", "is the host's own"),
        ({"/etc": {}}, "directories./etc", "is the host's own"),
        ({"/var/lib": {}}, "directories./var/lib", "is the host's own"),
        ({"/opt/stacks/shop/x": {}}, "directories./opt/stacks/shop/x", "is looked after by others"),
        ({"/var/lib/docker/volumes": {}}, "directories./var/lib/docker/volumes", "is looked after by others"),
        ({"/srv/shop/upload": {}}, "directories./srv/shop/upload", "did you mean '/srv/shop/uploads'?"),
        ({"/srv/shop/uploads": []}, "directories./srv/shop/uploads", "value [] is not a mapping"),
        ({"/srv/shop/uploads": {"owner": 1}}, "directories./srv/shop/uploads", "'owner' is not a key of it; use uid, gid, mode"),
        ({"/srv/shop/uploads": {"uid": "app"}}, "directories./srv/shop/uploads.uid", "is not a number"),
        ({"/srv/shop/uploads": {"mode": 0o755}}, "directories./srv/shop/uploads.mode", "is a guess"),
        ([], "directories", "value [] is not a mapping"),
    ],
)
def test_directories_are_judged(directories, key, said):
    (problem,) = problems(directories=directories)
    assert problem.startswith("stack 'shop', key '{0}': ".format(key))
    assert said in problem


def test_directories_at_above_and_below_a_mount_are_accepted():
    declared = {"/srv/shop": None, "/srv/shop/uploads": {"uid": 1}, "/srv/shop/uploads/tmp": {"mode": "1777"}}
    assert problems(directories=declared) == []


def test_two_stacks_may_share_a_directory_and_have_to_agree():
    declared = [stack(directories={"/srv/shop/uploads": {"uid": 1}}), stack(directories={"/srv/shop/uploads": {"uid": "1"}}, name="blog")]
    assert stack_problems(declared) == []
    declared[1]["directories"]["/srv/shop/uploads"]["mode"] = "0700"
    (problem,) = stack_problems(declared)
    assert problem.startswith("stack 'blog', key 'directories./srv/shop/uploads': stack 'shop' declares it as ")


@given(st.dictionaries(st.one_of(st.text(max_size=12), st.integers(), st.just("/srv/shop/uploads")), ANYTHING, max_size=3), ANYTHING)
def test_anything_is_judged_and_what_is_accepted_is_rendered(directories, volume):
    declared = stack(directories=directories)
    declared["volumes"]["data"] = volume
    if not stack_problems([declared]):
        made = compose_document(declared)["x-portside"]
        for owner in [*made.get("directories", {}).values(), *made["volumes"].values()]:
            assert all(isinstance(owner[key], int) for key in ("uid", "gid") if key in owner)


def test_owners_are_rendered_for_the_host_and_not_for_compose():
    declared = stack({"uid": "10001", "mode": "750", "labels": {"a": "b"}}, {"/srv/shop/uploads": {"gid": "5"}, "/srv/other": {}})
    document = compose_document(declared)
    assert document["volumes"] == {"data": {"name": "shop_data", "external": True}}
    assert document["x-portside"]["volumes"] == {"shop_data": {"uid": 10001, "mode": "0750", "labels": {"a": "b"}}}
    assert document["x-portside"]["directories"] == {"/srv/shop/uploads": {"uid": 0, "gid": 5, "mode": "0755"}}


def test_directories_of_services_that_do_not_run_are_not_made():
    declared = stack(directories={"/srv/shop/uploads": {}})
    declared["services"]["web"] = {"image": "x"}
    declared["services"]["api"]["profiles"] = ["off"]
    assert stack_problems([declared]) == []
    assert "directories" not in compose_document(declared)["x-portside"]


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        ("data:/data", "data:/data:nocopy"),
        ("data:/data:ro", "data:/data:ro,nocopy"),
        ("data:/data:nocopy", "data:/data:nocopy"),
        ("/srv/data:/srv", "/srv/data:/srv"),
        ("/data", "/data"),
        ({"type": "volume", "source": "data", "target": "/d"}, {"type": "volume", "source": "data", "target": "/d", "volume": {"nocopy": True}}),
        (
            {"type": "volume", "source": "data", "target": "/d", "volume": {"nocopy": False, "subpath": "x"}},
            {"type": "volume", "source": "data", "target": "/d", "volume": {"nocopy": False, "subpath": "x"}},
        ),
        ({"type": "tmpfs", "target": "/t"}, {"type": "tmpfs", "target": "/t"}),
    ],
)
def test_nothing_of_the_image_is_copied_into_a_volume_with_an_owner(written, rendered):
    declared = stack({"uid": 1}, mounts=[written])
    assert compose_document(declared)["services"]["api"]["volumes"] == [rendered]
    assert compose_document(stack(mounts=[written]))["services"]["api"]["volumes"] == [written]
