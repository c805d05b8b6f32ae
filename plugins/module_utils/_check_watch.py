# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many checks at once, each tried again until it has passed or its time is over; and the story of each.

Time, waiting and trying come in as functions.
This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection

EXCERPT = 200
GRACE = 1.0
Redact = t.Callable[[str], str]
# Tries a check for so many seconds; raises Objection unless it passes.
Attempt = t.Callable[[Check, float], None]


class Story:
    """What was seen of one check, in seconds since the start. ``redact`` takes secrets out of what is shown."""

    def __init__(self, check: Check, redact: Redact = str) -> None:
        self.check = check
        self._redact = redact
        self.tries = self.failures = self._in_a_row = 0
        self.first_failure: t.Optional[float] = None
        self.first_success: t.Optional[float] = None
        self.passed_at: t.Optional[float] = None
        # What was objected to last, also when it passed later on.
        self.last = ""
        self._remedy = "see whether what it asks hangs, and whether a name server answers"

    @property
    def passed(self) -> bool:
        return self.passed_at is not None

    def observe(self, at: float, objection: t.Optional[Objection], cut: bool = False) -> None:
        """One try has ended, which may have been ``cut`` short by the deadline."""
        self.tries += 1
        if objection is None:
            self._in_a_row += 1
            self.first_success = at if self.first_success is None else self.first_success
            if self._in_a_row >= self.check.successes:
                self.passed_at = at
            return
        self.failures += 1
        self._in_a_row = 0
        self.first_failure = at if self.first_failure is None else self.first_failure
        if self.last and cut and objection.late:
            return  # that it had too little time says less than what is known
        self.last, self._remedy = self._said(objection), objection.remedy

    def _said(self, objection: Objection) -> str:
        said = self._redact(objection.said)
        if objection.seen is None:
            return said
        # Cut after that: of half a secret nobody would know that it is one.
        return "{0}: {1}".format(said, " ".join(self._redact(objection.seen).split())[:EXCERPT] or "(empty)")

    def words(self, seconds: float) -> str:
        """The story in a few words, by which a slow start is told from a dead service."""
        if self.passed and not self.failures:
            return "passed at once"
        if self.passed:
            return "slow start: passed after {0:.1f} s, {1} failed before".format(self.passed_at, tries(self.failures))
        if self.first_success is None:
            return "dead: never passed in {0:.1f} s ({1})".format(seconds, tries(self.tries))
        return "unsteady: {0} of {1} passed in {2:.1f} s, but not {3} in a row".format(
            self.tries - self.failures, tries(self.tries), seconds, self.check.successes
        )

    def timeline(self, seconds: float) -> t.Dict[str, t.Any]:
        """As the task returns it; ``seconds`` is how long all took."""
        took = self._took(seconds)
        return {
            "name": self.check.name,
            "kind": self.check.kind,
            "passed": self.passed,
            "first_failure": self.first_failure,
            "first_success": self.first_success,
            "failures": self.failures,
            "tries": self.tries,
            "seconds": took,
            "last": self.last,
            "story": self.words(took),
        }

    def not_passed(self, seconds: float) -> t.Dict[str, str]:
        """What is to be told of one that has not passed."""
        said = "{0}: {1}: {2}".format(self.check.what, self.last or "no answer yet", self.words(self._took(seconds)))
        return {"name": self.check.name, "kind": self.check.kind, "what": said, "remedy": self._remedy}

    def _took(self, seconds: float) -> float:
        if self.passed_at is not None:
            return self.passed_at
        return seconds if self.check.deadline is None else min(seconds, self.check.deadline)


def tries(count: int) -> str:
    return "{0} {1}".format(count, "try" if count == 1 else "tries")


def watch(story: Story, deadline: float, clock: t.Callable[[], float], sleep: t.Callable[[float], None], attempt: Attempt) -> None:
    """Repeat one check. ``clock`` counts seconds since the start."""
    check = story.check
    while clock() < deadline:
        objection = None
        timeout = min(check.timeout, deadline - clock())
        try:
            attempt(check, timeout)
        except Objection as error:
            objection = error
        story.observe(round(clock(), 3), objection, timeout < check.timeout)
        remaining = deadline - clock()
        if story.passed or remaining <= 0:
            return
        sleep(min(check.interval, remaining))


def watch_all(
    checks: t.Sequence[Check],
    deadline: float,
    clock: t.Callable[[], float],
    sleep: t.Callable[[float], None],
    attempt: Attempt,
    redact: Redact = str,
) -> t.List[Story]:
    """All checks at once, one thread each; returns when every one has passed or its own time is over, else ``deadline``."""
    stories = [Story(check, redact) for check in checks]
    ends = [deadline if check.deadline is None else check.deadline for check in checks]
    threads = [
        threading.Thread(target=watch, args=(story, end, clock, sleep, attempt), daemon=True) for story, end in zip(stories, ends)
    ]
    for thread in threads:
        thread.start()
    for thread, end in zip(threads, ends):
        # What hangs beyond the limit of its try is not waited for.
        thread.join(max(0, end + GRACE - clock()))
    return stories


def failure(stack: str, count: int, not_passed: t.Sequence[t.Mapping[str, str]], seconds: float) -> str:
    """What to tell when some of so many checks have not passed."""
    lines = ["stack {0}: {1} of {2} checks did not pass within {3:.1f} s".format(stack, len(not_passed), count, seconds)]
    return "\n".join(lines + ["check {name}: {what}. Remedy: {remedy}.".format(**one) for one in not_passed])
