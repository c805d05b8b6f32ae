# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host below a directory, with nft and systemd as far as the firewall asks them for something."""

from __future__ import annotations

import json

from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._firewall_units import FirewallUnits

DELETED = "delete table inet portside\n"
UNITS = "etc/systemd/system/"


class Host:
    def __init__(self, root):
        self.root, self.fs, self.clock = root, FileSystem(), 1000.0
        self.table, self.refusal, self.calls, self.units = "", "", [], {}
        self.stopped = False
        self.iptables = "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
        for path in ("run/systemd/system", "sys/class/net/docker0/bridge", "sys/class/net/docker0/brif", "sys/class/net/eth0"):
            (root / path).mkdir(parents=True)

    def run(self, argv, data):
        self.calls.append(argv)
        return {"nft": self._nft, "systemctl": self._systemctl, "systemd-run": self._systemd_run}.get(argv[0], self._other)(argv, data)

    def _nft(self, argv, data):
        if argv[1:4] == ["-s", "list", "table"] or argv[1:3] == ["list", "table"]:
            return (0, self.table, "") if self.table else (1, "", "No such file or directory")
        if "-f" in argv:
            if self.refusal:
                return 1, "", self.refusal
            if "-c" not in argv:
                self.table = data.partition(DELETED)[2]
        return 0, "table ip filter\n", ""

    def _systemctl(self, argv, _data):
        if argv[1] == "is-active":
            return 3 if self.stopped else 0, "", ""
        for unit in argv[2:]:
            wants = {
                "portside-firewall.service": "sysinit.target.wants/",
                "portside-firewall.timer": "timers.target.wants/",
                "portside-exposure.timer": "timers.target.wants/",
            }
            link = self.root / UNITS / (wants.get(unit, "x/") + unit)
            if argv[1] == "enable" and unit in wants:
                link.parent.mkdir(exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to("/etc/" + unit)
                self.stopped = False
            elif argv[1] == "disable" and unit in wants:
                link.unlink()
            elif argv[1:] == ["stop", "portside-firewall-revert.timer"]:
                self.units.pop("revert", None)
        return 0, self.units.get(argv[-1], "ActiveState=inactive\nUnitFileState=\n"), ""

    def _systemd_run(self, argv, _data):
        self.units["revert"] = argv
        return 0, "", ""

    def _other(self, argv, _data):
        return 0, {"iptables": self.iptables, "ip": "[]"}.get(argv[0], ""), ""

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text if isinstance(text, str) else json.dumps(text))

    def read(self, path):
        return (self.root / path).read_text()

    def exposure(self, **given):
        self.write("etc/portside/exposure.json", {"ssh_ports": [22], "open": [], "trusted_interfaces": [], "firewall": True, **given})

    def release(self, stack, *ports, number="1"):
        """Makes a release that publishes ports the current one of a stack."""
        release = number * 16
        home = self.root / "opt/stacks" / stack
        self.write("opt/stacks/{0}/releases/{1}/release.json".format(stack, release), {"definition": definition(*ports)})
        (home / "current").unlink(missing_ok=True)
        (home / "current").symlink_to("releases/" + release)

    @property
    def firewall(self):
        return Firewall(self.fs, self.run, lambda: self.clock, str(self.root))

    @property
    def firewall_units(self):
        return FirewallUnits(self.fs, self.run, str(self.root))


def definition(*ports):
    """One that publishes ports, each a number or an entry."""
    entries = [port if isinstance(port, dict) else {"target": 80, "published": str(port), "protocol": "tcp"} for port in ports]
    return {"services": {"edge": {"ports": entries}}}
