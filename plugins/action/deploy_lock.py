# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module deploy_lock, and says who the run is: on the host all are root."""

from __future__ import annotations

import getpass
import multiprocessing
import os
import socket
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


def process_identity(pid: int) -> str:
    """What tells a process from all others: the machine's start, the process namespace, the process's own start.

    Empty when there is no such process, and where there is no /proc.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
            boot = handle.read().strip()
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
            # The name, in brackets, may hold anything.
            fields = handle.read().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{boot} {os.readlink('/proc/self/ns/pid')} {fields[19]}"
    except OSError:
        return ""


def user_name() -> str:
    """Who typed the command."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def this_run() -> t.Dict[str, t.Any]:
    """The holder, as the lock tells it to others. The process is that of ansible-playbook: a task runs in a fork of it."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent else os.getpid()
    return {"who": user_name(), "origin": socket.gethostname(), "pid": pid, "started": process_identity(pid)}


def is_dead(lease: t.Mapping[str, t.Any], here: t.Mapping[str, t.Any], identity: t.Callable[[int], str]) -> bool:
    """Whether a lease is of a process that has ended, as far as this machine can know.

    Two machines may have one name, so what counts besides is that both ran in the same start of the same machine.
    """
    places = {(holder["origin"], holder["started"].rpartition(" ")[0]) for holder in (lease, here)}
    return bool(here["started"]) and len(places) == 1 and identity(lease["pid"]) != lease["started"]


class ActionModule(ActionBase):
    """One remote execution; a second one to take over from a run that died here."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> t.Dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        del tmp
        here = this_run()
        dead: t.List[str] = []
        while True:
            outcome = self._execute_module(
                module_name="portside.stack.deploy_lock",
                module_args={**self._task.args, "holder": here, "dead": dead},
                task_vars=task_vars,
            )
            found = [
                lease
                for lease in outcome.get("held_by") or ()
                if lease["token"] not in dead and is_dead(lease, here, process_identity)
            ]
            if not found:
                result.update(outcome)
                return result
            dead += [lease["token"] for lease in found]
            if not self._task.check_mode:
                for lease in found:
                    Display().display(
                        f"[{(task_vars or {}).get('inventory_hostname', '')}] {lease['stack']} the run that "
                        f"{lease['who']} started (process {lease['pid']}) is dead: takes its lock over, "
                        "when what it left at work there has ended"
                    )
