"""What each part made."""

from __future__ import annotations

testinfra_hosts = ["host"]


def test_packages_are_there(host):
    assert host.package("rsync").is_installed and host.package("less").is_installed


def test_the_clock_is_kept(host):
    assert host.package("systemd-timesyncd").is_installed
    assert host.service("systemd-timesyncd").is_enabled


def test_security_upgrades_are_on_and_apt_reads_the_file(host):
    dump = host.check_output("apt-config dump")
    for line in (
        'APT::Periodic::Unattended-Upgrade "1";',
        'APT::Periodic::Update-Package-Lists "1";',
        'Unattended-Upgrade::Automatic-Reboot "false";',
    ):
        assert line in dump
    assert "label=Debian-Security" in dump


def test_the_deploy_user_logs_in_with_its_key_and_can_run_the_role(host, play):
    assert "users" in host.user("deploy").groups
    done = play("--check", ansible_user="deploy")
    assert done.returncode == 0 and "changed=0 " in done.stdout, done.stdout


def test_sshd_has_the_options_in_force_and_nothing_waits_to_take_them_back(host):
    with host.sudo():
        effective = host.check_output("sshd -T").splitlines()
        assert not host.service("portside-sshd-revert.timer").is_running
    assert "passwordauthentication no" in effective
    assert "permitrootlogin without-password" in effective
    assert "x11forwarding no" in effective


def test_a_noop_is_six_remote_executions_at_most(play):
    done = play("-vvv")
    assert "changed=0 " in done.stdout, done.stdout
    gathering_facts = 1
    assert done.stdout.count("ESTABLISH SSH CONNECTION") + done.stdout.count(" PUT ") - gathering_facts <= 6
