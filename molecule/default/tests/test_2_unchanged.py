"""A second run, with nothing new in the declaration."""

from __future__ import annotations

import re


def test_it_changes_nothing_restarts_nothing_and_costs_few_remote_executions(site, containers):
    before = containers()
    done = site()
    assert done.code == 0, done.output
    assert done.recap["changed"] == 0
    assert containers() == before

    # Every exec_command and put_file of the ssh connection says so at -vvv.
    executions = len(re.findall(r"ESTABLISH SSH CONNECTION FOR USER", done.output)) + len(
        re.findall(r"> PUT .* TO ", done.output)
    )
    print("remote executions of a no-op: %d" % executions)
    assert 0 < executions <= 22


def test_check_mode_reports_no_change(site, containers):
    before = containers()
    done = site("--check")
    assert done.code == 0, done.output
    assert done.recap["changed"] == 0
    assert containers() == before
