# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that needs the engine, done again when that went away meanwhile.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_INTERVAL = 1.0

Answer = t.TypeVar("Answer")


class Patience:
    """Waits for an engine that does not answer, ``timeout`` seconds in all."""

    def __init__(self, stack: str, clock: Clock, timeout: float, tell: t.Callable[[str], None]) -> None:
        self._stack, self._clock, self._timeout, self._tell = stack, clock, timeout, tell
        self._waiting = False

    def through(self, work: t.Callable[[], Answer]) -> Answer:
        """Do it; where the engine goes away meanwhile, wait for it and do it again, until the time is over."""
        began = self._clock.monotonic()
        while True:
            try:
                return work()
            except EngineUnavailable as error:
                if self._clock.monotonic() - began >= self._timeout:
                    raise StackError("stack {0}: {1}".format(self._stack, error)) from error
                if not self._waiting:
                    self._tell("the engine does not answer; waits for it")
                self._waiting = True
                self._clock.sleep(_INTERVAL)

    def answered(self) -> None:
        """The engine has answered."""
        if self._waiting:
            self._tell("the engine answers again")
        self._waiting = False
