# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _probes
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._probes import (
    Answer,
    Probe,
    Unanswered,
    failure,
    parse,
    watch,
    watch_all,
)

OK = Answer(200, "all is well")
REFUSED = Unanswered("connection refused")


def check(**keys):
    defaults = {
        "name": "api",
        "url": "http://127.0.0.1:8000/",
        "status": 200,
        "timeout": 5.0,
        "interval": 1.0,
        "headers": {},
        "body": None,
    }
    return parse([dict(defaults, **keys)])[0]


class World:
    """Time passes only by sleeping and fetching; answers come from a list of (seconds it takes, answer), the "
    "last one for ever."""

    def __init__(self, *script):
        self.now = 0.0
        self.script = list(script)
        self.timeouts = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds

    def fetch(self, _check, timeout):
        self.timeouts.append(timeout)
        takes, answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if takes > timeout:
            takes, answer = timeout, Unanswered("no answer")
        self.now += takes
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def watch(self, deadline=60, **keys):
        probe = Probe(check(**keys))
        watch(probe, deadline, self.clock, self.sleep, self.fetch)
        return probe


def test_passes_at_the_first_try():
    probe = World((0.25, OK)).watch()
    assert probe.timeline(9) == {
        "name": "api",
        "first_failure": None,
        "first_success": 0.25,
        "tries": 1,
        "seconds": 0.25,
    }


def test_passes_late_and_tells_when_it_first_failed():
    probe = World((0.5, REFUSED), (0.5, Answer(503, "")), (0.5, OK)).watch(interval=2.0)
    assert probe.timeline(9) == {"name": "api", "first_failure": 0.5, "first_success": 5.5, "tries": 3, "seconds": 5.5}


def test_never_runs_over_the_deadline():
    world = World((100, OK))
    probe = world.watch(deadline=7, timeout=5, interval=1)
    assert world.timeouts == [5, 1] and world.now == 7
    assert not probe.passed and probe.tries == 2 and probe.timeline(7)["seconds"] == 7
    world = World((0, REFUSED))
    assert world.watch(deadline=2.5, interval=1).tries == 3 and world.now == 2.5


def test_an_answer_at_the_deadline_still_counts():
    assert World((3, OK)).watch(deadline=3).passed


@pytest.mark.parametrize(
    ("answer", "keys", "objection"),
    [
        (Answer(500, "  Traceback:\n boom "), {}, "status 500 instead of 200, body: Traceback: boom"),
        (Answer(302, ""), {}, "status 302 instead of 200, body: (empty)"),
        (Answer(200, "x"), {"status": 204}, "status 200 instead of 204"),
        (
            Answer(200, "database: down"),
            {"body": "database: ok"},
            "status 200, but the body does not match 'database: ok': database: down",
        ),
        (Answer(500, "database: ok"), {"body": "database: ok"}, "status 500"),
        (REFUSED, {}, "connection refused"),
    ],
)
def test_what_does_not_pass_and_what_is_said(answer, keys, objection):
    probe = World((0, answer)).watch(deadline=1, **keys)
    assert not probe.passed and objection in probe.last
    text = failure("selflink", [probe], 1)
    assert text.startswith(
        "stack selflink: 1 of 1 checks did not pass within 1.0 s\ncheck api: http://127.0.0.1:8000/: " + probe.last
    )
    remedy = "see whether the service runs" if answer is REFUSED else "something answers there"
    assert remedy in text


def test_body_is_searched_and_excerpts_are_short():
    assert World((0, Answer(200, 'x\n{"a": "ok"}'))).watch(body='"a": *"ok"').passed
    assert len(World((0, Answer(500, "y" * 9999))).watch(deadline=1).last) < 300


def test_failure_names_only_what_failed():
    good, bad = World((0, OK)).watch(name="good"), World((0, REFUSED)).watch(name="bad", deadline=1)
    text = failure("s", [good, bad], 1)
    assert "1 of 2" in text and "check bad" in text and "good" not in text
    assert failure("s", [good], 1) is None


def test_all_at_once_in_order_and_a_fetch_that_hangs_is_left_behind(monkeypatch):
    import threading
    import time

    monkeypatch.setattr(_probes, "GRACE", 0.05)
    hang = threading.Event()

    def fetch(one, _timeout):
        if one.name == "hangs":
            hang.wait(30)
        time.sleep(0.2)
        return OK

    start = time.monotonic()
    checks = [check(name=name) for name in ("hangs", "b", "a")]
    probes = watch_all(checks, 0.3, lambda: time.monotonic() - start, time.sleep, fetch)
    took = time.monotonic() - start
    hang.set()
    assert [probe.check.name for probe in probes] == ["hangs", "b", "a"]
    assert [probe.passed for probe in probes] == [False, True, True]
    assert "check hangs: http://127.0.0.1:8000/: no answer yet (0 tries)" in failure("s", probes, 0.3)
    assert took < 2


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"url": "127.0.0.1:8000"}, "not an http or https address"),
        ({"url": "ftp://x/"}, "not an http or https address"),
        ({"url": "http://x/a b"}, "not an http or https address"),
        ({"url": "http://user:pw@x/"}, "may hold no credentials"),
        ({"status": 99}, "status 99 is not an HTTP status"),
        ({"timeout": 0}, "must be greater than 0"),
        ({"interval": -1}, "must be greater than 0"),
        ({"body": "("}, "is not a regular expression"),
    ],
)
def test_wrong_checks_are_refused(keys, expected):
    with pytest.raises(StackError) as caught:
        check(**keys)
    assert "check 'api': " in str(caught.value) and expected in str(caught.value)
    assert "user:pw" not in str(caught.value)


def test_all_problems_are_told_at_once():
    one = check()._asdict()
    with pytest.raises(StackError) as caught:
        parse([one, dict(one, status=1, timeout=0)])
    assert "is there twice" in str(caught.value) and len(str(caught.value).splitlines()) == 3
