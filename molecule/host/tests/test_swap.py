"""The units of the swap file: all but the swapon, which a container cannot have."""

from __future__ import annotations

import pytest

testinfra_hosts = ["host"]
UNITS = ["swapfile.swap", "swapfile-make.service", "swap.target.d/portside.conf"]


@pytest.fixture()
def cleaned(host, play):
    yield
    with host.sudo():
        host.check_output("systemctl stop swapfile-make.service")
    assert play(host_swap_size="").returncode == 0
    for unit in UNITS:
        assert not host.file("/etc/systemd/system/" + unit).exists
    assert not host.file("/swapfile").exists


def test_a_container_is_refused(play, host):
    done = play(host_swap_size="64M")
    assert done.returncode != 0
    assert "host_swap_size: 64M is not possible: this host is a container" in done.stdout
    assert not host.file("/etc/systemd/system/swapfile.swap").exists


def test_the_file_is_made_once_for_each_size_and_removed_again(play, host, cleaned):
    def make(size):
        done = play(playbook="tests/swap_units.yml", host_swap_size=size)
        assert done.returncode == 0, done.stdout
        file = host.file("/swapfile")
        assert (file.user, file.mode) == ("root", 0o600)
        with host.sudo():
            assert host.check_output("blkid --output value --match-tag TYPE --probe /swapfile") == "swap"
            return file.size, host.check_output("blkid --output value --match-tag UUID --probe /swapfile")

    first = make("8M")
    assert first[0] == 8 * 1024 * 1024
    assert make("8M") == first
    assert make("16M")[0] == 16 * 1024 * 1024
    with host.sudo():
        assert host.check_output("systemd-analyze verify swapfile.swap 2>&1") == ""
        assert "swapfile.swap" in host.check_output("systemctl show --property Wants swap.target")
