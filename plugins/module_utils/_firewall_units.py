# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units that load the firewall at boot and watch over it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import sys

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import PROGRAM
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import LISTED, PENDING, RULES, RUN
from ansible_collections.portside.stack.plugins.module_utils._systemd_units import SystemdUnits

_NFT = "/usr/sbin/nft"
_LOAD = "{nft} -f {rules} && mkdir -p -m 755 {run} && {nft} -s list table inet portside >{listed}".format(
    nft=_NFT, rules=RULES, run=RUN, listed=LISTED
)
# What the host does by itself when nobody confirms new rules, by nft alone.
TAKE_BACK = (
    "echo 'firewall: no fresh connection came through the new rules, so those of before come back'; "
    "if [ -e {rules} ]; then {load}; "
    "else {nft} 'add table inet portside; delete table inet portside'; rm -f {listed}; fi; rm -f {pending}"
).format(rules=RULES, load=_LOAD, nft=_NFT, listed=LISTED, pending=PENDING)

_BOOT = "portside-firewall.service"
_TIMER = "portside-firewall.timer"
_TEXTS = {
    _BOOT: """\
[Unit]
Description=Let in what is declared, and nothing else
DefaultDependencies=no
RequiresMountsFor={rules}
ConditionPathExists={rules}
# Others may begin with a flush.
After=nftables.service netfilter-persistent.service systemd-modules-load.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '{load}'
SyslogIdentifier=portside

[Install]
WantedBy=sysinit.target
""",
    "portside-firewall-follow.service": """\
[Unit]
Description=See that what is let in is what is declared

[Service]
Type=oneshot
ExecStart={python} -I {program} firewall
SyslogIdentifier=portside
# What it tells is worth reading; that it ran, twice a minute, is not.
SyslogLevel=warning
LogLevelMax=notice
TimeoutStartSec=60
""",
    _TIMER: """\
[Unit]
Description=See twice a minute that what is let in is what is declared

[Timer]
OnActiveSec=30
OnUnitInactiveSec=30
AccuracySec=1
Unit=portside-firewall-follow.service

[Install]
WantedBy=timers.target
""",
}


class FirewallUnits(SystemdUnits):
    """The firewall's units of a host."""

    def __init__(self, fs: FileSystem, run: Run, root: str = "") -> None:
        filled = {"rules": RULES, "load": _LOAD, "python": sys.executable, "program": PROGRAM}
        texts = {name: text.format(**filled) for name, text in _TEXTS.items()}
        without = "Without it the firewall is not there after a boot, and nobody notices when it is flushed."
        super().__init__(fs, run, root, texts, {_BOOT: "sysinit.target", _TIMER: "timers.target"}, without)
