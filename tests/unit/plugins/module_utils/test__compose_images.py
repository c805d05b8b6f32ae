# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_images import limit, resolve
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Service
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from fake_engine import FakeEngine

REGISTRY = "registry.test:5000/app"
APP = REGISTRY + ":1"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ID, OTHER_ID = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def image(identifier=ID, digests=(), architecture="arm64", **keys):
    return dict({"Id": identifier, "RepoDigests": list(digests), "Os": "linux", "Architecture": architecture}, **keys)


def services_with(*images):
    return [
        Service("s{0}".format(number), "d", name, platform, 1, False, {}, frozenset(), (), frozenset())
        for number, (name, platform) in enumerate(one if isinstance(one, tuple) else (one, "") for one in images)
    ]


class Host:
    """A host of arm64, and a registry in which a reference means an image and a digest."""

    def __init__(self, engine):
        self.engine, self.registry, self.pulls, self.told = engine, {}, [], []
        self.answer, self.now, self.takes = None, 0.0, 0.0

    def monotonic(self):
        return self.now

    def run(self, argv, _data):
        self.pulls.append(argv)
        self.now += self.takes
        if self.answer:
            return self.answer
        name = argv[-1]
        if name not in self.registry:
            return 1, "", "Error response from daemon: manifest for {0} not found: manifest unknown\n".format(name)
        found, digest = self.registry[name]
        self.engine.images[name] = found
        self.engine.images["{0}@{1}".format(name.partition("@")[0], digest)] = found
        return 0, "1: Pulling from app\nDigest: {0}\nStatus: Downloaded newer image\n".format(digest), ""

    def pulled(self):
        return [argv[argv.index("pull") + 1 :] for argv in self.pulls]

    def resolve(self, *images, known=None, given=None, refresh=False, check=False, machine="aarch64", timeout=900):
        services = services_with(*images)
        engine = EngineClient(self.engine.path)
        return resolve("shop", services, engine, self.run, self, self.told.append, known or {}, given or {}, refresh, check, machine, timeout)


@pytest.fixture
def host(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        yield Host(engine)


@pytest.fixture
def moved(host):
    """The tag means NEW in the registry; the host has OLD, under the tag and its digest."""
    host.registry[APP] = image(OTHER_ID, [REGISTRY + "@" + NEW]), NEW
    host.registry["{0}@{1}".format(APP, OLD)] = image(ID, [REGISTRY + "@" + OLD]), OLD
    host.engine.images[APP] = host.engine.images["{0}@{1}".format(APP, OLD)] = image(ID, [REGISTRY + "@" + OLD])
    return host


def test_a_missing_image_is_pulled_and_pinned_to_what_the_tag_meant_at_that_moment(host):
    # Two digests of the same content: the one that was told is the tag's.
    host.registry[APP] = image(digests=[REGISTRY + "@" + OLD, REGISTRY + "@" + NEW]), NEW
    found = host.resolve(APP, APP)
    assert found == ({APP: "{0}@{1}".format(APP, NEW)}, [APP], [])
    assert host.pulls == [["timeout", "--kill-after=10", "900", "docker", "pull", APP]]
    assert host.told == ["pulling " + APP, "pulled " + APP]


def test_an_image_on_the_host_needs_no_registry(moved):
    assert moved.resolve(APP) == ({APP: "{0}@{1}".format(APP, OLD)}, [], [])
    assert moved.pulls == []


def test_the_current_releases_pin_stays_when_the_tag_has_moved(moved):
    moved.engine.images[APP] = image(OTHER_ID, [REGISTRY + "@" + NEW])
    known = {APP: "{0}@{1}".format(APP, OLD)}
    assert moved.resolve(APP, known=known) == (known, [], [])
    assert moved.pulls == []


def test_a_known_image_that_was_pruned_is_pulled_by_its_pin(moved):
    known = {APP: "{0}@{1}".format(APP, OLD)}
    moved.engine.images.clear()
    assert moved.resolve(APP, known=known) == (known, [APP], [])
    assert moved.pulled() == [[known[APP]]]


def test_a_refresh_follows_the_tag(moved):
    found = moved.resolve(APP, known={APP: "{0}@{1}".format(APP, OLD)}, refresh=True)
    assert found == ({APP: "{0}@{1}".format(APP, NEW)}, [APP], [])


def test_a_refresh_that_finds_nothing_newer_pulled_nothing(moved):
    moved.registry[APP] = image(ID, [REGISTRY + "@" + OLD]), OLD
    assert moved.resolve(APP, refresh=True) == ({APP: "{0}@{1}".format(APP, OLD)}, [], [])
    assert moved.pulled() == [[APP]]


@pytest.mark.parametrize("refresh", [False, True])
def test_an_image_from_an_archive_is_pinned_by_its_id_and_never_pulled(host, refresh):
    host.engine.images[APP] = image()
    assert host.resolve(APP, refresh=refresh) == ({APP: ID}, [], [])
    assert host.pulls == []


def test_a_known_archive_that_is_gone_gives_way_to_what_the_reference_means_now(host):
    host.engine.images[APP] = image(OTHER_ID)
    assert host.resolve(APP, known={APP: ID}).images == {APP: OTHER_ID}


@pytest.mark.parametrize("refresh", [False, True])
def test_a_given_pin_is_used_as_it_is(moved, refresh):
    given = {APP: "{0}@{1}".format(APP, OLD)}
    assert moved.resolve(APP, given=given, known={APP: ID}, refresh=refresh) == (given, [], [])


def test_a_given_id_that_is_not_here_is_refused_and_not_looked_for(moved):
    found = moved.resolve(APP, given={APP: OTHER_ID})
    (problem,) = found.problems
    assert "service s0: image {0} {1}".format(APP, OTHER_ID) in problem and "docker load" in problem
    assert found.images == {} and moved.pulls == []


def test_a_reference_with_a_digest_is_itself(host):
    name = "{0}@{1}".format(APP, NEW)
    host.registry[name] = image(), NEW
    assert host.resolve(name, refresh=True) == ({name: name}, [name], [])
    assert host.resolve(name, refresh=True) == ({name: name}, [], [])


def test_check_mode_pulls_nothing(host):
    pinned = "{0}@{1}".format(APP, OLD)
    found = host.resolve(APP, "other:1", known={APP: pinned}, check=True)
    assert found == ({APP: pinned}, ["other:1", APP], [])
    assert host.pulls == []


def test_check_mode_without_an_engine(host, tmp_path):
    host.engine.path = str(tmp_path / "none")
    assert host.resolve(APP, check=True, machine="") == ({}, [APP], [])


def test_all_problems_are_told_at_once(host):
    host.engine.images["amd:1"] = image(architecture="amd64")
    host.registry["amd:1"] = image(architecture="amd64"), NEW
    found = host.resolve("none:1", "amd:1", ("two:1", "linux/arm64"), ("two:1", "linux/amd64"))
    foreign, conflict, missing = found.problems
    assert "two:1 is wanted for linux/amd64 (service s3) and for linux/arm64 (service s2)" in conflict
    assert missing == (
        "stack shop: service s0: image none:1 is not to be had: manifest for none:1 not found: manifest unknown. "
        "Remedy: check its name and tag (stacks: shop.services.s0.image), that the registry is reached and logged in to, "
        "or load the image on the host (docker load)."
    )
    assert "service s1: image amd:1 is made for linux/amd64, and this host is linux/arm64" in foreign
    assert "exec format error" in foreign


def test_an_image_for_another_processor_is_looked_for_again(host):
    host.engine.images[APP] = image(ID, [REGISTRY + "@" + OLD], architecture="amd64")
    host.registry[APP] = image(OTHER_ID), NEW
    assert host.resolve(APP).problems == []
    assert host.engine.images[APP]["Id"] == OTHER_ID


def test_a_loaded_image_for_another_processor_is_refused(host):
    host.engine.images[APP] = image(architecture="amd64")
    assert "linux/arm64 too" in host.resolve(APP).problems[0]
    assert host.pulls == []


def test_a_platform_that_the_service_asks_for_is_pulled_and_judged_by(host):
    host.registry[APP] = image(architecture="amd64"), NEW
    assert host.resolve((APP, "linux/x86_64")).problems == []
    assert host.pulled() == [["--platform", "linux/amd64", APP]]
    (problem,) = host.resolve((APP, "linux/s390x")).problems
    assert "the service asks for platform linux/s390x" in problem and "exec format" not in problem


@pytest.mark.parametrize(
    "said",
    [
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "image with reference x was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64",
    ],
)
def test_a_registry_without_an_image_for_this_processor(host, said):
    host.answer = 1, "", said
    assert "is not to be had for linux/arm64 ({0}), and this host is".format(said) in host.resolve(APP).problems[0]


def test_a_full_disk_is_named_with_where_the_room_went(host):
    host.answer = 1, "", "write /var/lib/docker/tmp/x: no space left on device"
    (problem,) = host.resolve(APP).problems
    assert "no space left on device. Remedy: make room" in problem and "docker system df" in problem


@pytest.mark.parametrize("code", [124, 137])
def test_a_pull_that_does_not_end_is_ended(host, code):
    host.answer, host.takes = (code, "1: Downloading\n", ""), 7.0
    (problem,) = host.resolve(APP, timeout=7).problems
    assert APP in problem and "within 7 seconds: 1: Downloading. Remedy" in problem


@pytest.mark.parametrize("code", [124, 137])
def test_a_pull_that_was_killed_before_its_time_was_up_has_not_run_out(host, code):
    host.answer, host.takes = (code, "", ""), 6.9
    (problem,) = host.resolve(APP, timeout=7).problems
    assert "not to be had: exit code {0}. Remedy".format(code) in problem and "seconds" not in problem


@pytest.mark.parametrize(("images", "seconds"), [(["a"], 7), (["a", "a", "b", "c"], 7), (["a", "b", "c", "d"], 14)])
def test_the_limit_of_all_pulls_counts_each_image_and_that_three_are_pulled_at_once(images, seconds):
    assert limit(services_with(*images), 7) == seconds


def test_a_pin_that_the_registry_lost_can_be_taken_anew(host):
    (problem,) = host.resolve(APP, known={APP: "{0}@{1}".format(APP, OLD)}).problems
    assert "refresh=true" in problem
