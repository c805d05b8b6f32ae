# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New rules that nobody can be locked out by: the host takes them back unless a fresh connection comes through them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Nothing but the table itself changes before that: a boot, too, would bring back what was there.
"""

from __future__ import annotations

import json

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import SETTINGS, Settings
from ansible_collections.portside.stack.plugins.module_utils._filesystem import put
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import PENDING
from ansible_collections.portside.stack.plugins.module_utils._firewall_units import TAKE_BACK, FirewallUnits
from ansible_collections.portside.stack.plugins.module_utils._ssh_session import Session

SECONDS = 45
# For as long as the timer leaves the rules alone: beyond the moment in which the host takes them back.
_PATIENCE = SECONDS + 15
_UNIT = "portside-firewall-revert"


def try_out(firewall: Firewall, exposure: Settings, text: str, session: Session) -> None:
    """Put new rules in place, for as long as a fresh connection takes."""
    firewall.judge(text)
    pending = {
        "exposure": exposure._asdict(),
        "text": text,
        "until": firewall.now() + _PATIENCE,
        "session": session.started,
    }
    with firewall.alone():
        _systemctl(firewall.run, "stop", _UNIT + ".timer")
        put(firewall.fs, firewall.root + PENDING, json.dumps(pending).encode("utf-8"))
        _arm(firewall.run)
        firewall.load(text)


def confirm(firewall: Firewall, units: FirewallUnits, session: Session) -> None:
    """Keep the rules that wait, as the connection that asks for it has come through them."""
    with firewall.alone():
        pending = firewall.pending()
        if pending is None:
            raise StackError(
                "firewall: the host took back the new rules, as no fresh connection came through them within {0} seconds. "
                "What was in place before is in place again. Remedy: see that ssh comes in by a port of firewall_ssh_ports, "
                "then run again.".format(SECONDS)
            )
        if session.started and session.started <= pending["session"]:
            raise StackError(
                "firewall: this connection is older than the new rules, so it cannot show that one still gets in, and the host "
                "takes the rules back. Remedy: have the connection made afresh (meta: reset_connection) before state: confirmed."
            )
        put(firewall.fs, firewall.root + SETTINGS, Settings(**pending["exposure"]).text())
        firewall.save(pending["text"])
        firewall.fs.unlink(firewall.root + PENDING)
        # Last: what it would load until then is what was just saved.
        _systemctl(firewall.run, "stop", _UNIT + ".timer")
    units.ensure()


def _arm(run: Run) -> None:
    command = ["systemd-run", "--quiet", "--collect", "--unit=" + _UNIT, "--on-active={0}s".format(SECONDS)]
    command += ["--timer-property=AccuracySec=1s", "/bin/sh", "-c", TAKE_BACK]
    code, out, err = run(command, None)
    if code:
        raise StackError(
            "firewall: nothing was changed, as the host cannot be told to take new rules back by itself: systemd-run failed: {0}. "
            "Remedy: mend that on the host, then run again.".format((err or out).strip())
        )


def _systemctl(run: Run, *arguments: str) -> None:
    # It may not be there.
    run(["systemctl", *arguments], None)
