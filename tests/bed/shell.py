# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are, how commands are run, and the one error of the test bed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".bed"
LABEL = "portside.bed"


class BedError(Exception):
    """Something a person has to know; printed without a traceback."""


def run(argv: list[str], *, stdin: bytes | None = None, check: bool = True, merge: bool = False,
        env: dict[str, str] | None = None) -> str:
    """Runs argv and returns its stdout (with merge: and stderr); a failure becomes a BedError with what it printed."""
    try:
        done = subprocess.run(argv, input=stdin, check=False, env={**os.environ, **(env or {})},
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merge else subprocess.PIPE)
    except FileNotFoundError as error:
        raise BedError(f"{argv[0]} is not installed; run: python3 tests/bed engine") from error
    out = done.stdout.decode(errors="replace")
    if check and done.returncode:
        text = (out + (done.stderr or b"").decode(errors="replace")).strip()
        raise BedError(f"this failed with exit code {done.returncode}: {shlex.join(argv)}\n{text[-4000:]}")
    return out


def succeeds(argv: list[str]) -> bool:
    """True when argv can be run and exits 0."""
    if shutil.which(argv[0]) is None:
        return False
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def as_root(argv: list[str]) -> list[str]:
    """The same command with root's rights."""
    return argv if os.geteuid() == 0 else ["sudo", *argv]


def docker_argv(*args: str) -> list[str]:
    """A docker command line; with sudo when this user may not use the socket."""
    if os.geteuid() == 0 or "DOCKER_HOST" in os.environ or os.access("/var/run/docker.sock", os.W_OK):
        return ["docker", *args]
    return ["sudo", "docker", *args]


def docker(*args: str, stdin: bytes | None = None, check: bool = True) -> str:
    """Runs a docker command and returns its stdout, stripped."""
    return run(docker_argv(*args), stdin=stdin, check=check).strip()


def wait_for(what: str, condition: Callable[[], bool], seconds: float, hint: Callable[[], str] = str) -> None:
    """Waits until condition() holds; hint() says where it stood when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BedError(f"waited {seconds:.0f} s in vain: {what}. {hint()}".strip())
        time.sleep(0.1)


@contextlib.contextmanager
def only_one(name: str) -> Iterator[None]:
    """Keeps concurrent runs in one checkout from building or creating the same thing twice."""
    STATE.mkdir(exist_ok=True)
    with open(STATE / f"{name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
