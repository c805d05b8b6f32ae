"""What the role left, from either source."""

from __future__ import annotations

import json

import pytest

testinfra_hosts = ["docker", "docker-distribution", "docker-no-systemd"]


def test_the_engine_runs_now_and_after_a_boot(host):
    engine = host.service("docker")
    assert engine.is_running and engine.is_enabled
    with host.sudo():
        info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert info["LoggingDriver"] == "json-file"


def test_compose_is_the_second_generation(host):
    with host.sudo():
        version = host.check_output("docker compose version --short")
    assert tuple(map(int, version.split("+")[0].split(".")[:2])) >= (2, 20)


def test_packages_come_from_the_source_that_was_asked_for(host):
    upstream = host.backend.get_hostname() == "docker"
    assert host.package("docker-ce").is_installed is upstream
    assert host.package("docker.io").is_installed is not upstream
    assert host.file("/etc/apt/sources.list.d/docker.sources").exists is upstream
    assert host.file("/etc/apt/keyrings/docker.asc").exists is upstream


def test_unattended_upgrades_leave_the_engine_alone(host):
    dump = host.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")
    for beginning in ("docker", "containerd", "runc"):
        assert 'Unattended-Upgrade::Package-Blacklist:: "%s";' % beginning in dump


def test_a_new_network_binds_to_loopback_unless_told_otherwise(host):
    with host.sudo():
        host.check_output("docker network create probe")
        try:
            options = json.loads(host.check_output("docker network inspect probe --format '{{json .Options}}'"))
        finally:
            host.check_output("docker network rm probe")
    assert options["com.docker.network.bridge.host_binding_ipv4"] == "127.0.0.1"


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_noop_is_five_remote_executions(host, play, arguments):
    done = play(host.backend.get_hostname(), "-vvv", *arguments)
    assert "changed=0 " in done.stdout, done.stdout
    gathering_facts = 1
    assert done.stdout.count("ESTABLISH SSH CONNECTION") + done.stdout.count(" PUT ") - gathering_facts <= 5
