"""What others do to it."""

from __future__ import annotations

import pytest

BOTH = {"v4", "v6"}
TABLE = "nft -s list table inet portside"
TOLD = "journalctl --output cat --unit portside-firewall-follow.service"
# What the timer does, which the first test waits for.
LOOK = "systemctl start portside-firewall-follow.service"


def test_a_flush_is_put_right_and_told(root, until, seen, containers):
    rules = root.check_output(TABLE)
    root.check_output("nft flush ruleset")
    until(lambda: root.run(TABLE).rc == 0, 45)
    assert root.check_output(TABLE) == rules
    told = root.check_output(TOLD)
    assert "the table inet portside is gone" in told
    assert "Docker's own rules are gone. Remedy: systemctl restart docker" in told
    # The engine's proxy still serves what is declared, and nothing else.
    assert (seen(8080), seen(5432)) == (BOTH, set())
    root.check_output("systemctl restart docker")
    assert (seen(8080), seen(5432)) == (BOTH, set())


def test_a_change_by_hand_is_undone(root):
    rules = root.check_output(TABLE)
    root.check_output("nft insert rule inet portside input accept")
    root.check_output(LOOK)
    assert root.check_output(TABLE) == rules
    assert "the table inet portside was changed" in root.check_output(TOLD)


@pytest.mark.slow
def test_the_service_nftables_takes_it_away_for_half_a_minute_at_most(root, until):
    root.check_output("systemctl restart nftables")
    until(lambda: root.run(TABLE).rc == 0, 45)
    root.check_output("systemctl stop nftables")
    until(lambda: root.run(TABLE).rc == 0, 45)
    root.check_output("systemctl restart docker")


def test_flushed_iptables_are_not_ours(root, seen):
    root.check_output("iptables -F")
    root.check_output("iptables -t nat -F")
    assert (seen(8080), seen(5432)) == (BOTH, set())
    root.check_output("systemctl restart docker")
    assert (seen(8080), seen(5432)) == (BOTH, set())


def test_a_timer_that_finds_nothing_says_nothing(root):
    before = root.check_output(TOLD)
    root.check_output(LOOK)
    assert root.check_output(TOLD) == before


@pytest.mark.slow
def test_a_boot_brings_it_before_the_engine(host, bed, seen, containers, play):
    bed("reboot")
    with host.sudo():
        assert host.check_output("systemctl is-active portside-firewall") == "active"
        assert host.check_output("systemctl show --property Result portside-firewall") == "Result=success"
        containers(host)
    assert (seen(22), seen(8080), seen(5432)) == (BOTH, BOTH, set())
    assert "changed=0 " in play().stdout


@pytest.mark.slow
def test_ufw_is_refused_with_advice(root, play):
    rules = root.check_output(TABLE)
    root.check_output("DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends ufw")
    root.check_output("sed --in-place s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf")
    try:
        done = play(firewall_open=[{"port": 9999, "reason": "a change"}])
    finally:
        root.check_output("apt-get purge -qy ufw")
    assert done.returncode != 0
    assert "ufw is active" in done.stdout and "ufw disable" in done.stdout
    assert root.check_output(TABLE) == rules


@pytest.mark.slow
def test_what_it_is_made_with_is_installed_where_missing(root, play):
    assert play(firewall_enabled=False).returncode == 0
    root.check_output("docker rm --force edge database")
    root.check_output("apt-get purge -qy nftables")
    done = play("--check")
    assert done.returncode == 0, done.stdout
    assert not root.exists("nft")
    done = play()
    assert done.returncode == 0, done.stdout
    assert root.package("nftables").is_installed
    assert "changed=0 " in play().stdout
