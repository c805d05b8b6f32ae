# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.portside.stack.plugins.module_utils._boot_unit import PROGRAM, program
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from firewall_host import UNITS, Host

NAMES = ["portside-firewall-follow.service", "portside-firewall.service", "portside-firewall.timer"]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_they_are_put_there_once_and_taken_away(host):
    units = host.firewall_units
    assert units.ensure()
    assert (host.root / PROGRAM[1:]).read_bytes() == program()
    assert units.missing() == [] and not units.ensure()
    assert [argv[1] for argv in host.calls if argv[1] != "is-active"] == ["daemon-reload", "enable"]
    (host.root / UNITS / "timers.target.wants/portside-firewall.timer").unlink()
    assert units.missing() == ["/" + UNITS + "timers.target.wants/portside-firewall.timer"]
    assert units.ensure()
    units.remove()
    assert units.there() == [] and (host.root / PROGRAM[1:]).exists()
    host.calls.clear()
    units.remove()
    assert host.calls == []


def test_a_timer_that_somebody_stopped_is_started(host):
    host.firewall_units.ensure()
    host.stopped = True
    assert host.firewall_units.missing() == ["portside-firewall.timer"]
    assert host.firewall_units.ensure() and host.firewall_units.missing() == []


def test_an_older_program_is_renewed(host):
    host.firewall_units.ensure()
    (host.root / PROGRAM[1:]).write_bytes(b"older")
    assert host.firewall_units.missing() == [PROGRAM]
    assert host.firewall_units.ensure() and host.firewall_units.missing() == []


def test_a_refusal_of_systemd_is_told(host):
    host._systemctl = lambda *_arguments: (1, "", "Failed to connect to bus")
    with pytest.raises(StackError, match="systemctl daemon-reload failed: Failed to connect to bus.*Remedy"):
        host.firewall_units.ensure()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_systemd_takes_them(host):
    host.firewall_units.ensure()
    done = subprocess.run(["systemd-analyze", "verify", *[str(host.root / UNITS / name) for name in NAMES]], capture_output=True, text=True)
    assert "portside-firewall" not in done.stderr
