# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _check_watch
from ansible_collections.portside.stack.plugins.module_utils._check_rules import parse
from ansible_collections.portside.stack.plugins.module_utils._check_watch import Story, failure, watch, watch_all
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection
from hypothesis import given
from hypothesis import strategies as st

REFUSED = Objection("connection refused", remedy="start it")


def check(**keys):
    return parse([dict({"name": "api", "url": "http://127.0.0.1:8000/"}, **keys)])[0]


class World:
    """Time passes only by sleeping and trying; tries come from a list of (seconds it takes, objection), the last one for ever."""

    def __init__(self, *script):
        self.now = 0.0
        self.script = list(script)
        self.timeouts = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds

    def attempt(self, _check, timeout):
        self.timeouts.append(timeout)
        takes, objection = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if takes > timeout:
            takes, objection = timeout, Objection("no answer")
        self.now += takes
        if objection:
            raise objection

    def watch(self, deadline=60, redact=str, **keys):
        story = Story(check(**keys), redact)
        watch(story, deadline, self.clock, self.sleep, self.attempt)
        return story


def test_passes_at_the_first_try():
    assert World((0.25, None)).watch().timeline(9) == {
        "name": "api",
        "kind": "http",
        "passed": True,
        "first_failure": None,
        "first_success": 0.25,
        "failures": 0,
        "tries": 1,
        "seconds": 0.25,
        "last": "",
        "story": "passed at once",
    }


def test_a_slow_start_is_told_from_a_dead_and_from_an_unsteady_service():
    slow = World((0.5, REFUSED), (0.5, Objection("status 503")), (0.5, None)).watch(interval=2.0).timeline(9)
    assert (slow["first_failure"], slow["first_success"], slow["failures"], slow["tries"], slow["seconds"]) == (0.5, 5.5, 2, 3, 5.5)
    assert slow["story"] == "slow start: passed after 5.5 s, 2 tries failed before" and slow["last"] == "status 503"
    dead = World((0, REFUSED)).watch(deadline=3).timeline(3)
    assert not dead["passed"] and dead["first_success"] is None and dead["seconds"] == 3
    assert dead["story"] == "dead: never passed in 3.0 s (3 tries)"
    unsteady = World((0, None), (0, REFUSED), (0, None), (0, REFUSED)).watch(deadline=5, successes=2).timeline(5)
    assert not unsteady["passed"] and unsteady["first_success"] == 0 and unsteady["first_failure"] == 1
    assert unsteady["story"] == "unsteady: 2 of 5 tries passed in 5.0 s, but not 2 in a row"


def test_successes_count_in_a_row():
    story = World((0, None), (0, None), (0, REFUSED), (0, None)).watch(successes=3, interval=1.0)
    assert story.passed_at == 5 and story.tries == 6 and story.first_success == 0 and story.failures == 1


def test_never_runs_over_the_deadline():
    world = World((100, None))
    story = world.watch(deadline=7, timeout=5, interval=1)
    assert world.timeouts == [5, 1] and world.now == 7
    assert not story.passed and story.tries == 2 and story.timeline(7)["seconds"] == 7
    world = World((0, REFUSED))
    assert world.watch(deadline=2.5, interval=1).tries == 3 and world.now == 2.5
    assert World((3, None)).watch(deadline=3).passed, "an answer at the deadline still counts"


def test_a_try_that_the_deadline_cuts_short_hides_nothing_that_is_known():
    late = Objection("no answer in time", late=True)
    assert World((4, Objection("status 500")), (1, late)).watch(deadline=6, timeout=5).last == "status 500"
    assert World((1, REFUSED), (1, late)).watch(deadline=30, timeout=5).last == "no answer in time"
    assert World((1, late)).watch(deadline=2, timeout=5).last == "no answer in time"
    assert World((4, REFUSED), (0, Objection("status 500"))).watch(deadline=6, timeout=5).last == "status 500"


def test_what_hangs_is_not_waited_for_one_after_the_other(monkeypatch):
    monkeypatch.setattr(_check_watch, "GRACE", 0.3)
    hang, start = threading.Event(), time.monotonic()
    stories = watch_all([check(name=str(index)) for index in range(20)], 0.1, lambda: time.monotonic() - start, time.sleep, lambda *_try: hang.wait(30))
    took = time.monotonic() - start
    hang.set()
    assert took < 3 and not any(story.passed for story in stories)


def test_what_is_said_has_an_excerpt_of_what_was_seen_without_secrets():
    def said(objection, redact=str):
        return World((0, objection)).watch(deadline=1, redact=redact).last

    assert said(Objection("status 500, body", "  Traceback:\n boom ")) == "status 500, body: Traceback: boom"
    assert said(Objection("status 302, body", "")) == "status 302, body: (empty)"
    assert said(Objection("connection refused")) == "connection refused"
    long = said(Objection("body", "y" * 190 + "hunter2hunter2"), lambda text: text.replace("hunter2hunter2", "[secret]"))
    assert "hunter2" not in long and len(long) < 300
    assert said(Objection("it is hunter2", "x"), lambda text: text.replace("hunter2", "***")) == "it is ***: x"


def test_failure_names_what_failed_with_the_remedy():
    bad = World((0, REFUSED)).watch(name="bad", deadline=1)
    assert bad.not_passed(1) == {
        "name": "bad",
        "kind": "http",
        "what": "http://127.0.0.1:8000/: connection refused: dead: never passed in 1.0 s (1 try)",
        "remedy": "start it",
    }
    text = failure("s", 2, [bad.not_passed(1)], 1)
    assert text.splitlines()[0] == "stack s: 1 of 2 checks did not pass within 1.0 s"
    assert text.splitlines()[1] == "check bad: {what}. Remedy: start it.".format(**bad.not_passed(1))


def test_all_at_once_in_order_and_a_try_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(_check_watch, "GRACE", 0.05)
    hang = threading.Event()

    def attempt(one, _timeout):
        if one.name == "hangs":
            hang.wait(30)
        time.sleep(0.2)
        if one.name == "hopeless":
            raise REFUSED

    start = time.monotonic()
    checks = [check(name="hangs"), check(name="b"), check(name="a"), check(name="hopeless", deadline=0.3, interval=0.01), check(name="late", deadline=5)]
    stories = watch_all(checks, 0.3, lambda: time.monotonic() - start, time.sleep, attempt)
    took = time.monotonic() - start
    hang.set()
    assert [story.check.name for story in stories] == ["hangs", "b", "a", "hopeless", "late"]
    assert [story.passed for story in stories] == [False, True, True, False, True]
    assert stories[0].not_passed(0.3)["what"].startswith("http://127.0.0.1:8000/: no answer yet: dead")
    assert took < 2


def test_a_deadline_of_its_own_is_heeded():
    world = World((0, REFUSED))
    stories = watch_all([check(deadline=3)], 60, world.clock, world.sleep, world.attempt)
    assert world.now == 3 and stories[0].timeline(60)["seconds"] == 3


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 4))
def test_whatever_happens_the_figures_fit_together(outcomes, successes):
    world = World(*[(0.1, None if good else REFUSED) for good in outcomes])
    line = world.watch(deadline=30, successes=successes, interval=0.1).timeline(30)
    assert line["failures"] <= line["tries"] and (line["first_failure"] is None) == (line["failures"] == 0) == (line["last"] == "")
    assert (line["first_success"] is None) == (line["failures"] == line["tries"])
    assert not line["passed"] or line["tries"] - line["failures"] >= successes
    said = "dead" if line["first_success"] is None else "unsteady"
    if line["passed"]:
        said = "slow start" if line["failures"] else "passed at once"
    assert line["story"].split(":")[0] == said


@pytest.mark.parametrize("fails", [True, False])
def test_many_stories_are_kept_apart(fails):
    def attempt(one, _timeout):
        if fails and int(one.name) % 2:
            raise REFUSED

    start = time.monotonic()
    stories = watch_all([check(name=str(index)) for index in range(40)], 0.2, lambda: time.monotonic() - start, time.sleep, attempt)
    assert [story.passed for story in stories] == [not (fails and index % 2) for index in range(40)]
