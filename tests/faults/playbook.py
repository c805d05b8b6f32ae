# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook at work, as its user sees it: run it, watch it, kill it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

PROJECT = pathlib.Path(__file__).parents[2]
POLL = 0.05


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is over: its exit code and all it said."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, by the recap."""
        return sum(map(int, re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", self.output, re.M)))

    def lacks(self, *patterns: str) -> list[str]:
        """Those of the patterns that nothing in the output is like."""
        return [pattern for pattern in patterns if not re.search(pattern, self.output)]


class Playbook:
    """A run under way, in a session of its own like one at a terminal."""

    def __init__(self, playbook: str, inventory: str, *arguments: str, **extra) -> None:
        command = ["ansible-playbook", playbook, "-i", inventory, *arguments]
        if extra:
            command += ["-e", json.dumps(extra)]
        # A file, since what outlives a killed run would keep a pipe open.
        self._log = tempfile.NamedTemporaryFile("r", encoding="utf-8")
        with open(self._log.name, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, pattern: str, seconds: float = 120) -> None:
        """Returns when the run has said a line like that. AssertionError when it ends, or the time, before."""
        deadline = time.monotonic() + seconds
        while True:
            over = self._process.poll() is not None or time.monotonic() > deadline
            said = self._said()
            if re.search(pattern, said, re.M):
                return
            assert not over, f"never said {pattern!r}:\n{said}"
            time.sleep(POLL)

    def kill(self, number: signal.Signals) -> None:
        """Sends the signal to the run as a terminal does, to all of its session."""
        os.killpg(self._process.pid, number)

    def end(self, seconds: float = 300) -> Run:
        """Waits for the end."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            raise AssertionError(f"not over after {seconds} s:\n{self._said()}") from None
        said = self._said()
        self._log.close()
        return Run(self._process.returncode, said)

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()
