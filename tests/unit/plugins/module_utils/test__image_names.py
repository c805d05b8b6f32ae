# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._image_names import (
    canonical_platform,
    host_platform,
    image_platform,
    is_image_id,
    is_pinned,
    pin_of,
    repository,
    runs_on,
)
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.28", "docker.io/library/nginx"),
        ("docker.io/nginx:1.28@" + DIGEST, "docker.io/library/nginx"),
        ("docker.io/library/nginx", "docker.io/library/nginx"),
        ("index.docker.io/a/b:1", "docker.io/a/b"),
        ("a/b/c:1", "docker.io/a/b/c"),
        ("registry.test:5000/a", "registry.test:5000/a"),
        ("registry.test:5000/a/b:1@" + DIGEST, "registry.test:5000/a/b"),
        ("localhost/a:1", "localhost/a"),
    ],
)
def test_a_repository_has_one_name(reference, wanted):
    assert repository(reference) == wanted


def test_ids_and_pins():
    assert is_image_id(DIGEST) and is_pinned(DIGEST) and is_pinned("nginx:1@" + DIGEST)
    assert not is_image_id("nginx@" + DIGEST) and not is_pinned("nginx:1") and not is_pinned("nginx@sha256:ab")


def test_a_pin_is_the_digest_of_the_references_own_repository():
    image = {"Id": "sha256:id", "RepoDigests": ["mirror.test/nginx@" + DIGEST, "nginx@" + OTHER]}
    assert pin_of("docker.io/nginx:1", image) == "docker.io/nginx:1@" + OTHER
    assert pin_of("elsewhere.test/nginx:1", image) == "sha256:id"
    assert pin_of("nginx", {"Id": "sha256:id", "RepoDigests": None}) == "sha256:id"


@given(st.permutations(["nginx@" + DIGEST, "nginx@" + OTHER, "x/nginx@sha256:" + "0" * 64]))
def test_a_pin_does_not_depend_on_the_engines_order(digests):
    assert pin_of("nginx:1", {"Id": "", "RepoDigests": digests}) == "nginx:1@" + DIGEST


@pytest.mark.parametrize(
    ("platform", "wanted"),
    [
        ("", ""),
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("Linux/ARM/v7", "linux/arm/v7"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_a_platform_has_one_spelling(platform, wanted):
    assert canonical_platform(platform) == wanted
    assert canonical_platform(wanted) == wanted


@pytest.mark.parametrize(
    ("machine", "image", "fits"),
    [
        ("x86_64", {"Os": "linux", "Architecture": "amd64"}, True),
        ("amd64", {"Os": "linux", "Architecture": "amd64", "Variant": "v2"}, True),
        ("x86_64", {"Os": "linux", "Architecture": "arm64"}, False),
        ("x86_64", {"Os": "linux", "Architecture": "386"}, False),
        ("x86_64", {"Os": "windows", "Architecture": "amd64"}, False),
        ("aarch64", {"Os": "linux", "Architecture": "arm64", "Variant": "v8"}, True),
        ("aarch64", {"Os": "linux", "Architecture": "arm", "Variant": "v7"}, False),
        ("armv7l", {"Os": "linux", "Architecture": "arm", "Variant": "v6"}, True),
        ("armv6l", {"Os": "linux", "Architecture": "arm", "Variant": "v7"}, False),
        ("riscv64", {"Os": "linux", "Architecture": "riscv64"}, True),
        ("x86_64", {"Os": "linux", "Architecture": ""}, True),
    ],
)
def test_what_a_host_runs(machine, image, fits):
    assert runs_on(image_platform(image), host_platform(machine)) is fits
