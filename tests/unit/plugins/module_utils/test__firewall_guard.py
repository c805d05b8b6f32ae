# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import read_settings
from ansible_collections.portside.stack.plugins.module_utils._firewall_guard import confirm, try_out
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import ruleset
from ansible_collections.portside.stack.plugins.module_utils._firewall_units import TAKE_BACK
from ansible_collections.portside.stack.plugins.module_utils._ssh_session import Session
from firewall_host import UNITS, Host

OLD, FRESH = Session(22, 500), Session(22, 501)


@pytest.fixture
def host(tmp_path):
    found = Host(tmp_path)
    found.new = read_settings(found.fs, str(tmp_path))._replace(ssh_ports=[2222], firewall=True)
    found.text = ruleset(found.firewall.wanted(found.new))
    return found


def files(host):
    return sorted(str(path.relative_to(host.root)) for path in (host.root / "etc").rglob("*") if path.is_file() or path.is_symlink())


def test_until_it_is_confirmed_only_the_table_is_new(host):
    (host.root / "etc").mkdir()
    try_out(host.firewall, host.new, host.text, OLD)
    assert "2222" in host.table
    assert files(host) == []
    assert "--on-active=45s" in host.units["revert"] and host.units["revert"][-3:] == ["/bin/sh", "-c", TAKE_BACK]
    # The way back is there before there is anything to come back from.
    assert host.calls.index(host.units["revert"]) < host.calls.index(["nft", "-f", "-"])


def test_a_fresh_connection_keeps_it(host):
    try_out(host.firewall, host.new, host.text, OLD)
    confirm(host.firewall, host.firewall_units, FRESH)
    assert host.units == {}
    assert host.read("etc/portside/firewall.nft") == host.text
    assert read_settings(host.fs, str(host.root)) == host.new
    assert UNITS + "sysinit.target.wants/portside-firewall.service" in files(host)
    assert host.firewall.pending() is None
    assert host.firewall.follow() == ""


def test_the_same_connection_does_not(host):
    try_out(host.firewall, host.new, host.text, OLD)
    with pytest.raises(StackError, match="older than the new rules.*reset_connection"):
        confirm(host.firewall, host.firewall_units, OLD)
    assert "revert" in host.units and not (host.root / "etc/portside").exists()


def test_it_can_come_too_late(host):
    try_out(host.firewall, host.new, host.text, OLD)
    host.clock += 61
    with pytest.raises(StackError, match="the host took back the new rules"):
        confirm(host.firewall, host.firewall_units, FRESH)
    assert not (host.root / "etc/portside").exists()


def test_meanwhile_the_timer_leaves_it_alone_and_later_it_does_not(host):
    host.exposure()
    host.firewall.follow()
    before = host.table
    try_out(host.firewall, host.new, host.text, OLD)
    assert host.firewall.follow() == "" and "2222" in host.table
    host.clock += 61
    assert host.firewall.follow() == "rules were in place that no fresh connection had confirmed"
    assert host.table == before
    assert host.firewall.follow() == ""


def test_without_a_way_back_nothing_is_changed(host):
    host._systemd_run = lambda *_arguments: (1, "", "Failed to connect to bus")
    with pytest.raises(StackError, match="nothing was changed.*Failed to connect to bus"):
        try_out(host.firewall, host.new, host.text, OLD)
    assert host.table == ""


def test_what_nft_refuses_is_refused_before_all(host):
    host.refusal = "syntax error"
    with pytest.raises(StackError, match="syntax error"):
        try_out(host.firewall, host.new, host.text, OLD)
    assert host.units == {} and host.firewall.pending() is None


def test_the_way_back_is_a_script(tmp_path):
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\necho \"$@\" >>{0}/calls\necho listed\n".format(tmp_path))
    program.chmod(0o755)
    (tmp_path / "etc/portside").mkdir(parents=True)
    (tmp_path / "run/portside").mkdir(parents=True)
    script = TAKE_BACK.replace("/usr/sbin/nft", str(program)).replace("/etc/", "{0}/etc/".format(tmp_path)).replace("/run/", "{0}/run/".format(tmp_path))
    (tmp_path / "run/portside/firewall.pending").write_text("x")
    subprocess.run(["sh", "-ec", script], check=True)
    assert (tmp_path / "calls").read_text() == "add table inet portside; delete table inet portside\n"
    assert list((tmp_path / "run/portside").iterdir()) == []
    (tmp_path / "calls").unlink()
    (tmp_path / "etc/portside/firewall.nft").write_text("rules")
    subprocess.run(["sh", "-ec", script], check=True)
    assert (tmp_path / "calls").read_text() == "-f {0}/etc/portside/firewall.nft\n-s list table inet portside\n".format(tmp_path)
    assert (tmp_path / "run/portside/firewall.listed").read_text() == "listed\n"
