# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer that has a host write the metrics of its stacks. It ends by itself once no stack reads them any more.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import sys

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import PROGRAM
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._metrics_look import TIMER, reads_metrics
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._systemd_units import SystemdUnits

SERVICE = "portside-metrics.service"
_SERVICE = """\
[Unit]
Description=Write the metrics of the stacks for node_exporter
After=docker.service

[Service]
Type=oneshot
ExecStart={python} -I {program} metrics {stacks}
SyslogIdentifier=portside
# What it tells is worth reading; that it ran is not.
SyslogLevel=warning
LogLevelMax=notice
TimeoutStartSec=60
Nice=10
"""
_TIMES = """\
[Unit]
Description=Write the metrics of the stacks again and again

[Timer]
# Not before the release that reads them is the current one.
OnActiveSec=20s
OnUnitInactiveSec=30s
AccuracySec=1
Unit=portside-metrics.service

[Install]
WantedBy=timers.target
"""


def ensure_metrics(fs: FileSystem, run: Run, store: ReleaseStore, release: str, root: str = "") -> bool:
    """Have the timer there if that release reads the metrics and systemd runs the host; answers whether that is new."""
    if not reads_metrics(store.read(release).get("definition") or {}):
        return False
    service = _SERVICE.format(python=sys.executable, program=PROGRAM, stacks=os.path.dirname(store.directory).replace("%", "%%"))
    texts = {SERVICE: service, TIMER: _TIMES}
    units = SystemdUnits(fs, run, root, texts, {TIMER: "timers.target"}, "Without it the metrics of the host stand still.")
    return units.possible() and units.ensure()
