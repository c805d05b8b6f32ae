# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that ends when its time is up.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run

# The code that timeout(1) ends with, and that of the KILL for who ignores its TERM.
_CODES = (124, 137)


class Ended(t.NamedTuple):
    """How a limited command ended; ``ran_out`` tells whether because its time was up."""

    code: int
    out: str
    err: str
    ran_out: bool


def run_limited(run: Run, clock: Clock, argv: t.Iterable[str], seconds: float) -> Ended:
    """Run a command, and end it after so many seconds (more than 0)."""
    began = clock.monotonic()
    code, out, err = run(["timeout", "--kill-after=10", str(seconds), *argv], None)
    # A command may well end with one of these codes by itself.
    return Ended(code, out, err, code in _CODES and clock.monotonic() - began >= seconds)
