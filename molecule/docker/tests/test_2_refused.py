"""What is refused, and that nothing came of it."""

from __future__ import annotations

import os
import pathlib

import pytest

testinfra_hosts = ["docker-bookworm"]


@pytest.fixture(autouse=True)
def nothing_installed(host):
    yield
    assert not host.exists("dockerd")
    assert not host.file("/etc/docker").exists


def test_a_release_whose_archive_has_no_compose(play, host):
    done = play("docker-bookworm", docker_source="distribution")
    assert done.returncode != 0
    assert "docker_source: distribution is not possible on Debian 12" in done.stdout
    assert "Set docker_source: upstream" in done.stdout
    assert not host.file("/etc/apt/apt.conf.d/52portside-docker").exists


def test_a_release_that_is_not_supported(play, host):
    with host.sudo():
        host.check_output("sed --in-place=.kept s/bookworm/bullseye/ /usr/lib/os-release")
        try:
            done = play("docker-bookworm")
        finally:
            host.check_output("mv /usr/lib/os-release.kept /usr/lib/os-release")
    assert done.returncode != 0
    assert "Supported are Debian 12 and 13, Ubuntu 22.04 and 24.04, on amd64 and arm64" in done.stdout
    assert not host.file("/etc/apt/apt.conf.d/52portside-docker").exists


@pytest.mark.slow
def test_a_repository_that_another_key_signed(play, host):
    wrong = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "wrong.asc").read_text()
    done = play("docker-bookworm", docker_repository_key=wrong)
    assert done.returncode != 0
    assert "must answer, have this release, and be signed by docker_repository_key" in done.stdout
    assert not host.package("docker-ce").is_installed


def test_an_unknown_key_of_a_registry(play):
    done = play("docker-bookworm", docker_registries=[{"host": "ghcr.io", "user": "ops", "password": "hidden-d41d8c"}])
    assert done.returncode != 0
    assert "hidden-d41d8c" not in done.stdout
