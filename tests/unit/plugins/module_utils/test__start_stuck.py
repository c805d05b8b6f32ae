# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._start_stuck import StuckStart
from start_world import EVER, HEALTHY, PLAIN, STARTED, Fate, go, healthy, runs, service

SECRET = "s3cret-value"


def told(services, fates, timeout=300):
    stuck, lines = StuckStart(lambda text: text.replace(SECRET, "[secret db]")), []
    go(services, fates, timeout=timeout, watch=lambda machine: lines.extend(stuck.look(machine)))
    return lines


def starting(until, probe):
    return Fate((until, {"health": "starting", "probe": probe}), (EVER, {"health": "healthy"}))


def test_a_stuck_start_says_what_it_waits_for_and_who_is_behind():
    services = [service("db"), service("pool", db=HEALTHY), service("api", pool=STARTED)]
    lines = told(services, {"db": starting(24.0, "exit 1: no\nresponse"), "pool": healthy(), "api": healthy()})
    assert lines == [
        "  10.5s  waits for db (healthy): starting for 10 s, last probe: exit 1: no response; behind it: pool, api",
        "  20.5s  waits for db (healthy): starting for 20 s, last probe: exit 1: no response; behind it: pool, api",
    ]


def test_it_is_told_ever_less_often():
    lines = told([service("db")], {"db": starting(EVER, "")}, timeout=250)
    assert [float(line.partition("s")[0]) for line in lines] == [10.5, 20.5, 40.5, 80.5, 140.5, 200.5]


def test_what_changes_begins_the_wait_anew():
    lines = told([service("db"), service("other")], {"db": starting(15.0, ""), "other": starting(8.0, "")})
    # The other one is healthy at 8.5 s.
    assert not lines
    lines = told([service("db"), service("other")], {"db": starting(20.0, ""), "other": starting(8.0, "")})
    assert [line.split(":")[0] for line in lines] == ["  18.5s  waits for db (healthy)"]


def test_no_secret_is_told_whole_or_in_part():
    (line,) = told([service("db")], {"db": starting(15.0, "exit 1: " + "x" * 145 + SECRET + " again " + SECRET)})
    assert "s3c" not in line and "[secret" in line


def test_each_one_that_is_awaited_has_a_line_and_says_for_what():
    services = [service("load", oneshot=True), service("slow"), service("plain", slow=STARTED)]
    lines = told(services, {"load": runs(15.0), "slow": Fate((EVER, {}), work=12.0), "plain": PLAIN})
    assert lines == [
        "  10.5s  waits for load (completed): running for 10 s",
        "  10.5s  waits for slow (running): docker compose is at work on it for 10 s; behind it: plain",
    ]


def test_a_start_that_goes_on_says_nothing():
    services = [service("a"), service("b", a=HEALTHY), service("c", b=HEALTHY)]
    assert told(services, {name: healthy(8.0) for name in "abc"}) == []
