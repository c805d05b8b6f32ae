# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a container that runs, for so long and no longer.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, demultiplex

_MOST = 64 * 1024
_PAUSE = 0.05


class TimeIsUp(Exception):
    """The command was given up; ``output`` is what it had written."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


class HostProcesses:
    """The processes of the host that the engine runs on too."""

    def end(self, pid: int, container: str) -> None:
        """End a process of a container; never one of anybody else, should the engine count in another way."""
        with contextlib.suppress(OSError):
            with open("/proc/{0}/cgroup".format(pid), encoding="utf-8") as file:
                if container in file.read():
                    os.kill(pid, signal.SIGKILL)


def execute(
    engine: EngineClient, container: str, argv: t.Sequence[str], timeout: float, clock: Clock, processes: HostProcesses
) -> t.Tuple[int, str]:
    """Run a command; its exit code and what it wrote, of which a flood is cut off. Raises TimeIsUp, and ends it then."""
    until = clock.monotonic() + timeout
    wanted = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True}
    made = engine.post("/containers/{0}/exec".format(container), wanted, timeout=timeout)["Id"]
    output = demultiplex(_output(engine, made, until, clock))
    about = engine.get("/exec/{0}/json".format(made))
    # It may have closed its output and go on, and the engine is told of its end a moment later than that.
    while about["Running"]:
        if clock.monotonic() >= until:
            processes.end(about["Pid"], container)
            raise TimeIsUp(output)
        clock.sleep(_PAUSE)
        about = engine.get("/exec/{0}/json".format(made))
    return about["ExitCode"], output


def _output(engine: EngineClient, made: str, until: float, clock: Clock) -> bytes:
    """What it writes until it ends, or its time is up."""
    response, line = engine.open("POST", "/exec/{0}/start".format(made), {"Detach": False, "Tty": False}, max(0.01, until - clock.monotonic()))
    output = b""
    with contextlib.closing(line), response:
        while clock.monotonic() < until:
            line.settimeout(max(0.01, until - clock.monotonic()))
            try:
                data = response.read1(65536)
            except (socket.timeout, ConnectionError):
                break
            if not data:
                break
            output = (output + data)[:_MOST]
    return output
