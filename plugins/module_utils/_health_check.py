# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module health_check does: all checks of a stack at once, and what to tell of them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._check_watch import Redact, failure, watch_all
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._probe_kinds import attempt
from ansible_collections.portside.stack.plugins.module_utils._probe_world import World


class NotPassed(StackError):
    """Checks did not pass; ``result`` is what the task returns nevertheless."""

    def __init__(self, message: str, result: t.Dict[str, t.Any]) -> None:
        super().__init__(message)
        self.result = result


class HealthCheck:
    """The checks of one stack; ``deadline`` is that of those that have none of their own."""

    def __init__(self, stack: str, checks: t.Sequence[Check], deadline: float) -> None:
        self._stack, self._checks, self._deadline = stack, checks, deadline

    @property
    def longest(self) -> float:
        """How many seconds they may take."""
        return max([self._deadline] + [check.deadline or 0 for check in self._checks])

    def not_made(self) -> t.Dict[str, t.Any]:
        """The result of a run that makes none."""
        return {"changed": False, "not_checked": [check.name for check in self._checks]}

    def carry_out(self, world: World, clock: Clock, redact: Redact, fail: bool) -> t.Dict[str, t.Any]:
        """The result. Raises NotPassed when a check has not passed and that is to ``fail``."""
        start = clock.monotonic()
        stories = watch_all(
            self._checks,
            self._deadline,
            lambda: clock.monotonic() - start,
            clock.sleep,
            lambda check, timeout: attempt(check, world, timeout),
            redact,
        )
        seconds = round(clock.monotonic() - start, 3)
        not_passed = [story.not_passed(seconds) for story in stories if not story.passed]
        timeline = [story.timeline(seconds) for story in stories]
        result = {"changed": False, "not_checked": [], "timeline": timeline, "not_passed": not_passed}
        if not_passed and fail:
            raise NotPassed(failure(self._stack, len(stories), not_passed, seconds), result)
        return result
