# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._heal_rules import (
    GIVEN_UP,
    HEALED,
    LOOP,
    LOOP_OVER,
    LOOPS,
    MOST,
    STEADY,
    WAITS,
    Memory,
    Seen,
    begun,
    delay,
    judge,
)
from hypothesis import example, given
from hypothesis import strategies as st

WEB = Seen("id", "demo", "web", "demo-web-1", "healthy", why="sick", attempts=5)
STATES = ("healthy", "unhealthy", "starting", "running", "exited", "restarting", "paused")


class Life:
    """A container through time, and what is told of it and done for it."""

    def __init__(self):
        self.now, self.memory, self.told, self.restarts = 1000.0, None, [], []

    def is_(self, state, after=0.0, **keys):
        self.now += after
        step = judge(self.memory, WEB._replace(state=state, **keys), self.now)
        self.memory = step.memory
        self.told += [step.tell] if step.tell else []
        if step.restart:
            self.memory = begun(self.memory, self.now)
            self.restarts.append(self.now)
        return step

    def fails(self, seconds=60.0):
        """It starts, fails, and is restarted; answers how long that was waited for."""
        self.is_("starting", 1)
        self.is_("unhealthy", seconds)
        since, known = self.now, len(self.restarts)
        while len(self.restarts) == known and not self.memory.given_up:
            self.is_("unhealthy", 1)
        return self.now - since


def test_the_first_restart_is_at_once_and_each_next_one_waits_longer():
    life = Life()
    life.is_("healthy")
    assert life.is_("unhealthy", 30).restart
    assert life.is_("unhealthy", 1).restart is False
    life = Life()
    life.is_("unhealthy")
    assert [life.fails() for _time in range(5)] == [10, 20, 40, 80, 0]
    assert (life.told, life.memory.given_up, life.memory.restarts) == ([WAITS] * 4 + [GIVEN_UP], True, 5)
    life.is_("unhealthy", 10**6)
    assert (len(life.restarts), life.told[-1]) == (5, GIVEN_UP)
    assert [delay(number) for number in (0, 1, 2, 5, 6, 7, 10**6)] == [0, 10, 20, 160, 300, 300, 300]


def test_one_that_was_healthy_for_long_starts_anew():
    life = Life()
    life.is_("unhealthy")
    life.is_("healthy", 10)
    life.is_("healthy", STEADY - 1)
    assert (life.memory.restarts, life.told) == (1, [HEALED])
    life.is_("healthy", 1)
    assert (life.memory.restarts, life.memory.noteworthy) == (0, False)
    assert life.is_("unhealthy", 1).restart


def test_one_that_is_healthy_for_a_moment_does_not():
    life = Life()
    life.is_("unhealthy")
    for number in range(1, 5):
        life.is_("healthy", 30)
        assert not life.is_("unhealthy", STEADY - 31).restart
        assert life.is_("unhealthy", delay(number)).restart
    life.is_("healthy", 30)
    life.is_("unhealthy", 30)
    assert life.memory.given_up and len(life.restarts) == 5


def test_one_that_was_given_up_and_recovers_by_itself_starts_anew():
    life = Life()
    life.is_("unhealthy")
    while not life.memory.given_up:
        life.fails()
    life.told.clear()
    life.is_("healthy", 1000)
    assert (life.told, life.memory.noteworthy) == ([HEALED], False)
    assert life.is_("unhealthy", 5).restart


def test_a_restart_that_waits_is_off_when_it_recovers():
    life = Life()
    life.is_("unhealthy")
    life.is_("unhealthy", 60)
    assert life.memory.next == life.now + 10
    life.is_("healthy", 5)
    assert (life.memory.next, life.told) == (None, [WAITS, HEALED])
    # Stopped by a person, it is left so.
    life.is_("unhealthy", 60)
    life.is_("exited", 1)
    assert (life.memory.next, life.is_("exited", 1000).restart) == (None, False)


def test_one_that_our_restart_left_stopped_is_tried_again_and_one_that_was_stopped_later_is_not():
    life = Life()
    life.is_("unhealthy")
    life.memory = life.memory._replace(failed=True)
    assert not life.is_("exited", 1).restart
    assert life.is_("exited", 10).restart
    life.memory = life.memory._replace(failed=True)
    life.is_("running", 1)
    assert not life.is_("exited", 1000).restart


def test_a_loop_of_the_engine_s_own_is_told_once_and_left_to_it():
    life = Life()
    life.is_("restarting", restarts=30)
    for number in range(1, LOOP + 1):
        assert life.told == []
        life.is_("restarting", 10, restarts=30 + number)
    assert (life.told, life.memory.looping) == ([LOOPS], True)
    assert "restarted it 5 times within 50 s" in life.memory.why
    for number in range(100):
        assert not life.is_("unhealthy", 60, restarts=40 + number).restart
    assert life.told == [LOOPS]
    life.is_("running", STEADY, restarts=139)
    life.is_("running", STEADY, restarts=139)
    assert (life.told, life.memory.noteworthy) == ([LOOPS, LOOP_OVER], False)


def test_a_loop_is_over_when_somebody_restarted_it():
    life = Life()
    life.is_("restarting")
    life.is_("restarting", 1, restarts=LOOP)
    life.is_("starting", 1, restarts=0)
    assert (life.memory.looping, life.told) == (False, [LOOPS])


def test_a_few_restarts_now_and_then_are_no_loop():
    life = Life()
    for number in range(100):
        life.is_("running", STEADY / 4, restarts=number)
    assert life.told == []


def test_a_clock_that_is_set_back_holds_nothing_up():
    life = Life()
    life.is_("unhealthy")
    life.is_("unhealthy", 60)
    life.now -= 10**6
    life.is_("unhealthy")
    assert life.is_("unhealthy", MOST).restart


@given(st.lists(st.tuples(st.sampled_from(STATES), st.floats(0.1, 2000), st.integers(0, 2)), max_size=150), st.integers(1, 6))
@example([("healthy", 1.0, 0), ("healthy", 1.0, LOOP), ("unhealthy", STEADY, 0)], 1)
def test_whatever_happens_nothing_is_hammered(moments, attempts):
    life, counted, since_anew, told_given_up = Life(), 0, 0, 0
    for state, seconds, more in moments:
        counted += more
        before = life.memory or Memory(0, 0)
        step = life.is_(state, seconds, restarts=counted, attempts=attempts)
        if not step.memory.restarts:
            since_anew = told_given_up = 0
        since_anew += step.restart
        told_given_up += step.tell == GIVEN_UP
        assert since_anew <= attempts and told_given_up <= 1
        if step.restart:
            assert state == "unhealthy" and not before.given_up and not step.memory.looping
            # It failed so long before, and stayed so.
            assert not before.restarts or before.next is not None
        # That a loop is over is told alone; what it needs then, the next look says.
        if state == "unhealthy" and not step.restart and not life.memory.looping and step.tell != LOOP_OVER:
            # There is always an end: it is restarted, or told.
            assert life.memory.given_up or life.memory.next is not None and life.now < life.memory.next <= life.now + MOST
        assert life.memory.next is None or state == "unhealthy"


@given(st.floats(1, 500), st.integers(1, 8))
def test_there_is_time_between_the_restarts_however_often_it_is_looked_at(every, attempts):
    life = Life()
    while not life.memory or not life.memory.given_up:
        life.is_("unhealthy", every, attempts=attempts)
    assert len(life.restarts) == attempts
    gaps = [later - earlier for earlier, later in zip(life.restarts, life.restarts[1:])]
    assert all(gap >= delay(number) for number, gap in enumerate(gaps, 1)), gaps


@pytest.mark.parametrize("state", [one for one in STATES if one != "unhealthy"])
def test_only_what_is_unhealthy_is_restarted(state):
    life = Life()
    assert not any(life.is_(state, 60).restart for _time in range(100))
