# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many HTTP probes at once, each repeated until it passes or the deadline is over.

Time, waiting and fetching come in as functions.
This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

EXCERPT = 200
GRACE = 1.0


class Check(NamedTuple):
    name: str
    url: str
    status: int
    timeout: float
    interval: float
    headers: dict[str, str]
    body: str | None


class Answer(NamedTuple):
    status: int
    body: str


class Unanswered(Exception):
    """Nothing came back: says why."""


class Probe:
    """One check's story: what was seen, when it first failed and first passed, in seconds since the start.

    ``redact`` takes secrets out of what is shown of a body.
    """

    def __init__(self, check, redact=str):
        self.check = check
        self._redact = redact
        self.tries = 0
        self.first_failure = None
        self.first_success = None
        self.last = "no answer yet"
        self.last_answered = False

    @property
    def passed(self):
        return self.first_success is not None

    def observe(self, at, answer):
        """`answer` is an Answer or an Unanswered."""
        self.tries += 1
        self.last = self._objection(answer)
        self.last_answered = isinstance(answer, Answer)
        if self.last is None:
            self.first_success = at
        elif self.first_failure is None:
            self.first_failure = at

    def _objection(self, answer):
        if isinstance(answer, Unanswered):
            return str(answer)
        excerpt = " ".join(self._redact(answer.body).split())[:EXCERPT] or "(empty)"
        if answer.status != self.check.status:
            return "status %d instead of %d, body: %s" % (answer.status, self.check.status, excerpt)
        if self.check.body is not None and not re.search(self.check.body, answer.body):
            return "status %d, but the body does not match %r: %s" % (answer.status, self.check.body, excerpt)
        return None

    def remedy(self):
        if self.last_answered:
            return "something answers there: see the service's logs, and whether the check asks for the right thing"
        return "see whether the service runs and is published there, and its logs"

    def timeline(self, seconds):
        return {
            "name": self.check.name,
            "first_failure": self.first_failure,
            "first_success": self.first_success,
            "tries": self.tries,
            "seconds": seconds if self.first_success is None else self.first_success,
        }


def parse(checks):
    """The checks, with whatever is wrong in them reported at once."""
    problems = []
    names = set()
    parsed = []
    for check in checks:
        check = Check(**check)
        where = "check %r" % check.name
        if check.name in names:
            problems.append("%s: is there twice: give every check its own name" % where)
        names.add(check.name)
        if not re.fullmatch(r"https?://[^/\s]\S*", check.url):
            problems.append("%s: url %r is not an http or https address" % (where, check.url))
        elif "@" in check.url.split("/")[2]:
            problems.append("%s: a url is shown in errors and may hold no credentials: give them in headers" % where)
        if not 100 <= check.status <= 599:
            problems.append("%s: status %d is not an HTTP status" % (where, check.status))
        if check.timeout <= 0 or check.interval <= 0:
            problems.append("%s: timeout and interval must be greater than 0" % where)
        try:
            re.compile(check.body or "")
        except re.error as exc:
            problems.append("%s: body %r is not a regular expression: %s" % (where, check.body, exc))
        parsed.append(check._replace(headers={str(key): str(value) for key, value in (check.headers or {}).items()}))
    if problems:
        raise StackError("\n".join(problems))
    return parsed


def watch(probe, deadline, clock, sleep, fetch):
    """Repeats one probe. `clock` counts seconds since the start; `fetch(check, timeout)` returns an Answer or "
    "raises Unanswered."""
    while clock() < deadline:
        try:
            answer = fetch(probe.check, min(probe.check.timeout, deadline - clock()))
        except Unanswered as exc:
            answer = exc
        probe.observe(round(clock(), 3), answer)
        remaining = deadline - clock()
        if probe.passed or remaining <= 0:
            return
        sleep(min(probe.check.interval, remaining))


def watch_all(checks, deadline, clock, sleep, fetch, redact=str):
    """All probes at once, one thread each; returns them when every one has passed or the deadline is over."""
    probes = [Probe(check, redact) for check in checks]
    threads = [
        threading.Thread(target=watch, args=(probe, deadline, clock, sleep, fetch), daemon=True) for probe in probes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        # A name server that does not answer holds a fetch up beyond its timeout: it is not waited for.
        thread.join(max(0, deadline - clock()) + GRACE)
    return probes


def failure(stack, probes, seconds):
    """What to tell when not every probe has passed; None when all have."""
    failed = [probe for probe in probes if not probe.passed]
    if not failed:
        return None
    lines = ["stack %s: %d of %d checks did not pass within %.1f s" % (stack, len(failed), len(probes), seconds)]
    for probe in failed:
        lines.append(
            "check %s: %s: %s (%d tries): %s"
            % (probe.check.name, probe.check.url, probe.last, probe.tries, probe.remedy())
        )
    return "\n".join(lines)
