# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host itself is not as its stacks need it."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._drift_host import firewall_drift, healing_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_routes import changed_lines
from firewall_host import Host


@pytest.fixture(name="host")
def host_fixture(tmp_path):
    made = Host(tmp_path)
    made.exposure()
    made.release("shop", 8080)
    made.firewall.follow()
    made.firewall_units.ensure()
    return made


def whats(host):
    return [one.what for one in firewall_drift(host.fs, host.run, lambda: host.clock, str(host.root))]


def test_a_firewall_in_place_is_no_difference_and_one_that_is_off_is_not_judged(host, tmp_path):
    assert whats(host) == []
    other = tmp_path / "other"
    other.mkdir()
    assert whats(Host(other)) == []


def test_a_missing_rule_is_named(host):
    line = next(line for line in host.table.splitlines() if "8080" in line)
    host.table = host.table.replace(line + "\n", "")
    (found,) = whats(host)
    assert found == "firewall: the table inet portside was changed: it lacks {0!r}".format(line.strip())


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda host: setattr(host, "table", ""), "the table inet portside is gone"),
        (lambda host: (host.root / "etc/portside/firewall.nft").unlink(), "which a boot loads, is not what is declared"),
        (lambda host: host.release("shop", 9090, number="2"), "which a boot loads, is not what is declared"),
        (lambda host: setattr(host, "stopped", True), "portside-firewall.timer is missing, changed or does not run"),
        (lambda host: setattr(host, "iptables", ""), "Docker's own rules are gone"),
        (lambda host: (host.root / "etc/portside/exposure.json").unlink(), "its settings, /etc/portside/exposure.json, are missing"),
        (lambda host: host.write("opt/stacks/shop/current/release.json", "{"), "cannot be judged: stack shop: "),
    ],
)
def test_each_harm_is_named_and_alone(host, harm, named):
    harm(host)
    (found,) = whats(host)
    assert named in found


def test_what_healing_has_given_up_is_broken(host):
    told = {
        "shop/api": {"restarts": 5, "given_up": True, "why": "unhealthy"},
        "shop/web": {"restarts": 1, "given_up": False, "why": "unhealthy"},
        "other/api": {"restarts": 5, "given_up": True, "why": "unhealthy"},
    }
    host.write("run/portside/heal.json", told)
    (found,) = healing_drift(host.fs, "shop", str(host.root))
    assert (found.service, found.broken) == ("api", True)
    assert "5 restarts in vain: unhealthy" in found.what
    host.write("run/portside/heal.json", "{")
    assert healing_drift(host.fs, "shop", str(host.root)) == []


def test_of_many_changed_lines_the_first_are_told():
    assert changed_lines(b"a\nb\nc\n", b"a\nB\nc\n") == "lacks 'b', has 'B'"
    assert changed_lines(b"", b"\n".join(b"%d" % number for number in range(9))).endswith("has '5', and 3 lines more")
