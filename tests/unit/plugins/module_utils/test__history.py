# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._history import History, event, interrupted_event, unfinished
from ansible_collections.portside.stack.plugins.module_utils._lease import Lease
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = 1764329554.0
STAGES = [{"stage": "release", "seconds": 1.0, "failed": False}]
LEASE = Lease("a", "deploy", "alice", "laptop", 41, "x", NOW - 61.26, NOW + 60, STAGES, "boot")


def started(run="a", **fields):
    return dict({"event": "started", "run": run, "action": "deploy", "time": "2025-01-01T00:00:00Z"}, **fields)


def end(run="a", kind="deployed"):
    return {"event": kind, "run": run}


def test_events_are_read_back_in_order(tmp_path):
    history = History(str(tmp_path))
    assert history.read() == []
    events = [started(why="größer\nand wider"), end()]
    for one in events:
        history.append(one)
    assert history.read() == events
    path = tmp_path / "history.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().count(b"\n") == 2
    assert b" " not in path.read_bytes().replace(b"and wider", b"")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 60), texts=st.lists(st.text(), min_size=1, max_size=4))
def test_a_line_that_was_cut_short_costs_that_line_only(tmp_path, cut, texts):
    path = tmp_path / "history.jsonl"
    path.unlink(missing_ok=True)
    history = History(str(tmp_path))
    for text in texts:
        history.append(started(why=text))
    size = path.stat().st_size
    last = len(path.read_bytes().splitlines(keepends=True)[-1])
    os.truncate(path, size - min(cut, last))
    history.append(end())
    # Only the newline is missing where one byte was cut.
    whole = texts if cut == 1 else texts[:-1]
    assert history.read() == [*(started(why=text) for text in whole), end()]


@pytest.mark.parametrize("line", ["[]", "1", "{}", "\0\0\0\0", '"event"', ""])
def test_lines_that_are_no_events_are_left_out(tmp_path, line):
    (tmp_path / "history.jsonl").write_text(line + "\n" + json.dumps(end()) + "\n")
    assert History(str(tmp_path)).read() == [end()]


def test_an_event_tells_of_its_run():
    assert event("deployed", "deploy", LEASE, NOW, stack="demo", release="1" * 16, previous="") == {
        "time": "2025-11-28T11:32:34Z",
        "event": "deployed",
        "action": "deploy",
        "run": "a",
        "who": "alice",
        "from": "laptop",
        "stages": STAGES,
        "seconds": 61.3,
        "stack": "demo",
        "release": "1" * 16,
        "previous": "",
    }
    alone = event("deployed", "deploy", None, NOW)
    assert (alone["run"], alone["who"], alone["stages"], alone["seconds"]) == ("", "", [], None)


@pytest.mark.parametrize(
    "events, expected",
    [
        ([], None),
        ([end()], None),
        ([started()], "a"),
        ([started(), end()], None),
        ([started(), end(kind="interrupted")], None),
        ([started(), end("b")], "a"),
        ([started(), started("b"), end("b")], None),
        ([started(), end(), started("b")], "b"),
        ([started(""), end(""), started("")], ""),
        ([started(), {"event": "something new", "run": "a"}], "a"),
    ],
)
def test_what_is_unfinished(events, expected):
    found = unfinished(events)
    assert (found and found["run"]) == expected


@pytest.mark.parametrize(
    "lease, error, stages",
    [
        (None, "the run was cut off", []),
        (LEASE._replace(token="b"), "the run was cut off", []),
        (LEASE._replace(stages=[]), "the run was cut off", []),
        (LEASE, "the run was cut off after the stage release", STAGES),
    ],
)
def test_the_end_that_a_run_did_not_write(lease, error, stages):
    first = event("started", "rollback", LEASE, NOW - 60, stack="demo", release="1" * 16, why="it leaks")
    last = interrupted_event(first, lease, NOW)
    assert (last["time"], last["event"], last["error"]) == ("2025-11-28T11:32:34Z", "interrupted", error)
    assert (last["stages"], last["seconds"]) == (stages, None)
    kept = ("action", "run", "who", "from", "stack", "release", "why")
    assert {key: last[key] for key in kept} == {key: first[key] for key in kept}
    assert unfinished([first, last]) is None


def test_the_stage_in_which_it_was_killed_is_told():
    killed = {"stage": "activate", "seconds": None, "failed": True}
    last = interrupted_event(started(), LEASE._replace(stages=[*STAGES, killed]), NOW)
    assert last["error"] == "the run was cut off in the stage activate"
