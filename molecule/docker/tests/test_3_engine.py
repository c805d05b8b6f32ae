"""daemon.json under a running container: reload, restart, refuse. In order, each from where the last one ended."""

from __future__ import annotations

import base64
import json

import pytest

testinfra_hosts = ["docker"]
UNSAFE = {"live-restore": False}
ROTATION = {"log-opts": {"max-size": "20m", "max-file": "5"}}


@pytest.fixture(scope="module")
def sleeper(host):
    """A container that runs all the while, of an image made from what every host has."""
    with host.sudo():
        host.check_output("tar -ch $(command -v sleep) $(ldd $(command -v sleep) | grep -o '/[^ ]*') | docker import - sleeper")
        container = host.check_output("docker run --detach --init --restart no sleeper sleep infinity")
    yield container
    with host.sudo():
        host.check_output("docker rm --force %s" % container)


@pytest.fixture()
def state(host, sleeper):
    """The engine's process, the container's start (empty when it does not run), and daemon.json."""

    def read():
        with host.sudo():
            engine = host.check_output("systemctl show --property MainPID docker")
            running, since = host.check_output(
                "docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' %s" % sleeper
            ).split()
            return engine, since if running == "true" else "", host.file("/etc/docker/daemon.json").content_string

    return read


def info(host):
    with host.sudo():
        return json.loads(host.check_output("docker info --format '{{json .}}'"))


def test_an_invalid_daemon_json_is_refused_before_anything_is_written(play, state):
    before = state()
    done = play("docker", docker_daemon={"no-such-key": True})
    assert done.returncode != 0
    assert "/etc/docker/daemon.json" in done.stdout and "no-such-key" in done.stdout
    assert state() == before


def test_what_the_engine_can_reload_is_reloaded(play, state, host):
    engine, since, _text = state()
    assert play("docker", docker_daemon={"labels": ["portside=1"]}).returncode == 0
    assert info(host)["Labels"] == ["portside=1"]
    assert state()[:2] == (engine, since)


def test_with_live_restore_a_restart_leaves_the_container_running(play, state):
    engine, since, _text = state()
    assert play("docker", docker_daemon=ROTATION).returncode == 0
    assert state()[0] != engine
    assert state()[1] == since


def test_without_live_restore_a_restart_is_refused(play, state, host):
    assert play("docker", docker_daemon={**ROTATION, **UNSAFE}).returncode == 0
    assert info(host)["LiveRestoreEnabled"] is False
    before = state()
    done = play("docker", docker_daemon=UNSAFE)
    assert done.returncode != 0
    assert "log-opts would change, which restarts the engine" in done.stdout
    assert "docker_allow_restart=true" in done.stdout
    assert state() == before


def test_without_live_restore_an_upgrade_is_refused(play, state):
    before = state()
    done = play("docker", "-e", "docker_upgrade=true", docker_daemon={**ROTATION, **UNSAFE})
    assert done.returncode != 0
    assert "docker_upgrade restarts the engine" in done.stdout
    assert state() == before


def test_a_restart_that_was_allowed_happens(play, state):
    engine, since, _text = state()
    assert since
    assert play("docker", "-e", "docker_allow_restart=true", docker_daemon=UNSAFE).returncode == 0
    assert state()[0] != engine
    assert state()[1] == ""


def test_the_defaults_come_back(play, host):
    assert play("docker").returncode == 0
    assert info(host)["LiveRestoreEnabled"] is True


def test_with_live_restore_an_upgrade_is_possible_and_finds_nothing_newer(play):
    done = play("docker", "-e", "docker_upgrade=true")
    assert done.returncode == 0 and "changed=0 " in done.stdout, done.stdout


def test_passwords_reach_the_file_and_nothing_else(play, host):
    registry = {"host": "registry.example.com", "username": "ops", "password": "s3cret-pa55"}
    pair = base64.b64encode(b"ops:s3cret-pa55").decode()
    for arguments in (("-vvv", "--check", "--diff"), ("-vvv", "--diff")):
        done = play("docker", *arguments, docker_registries=[registry])
        assert done.returncode == 0, done.stdout
        assert "s3cret-pa55" not in done.stdout and pair not in done.stdout
    with host.sudo():
        file = host.file("/root/.docker/config.json")
        assert (file.mode, file.user) == (0o600, "root")
        assert json.loads(file.content_string) == {"auths": {"registry.example.com": {"auth": pair}}}
        assert "s3cret-pa55" not in host.check_output("journalctl --no-pager")
        assert pair not in host.check_output("journalctl --no-pager")
    assert "changed=0 " in play("docker", docker_registries=[registry]).stdout


def test_another_engine_is_never_removed_for_ours(play, host):
    with host.sudo():
        before = host.check_output("dpkg --list")
        done = play("docker", docker_source="distribution")
        assert done.returncode != 0
        assert "would have to be removed to install Docker from docker_source: distribution" in done.stdout
        assert host.check_output("dpkg --list") == before
    assert play("docker").returncode == 0


def test_a_compose_that_is_too_old_is_refused(play, host):
    plugin = "/root/.docker/cli-plugins/docker-compose"
    script = """#!/bin/sh
case $1 in
    docker-cli-plugin-metadata) echo '{"SchemaVersion": "0.1.0", "Vendor": "old", "Version": "2.10.2"}' ;;
    *) echo 2.10.2 ;;
esac
"""
    with host.sudo():
        host.check_output("install -D -m 755 /dev/null %s", plugin)
        host.check_output("printf %%s %s | tee %s", script, plugin)
        try:
            done = play("docker")
        finally:
            host.check_output("rm %s", plugin)
    assert done.returncode != 0
    assert "Compose 2.10.2: 2.20 or newer is needed" in done.stdout
