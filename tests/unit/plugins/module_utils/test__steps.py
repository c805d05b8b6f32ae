# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._steps import limit, step_of, verdict
from hypothesis import given
from hypothesis import strategies as st

RECORD = {
    "name": "migrate",
    "service": "api",
    "command": ["x"],
    "when": "before",
    "timeout": 60,
    "rerun": False,
    "check": None,
    "once": False,
    "dump": None,
    "schema": "auto",
    "schema_command": None,
}
STEP = step_of(RECORD)
WELL = {"started": "1", "ended": "2", "exit_code": 0}
BADLY = {"started": "1", "ended": "2", "exit_code": 1}
OPEN = {"started": "1", "ended": None, "exit_code": None}
KILLED = {"started": "1", "ended": None, "exit_code": 137}


@pytest.mark.parametrize(
    ("own", "latest", "changes", "action"),
    [
        (None, None, {}, "run"),
        (WELL, WELL, {}, "already_ran"),
        (BADLY, BADLY, {}, "run"),
        (OPEN, OPEN, {}, "refuse"),
        (KILLED, KILLED, {}, "refuse"),
        (OPEN, OPEN, {"rerun": True}, "run"),
        (OPEN, OPEN, {"check": ["x"]}, "ask"),
        # Who says that it may run again need not be asked.
        (OPEN, OPEN, {"rerun": True, "check": ["x"]}, "run"),
        # What another release left, which the step of this one is to work on.
        (None, OPEN, {}, "refuse"),
        (BADLY, OPEN, {}, "refuse"),
        (None, OPEN, {"check": ["x"]}, "ask"),
        (None, WELL, {}, "run"),
        (WELL, OPEN, {}, "already_ran"),
        # What all hosts share another host may have worked on.
        (None, None, {"once": True, "check": ["x"]}, "ask"),
        (BADLY, BADLY, {"once": True, "check": ["x"]}, "ask"),
        (OPEN, OPEN, {"once": True, "check": ["x"], "rerun": True}, "ask"),
        (WELL, WELL, {"once": True, "check": ["x"]}, "already_ran"),
        (None, None, {"once": True}, "run"),
    ],
)
def test_whether_a_step_is_to_run(own, latest, changes, action):
    assert verdict(STEP._replace(**changes), own, latest, True).action == action


ENTRIES = st.sampled_from([None, WELL, BADLY, OPEN, KILLED])


@given(ENTRIES, ENTRIES, st.booleans(), st.booleans(), st.booleans())
def test_nothing_that_completed_and_nothing_unknown_ever_simply_runs(own, latest, rerun, once, leader):
    judged = verdict(STEP._replace(rerun=rerun, once=once), own, latest or own, leader)
    if judged.action == "run":
        assert own is not WELL
        assert rerun or (latest or own) not in (OPEN, KILLED)
        assert leader or not once
    assert judged.reason


def test_all_that_takes_time_is_counted():
    full = step_of(
        dict(RECORD, dump={"service": "db", "database": "d", "user": "u"}, check=["true"], schema_command=["true"])
    )
    assert limit([full._replace(timeout=60)], 30) == 30 + 5 * 60 + 2 * 60
    assert limit([STEP._replace(timeout=60, check=None)], 30) == 30 + 60 + 60
    assert limit([], 30) == 30
