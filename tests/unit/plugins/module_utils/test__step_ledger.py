# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._step_ledger import StepLedger, last_of
from hypothesis import given
from hypothesis import strategies as st

RELEASE = "0" * 16


@pytest.fixture
def ledger(tmp_path):
    return StepLedger(ReleaseStore(str(tmp_path / "demo")), RELEASE)


def test_entries_come_back_in_order_and_only_root_reads_them(ledger, tmp_path):
    ledger.begin("b", "t1", "token", {"db/a": "1"}, None)
    ledger.end("b", "t2", 0, ["said"], {"db/a": "2"})
    ledger.begin("a", "t3", "token", None, "/dump")
    first, second = ledger.entries()
    assert first == {
        "step": "b",
        "started": "t1",
        "ended": "t2",
        "exit_code": 0,
        "output": ["said"],
        "schema_before": {"db/a": "1"},
        "schema_after": {"db/a": "2"},
        "dump": None,
        "run": "token",
    }
    assert (second["step"], second["ended"], second["dump"]) == ("a", None, "/dump")
    state = tmp_path / "demo" / "releases" / RELEASE / "state"
    assert os.listdir(state) == ["steps.json"]
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "steps.json").stat().st_mode & 0o777 == 0o600


def test_the_last_attempt_is_the_one_that_ends(ledger):
    ledger.begin("a", "t1", "", None, None)
    ledger.end("a", "t2", 1, [], None)
    ledger.begin("a", "t3", "", None, None)
    ledger.ended_from_outside("a", 137, ["x"])
    assert [(entry["ended"], entry["exit_code"]) for entry in ledger.entries()] == [("t2", 1), (None, 137)]


def test_an_attempt_that_never_was_is_forgotten(ledger):
    ledger.begin("a", "t1", "", None, None)
    ledger.end("a", "t2", 1, [], None)
    ledger.begin("a", "t3", "", None, None)
    ledger.forget("a")
    assert ledger.last("a")["started"] == "t1"


def test_a_dump_belongs_to_one_attempt(ledger):
    ledger.begin("a", "t1", "", None, "/dump")
    ledger.begin("b", "t1", "", None, "/other")
    ledger.begin("a", "t2", "", None, "/dump")
    assert [entry["dump"] for entry in ledger.entries()] == [None, "/other", "/dump"]
    ledger.begin("a", "t3", "", None, None)
    assert [entry["dump"] for entry in ledger.entries()] == [None, "/other", "/dump", None]


def test_what_is_undone_counts_as_not_run(ledger):
    for step in ("a", "b"):
        ledger.begin(step, "t1", "", None, None)
        ledger.end(step, "t2", 0, [], None)
    assert ledger.undo(lambda index, _entry: index == 1, "t9") == ["b"]
    assert ledger.last("a")
    assert ledger.last("b") is None
    assert ledger.undo(lambda index, _entry: index == 1, "t10") == []
    assert ledger.entries()[1]["undone"] == "t9"


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_what_was_not_written_there_is_refused_with_the_file(ledger, tmp_path, text):
    file = tmp_path / "demo" / "releases" / RELEASE / "state" / "steps.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(StackError, match="stack demo.*steps.json.*Remedy"):
        ledger.entries()


@given(st.lists(st.text(max_size=200), max_size=120))
def test_the_end_of_the_output_is_kept_and_not_more_than_is_worth_it(lines):
    kept = last_of(lines)
    assert len(kept) <= 50
    assert sum(map(len, kept)) <= 4096
    assert not lines or kept[-1] == lines[-1]
    assert all(line.endswith(end) for line, end in zip(reversed(lines), reversed(kept)))
