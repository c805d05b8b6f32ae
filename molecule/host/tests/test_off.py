"""A part that is off leaves no trace."""

from __future__ import annotations

import pytest

testinfra_hosts = ["host-off"]


@pytest.mark.parametrize("name", ["rsync", "systemd-timesyncd", "unattended-upgrades"])
def test_no_package(host, name):
    assert not host.package(name).is_installed


def test_no_user(host):
    assert not host.user("deploy").exists


def test_no_file(host):
    with host.sudo():
        assert host.check_output("find /etc /home /run /swapfile -name '*portside*' -o -name 'swapfile*' -o -name deploy 2>&1 | grep -v 'No such'; true") == ""
