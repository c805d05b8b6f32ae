# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal
import subprocess
import threading
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._engine_exec import HostProcesses, TimeIsUp, execute
from exec_engine import ExecEngine


class Processes:
    def __init__(self):
        self.ended = []

    def end(self, pid, container):
        self.ended.append((pid, container))


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with ExecEngine(tmp_path / "s") as engine:
        engine.api_container = engine.add("api", "1")
        yield engine


def run(engine, timeout=5.0, processes=None):
    return execute(EngineClient(engine.path, timeout), engine.api_container, ["id", "-u"], timeout, time, processes or Processes())


def test_exit_code_and_output(engine):
    engine.output, engine.code = [b"one\n", "zw\xf6lf\n".encode()], 3
    assert run(engine) == (3, "one\nzw\xf6lf\n")
    assert engine.commands == [(engine.api_container, ["id", "-u"])]


def test_the_end_may_be_told_a_moment_later(engine):
    engine.still_running = 2
    assert run(engine) == (0, "")


def test_a_command_that_hangs_is_given_up_and_ended(engine):
    engine.output, engine.hangs, processes = [b"so far"], threading.Event(), Processes()
    began = time.monotonic()
    with pytest.raises(TimeIsUp) as caught:
        run(engine, 0.3, processes)
    assert 0.3 <= time.monotonic() - began < 3 and caught.value.output == "so far"
    assert processes.ended == [(4711, engine.api_container)]
    engine.hangs.set()


def test_a_flood_is_cut_off(engine):
    engine.output = [b"x" * 10000] * 20
    code, output = run(engine)
    assert code == 0 and 60000 < len(output) <= 65536


def test_what_the_engine_refuses_is_told(engine):
    engine.refusal = "Container api is not running"
    with pytest.raises(EngineError, match="refused POST: Container api is not running"):
        run(engine)


def test_only_a_process_of_the_container_is_ended():
    with subprocess.Popen(["sleep", "60"]) as process:
        with open("/proc/{0}/cgroup".format(process.pid), encoding="utf-8") as file:
            own = file.read().strip()
        HostProcesses().end(process.pid, "0123456789abcdef")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        HostProcesses().end(process.pid, own.splitlines()[0])
        assert process.wait(5) == -signal.SIGKILL
    HostProcesses().end(process.pid, own)
