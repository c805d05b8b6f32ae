"""Nobody is locked out."""

from __future__ import annotations

import pytest

OPENED = [{"port": 9999, "reason": "a change"}]
TABLE = "nft -s list table inet portside"
# A mistake that no check beforehand sees: what is loaded first drops ssh.
CUTTING = """#!/bin/sh
case "$1" in
    -f) sed 's/tcp dport @ssh accept/tcp dport @ssh drop/' | /usr/sbin/nft -f - ;;
    *) exec /usr/sbin/nft "$@" ;;
esac
"""


@pytest.fixture
def before(root):
    rules = root.check_output(TABLE)
    kept = root.check_output("sha256sum /etc/portside/*")
    yield rules
    assert root.check_output(TABLE) == rules
    assert root.check_output("sha256sum /etc/portside/*") == kept
    assert not root.file("/run/portside/firewall.pending").exists


def test_rules_that_cut_the_connection_are_taken_back(root, play, before, seen):
    root.check_output("install -m 755 /dev/null /usr/local/sbin/nft")
    root.check_output("printf %%s %s >/usr/local/sbin/nft", CUTTING)
    try:
        done = play(firewall_open=OPENED)
    finally:
        root.check_output("rm /usr/local/sbin/nft")
    assert done.returncode != 0
    assert "the host put back what was in place before" in done.stdout
    assert seen(22) == {"v4", "v6"}
    assert "no fresh connection came through the new rules" in root.check_output("journalctl --unit portside-firewall-revert.service")


@pytest.mark.slow
def test_without_a_fresh_connection_they_are_taken_back_too(root, before, play, until):
    done = play(playbook="tests/unconfirmed.yml")
    assert done.returncode != 0
    assert "this connection is older than the new rules" in done.stdout
    # From here on it is a controller that is gone.
    assert "9999" in root.check_output(TABLE)
    assert until(lambda: "9999" not in root.check_output(TABLE), 60) > 20


def test_ports_of_ssh_without_the_one_in_use_are_refused(before, play):
    done = play(firewall_ssh_ports=[2222])
    assert done.returncode != 0
    assert "does not have port 22, by which this very connection came" in done.stdout


def test_a_change_that_is_fine_stays(root, play):
    assert play(firewall_ssh_ports=[22, 2222]).returncode == 0
    assert "2222" in root.check_output(TABLE)
    assert play().returncode == 0
    assert "2222" not in root.check_output(TABLE)
