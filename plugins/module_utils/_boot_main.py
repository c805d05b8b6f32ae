# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that the units of a stack start on the host: there is no Ansible there, and no module that is handed things.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import environment
from ansible_collections.portside.stack.plugins.module_utils._edge_renewed import serve_renewed
from ansible_collections.portside.stack.plugins.module_utils._edge_server import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._engine_events import EventStream
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import read_declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import judge
from ansible_collections.portside.stack.plugins.module_utils._exposure_look import look
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import read_settings
from ansible_collections.portside.stack.plugins.module_utils._exposure_watch import Seen, Watch, report
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall, watch
from ansible_collections.portside.stack.plugins.module_utils._heal_outbox import Outbox
from ansible_collections.portside.stack.plugins.module_utils._heal_report import StateFile
from ansible_collections.portside.stack.plugins.module_utils._heal_stacks import Stacks
from ansible_collections.portside.stack.plugins.module_utils._heal_watch import FILTERS, heal
from ansible_collections.portside.stack.plugins.module_utils._heal_work import Healer
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock, busy_stacks
from ansible_collections.portside.stack.plugins.module_utils._metrics_look import MetricsHost, write_metrics
from ansible_collections.portside.stack.plugins.module_utils._reconcile import reconcile
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners
from ansible_collections.portside.stack.plugins.module_utils._webhook import post, read_webhook


def _run(argv: t.List[str], data: t.Optional[str]) -> t.Tuple[int, str, str]:
    # There is no module here whose run_command could be called.
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        argv,
        input=data or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(os.environ, SOCKET),
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run_if_there(argv: t.List[str], data: t.Optional[str]) -> t.Tuple[int, str, str]:
    try:
        return _run(argv, data)
    except FileNotFoundError:
        return 127, "", "there is no program {0}".format(argv[0])


def _see() -> Seen:
    """What is reachable on the host and not declared."""
    settings = read_settings(FileSystem())
    declared = read_declared(settings.stack_root, {}, settings)
    facts = look(EngineClient(timeout=20), _run_if_there, os.geteuid() == 0, declared)
    return Seen(facts["engine"]["running"], judge(facts, declared).violations)


def _of_the_host(command: str) -> None:
    firewall = Firewall(FileSystem(), _run, time.time)
    if command == "firewall":
        watch(firewall, _tell)
    # What is declared is known once its rules are confirmed.
    elif not firewall.pending():
        report(Watch(firewall.fs, _see, lambda: busy_stacks(time.time), _tell, post, socket.gethostname()))


def _identity() -> t.Optional[t.Tuple[int, int]]:
    """What tells this program from the one that a deploy puts in its place."""
    found = FileSystem().stat(sys.argv[0])
    return (found.st_ino, found.st_mtime_ns) if found else None


def _terminated(_number: int, _frame: t.Any) -> None:
    # Wherever it is: the engine ends a restart that has begun.
    raise SystemExit(0)


def _events(engine: EngineClient) -> EventStream:
    return EventStream(engine.api_version, FILTERS)


def _heal(stack_root: str) -> None:
    """Until this program was replaced: systemd starts the new one then."""
    signal.signal(signal.SIGTERM, _terminated)
    fs, begun = FileSystem(), _identity()
    outbox = Outbox(socket.gethostname(), lambda: read_webhook(fs), post, time, _tell, lambda work: threading.Thread(target=work, daemon=True).start())
    healer = Healer(Stacks(stack_root), lambda stack: StackLock(stack, time.time), lambda: busy_stacks(time.time), time, StateFile(fs), _tell, outbox.add)
    heal(healer, outbox, lambda: EngineClient(timeout=20), _events, time, _tell, lambda: _identity() != begun)


def _metrics(stack_root: str) -> None:
    engine = EngineClient(timeout=20)
    write_metrics(MetricsHost(FileSystem(), engine, _run_if_there, time.time, lambda: busy_stacks(time.time), _tell), stack_root)


def _of_a_stack(command: str, directory: str) -> None:
    store = ReleaseStore(directory)
    lock = StackLock(store.stack, time.time)
    if command == "reconcile":
        reconcile(store, lock, EngineClient(), _run, time, listeners, _tell)
    else:
        serve_renewed(store, lock, EngineClient(), _run, time, HostNetwork(), _tell)


def main(argv: t.Sequence[str]) -> int:
    """``reconcile DIRECTORY`` brings up the stack in the directory, ``renewed DIRECTORY`` has its edge serve a new certificate.

    ``heal STACK_ROOT`` restarts what becomes unhealthy of the stacks below, and has no end; ``metrics STACK_ROOT`` writes what
    Prometheus is to know of them. ``firewall`` has the host let in what is declared, and nothing else; ``exposure`` tells what
    is reachable by now and not declared. The exit code is 0 when that is so.
    """
    if list(argv) not in (["firewall"], ["exposure"]) and (len(argv) != 2 or argv[0] not in ("reconcile", "renewed", "heal", "metrics")):
        sys.stderr.write("usage: portside.pyz reconcile|renewed DIRECTORY, portside.pyz heal|metrics STACK_ROOT, or portside.pyz firewall|exposure\n")
        return 2
    try:
        if len(argv) == 1:
            _of_the_host(argv[0])
        elif argv[0] == "heal":
            _heal(argv[1])
        elif argv[0] == "metrics":
            _metrics(argv[1])
        else:
            _of_a_stack(*argv)
    except (StackError, OSError) as error:
        sys.stderr.write("{0}\n".format(error))
        return 1
    return 0
