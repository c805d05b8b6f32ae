# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer that has a host judged between deploys, and whom it tells.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import sys
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import PROGRAM
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_watch import TOLD
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._systemd_units import SystemdUnits
from ansible_collections.portside.stack.plugins.module_utils._webhook import WEBHOOK, check_webhook, read_webhook

_TIMER = "portside-exposure.timer"
_SERVICE = """\
[Unit]
Description=Tell what became reachable that nobody declared
After=docker.service

[Service]
Type=oneshot
ExecStart={python} -I {program} exposure
SyslogIdentifier=portside
# What it tells is worth reading; that it ran is not.
SyslogLevel=warning
LogLevelMax=notice
TimeoutStartSec=120
"""
# After a boot the stacks are given time to come up.
_TIMES = """\
[Unit]
Description=Look again and again for what became reachable that nobody declared

[Timer]
OnActiveSec=2min
OnUnitInactiveSec={every}
AccuracySec=1
Unit=portside-exposure.service

[Install]
WantedBy=timers.target
"""


class ExposureWatch:
    """The watch over a host. Does nothing where systemd does not run it. Without a webhook the journal alone is told."""

    def __init__(self, fs: FileSystem, run: Run, root: str, every: str, webhook: str) -> None:
        self._fs, self._root, self._every, self._webhook = fs, root, every, webhook
        texts = {
            "portside-exposure.service": _SERVICE.format(python=sys.executable, program=PROGRAM),
            _TIMER: _TIMES.format(every=every),
        }
        without = "Without it nobody notices what becomes reachable between deploys."
        self._units = SystemdUnits(fs, run, root, texts, {_TIMER: "timers.target"}, without)

    def check(self) -> None:
        """Refuse what cannot be."""
        if not re.match(r"[1-9][0-9]*(s|min|h)\Z", self._every):
            raise StackError("firewall_watch_every: {0!r} is not a time. Remedy: write for example 30s, 5min or 1h.".format(self._every))
        if self._webhook:
            check_webhook(self._webhook)

    def ensure(self, on: bool, check_mode: bool) -> bool:
        """Have it there, or not; answers whether that is new."""
        changed = self._units.possible() and (self._differs() if on else bool(self._units.there() or self._kept()))
        if changed and not check_mode:
            if on:
                self._tell_webhook()
                self._units.ensure()
            else:
                self._units.remove()
                for path in self._kept():
                    self._fs.shred(path)
        return changed

    def _differs(self) -> bool:
        return not self._webhook_told() or bool(self._units.missing())

    def _webhook_told(self) -> bool:
        about = self._fs.lstat(self._root + WEBHOOK)
        if not about or not self._webhook:
            return bool(about) == bool(self._webhook)
        try:
            return about.st_mode & 0o777 == 0o600 and read_webhook(self._fs, self._root) == self._webhook
        except StackError:
            return False

    def _tell_webhook(self) -> None:
        path = self._root + WEBHOOK
        if self._webhook and not self._webhook_told():
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            write_json(self._fs, path, self._webhook)
        elif not self._webhook and self._fs.lstat(path):
            self._fs.shred(path)

    def _kept(self) -> t.List[str]:
        return [self._root + path for path in (WEBHOOK, TOLD) if self._fs.lstat(self._root + path)]
