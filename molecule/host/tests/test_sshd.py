"""Hardening that would lock the operator out."""

from __future__ import annotations

import pytest

testinfra_hosts = ["host"]
DROP_IN = "/etc/ssh/sshd_config.d/00-portside.conf"


@pytest.fixture()
def unchanged(host):
    with host.sudo():
        before = host.file(DROP_IN).content_string
    yield
    with host.sudo():
        assert host.file(DROP_IN).content_string == before
        assert "pubkeyacceptedalgorithms rsa-sha2-512" not in host.check_output("sshd -T").splitlines()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"AllowUsers": ["nobody"]}, "AllowUsers nobody"),
        ({"DenyUsers": "oper*"}, "DenyUsers oper*"),
        ({"PubkeyAuthentication": False}, "PubkeyAuthentication no"),
    ],
)
def test_what_is_known_to_lock_out_is_refused(play, unchanged, options, word):
    done = play(host_ssh_options=options)
    assert done.returncode != 0
    assert "Nothing of sshd was changed: " + word in done.stdout
    assert "Remedy" in done.stdout


def test_an_operator_with_a_password_is_not_locked_out(play, unchanged):
    done = play(host_ssh_options={"X11DisplayOffset": 11}, ansible_ssh_password="unused")
    assert done.returncode != 0
    assert "PasswordAuthentication no: this connection is made by password" in done.stdout


def test_what_sshd_does_not_know_is_refused(play, unchanged):
    done = play(host_ssh_options={"PermitRootLogon": False})
    assert done.returncode != 0
    assert "PermitRootLogon" in done.stdout


def test_what_only_a_connection_can_show_is_put_back_by_the_host(play, unchanged, host):
    # Valid, and no rule sees it: the operator's key is an ed25519 one.
    done = play(host_ssh_options={"PubkeyAcceptedAlgorithms": "rsa-sha2-512"})
    assert done.returncode != 0
    assert "the host put back the earlier ones" in done.stdout
    with host.sudo():
        # The timer did it, not the play: nobody could have connected before.
        assert "Put back the options of sshd" in host.check_output("journalctl --unit portside-sshd-revert.service")


def test_an_option_that_stands_the_proof_stays(play, host):
    assert play(host_ssh_options={"X11DisplayOffset": 11}).returncode == 0
    with host.sudo():
        assert "x11displayoffset 11" in host.check_output("sshd -T").splitlines()
    assert play().returncode == 0
