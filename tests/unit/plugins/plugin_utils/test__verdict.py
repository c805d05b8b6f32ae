# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean, drifted or broken, and why."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._verdict import verdict

STACKS = [{"name": "shop", "release": "0" * 16, "checks": 2, "under_way": ""}]
DRIFT = {"stacks": STACKS, "differences": []}
CHECKED = [{"item": "shop", "not_passed": [], "timeline": []}]
EXPOSURE = {"violations": [], "text": "PORT  OWNER"}
PROBED = {"violations": [], "text": "From the controller: 1 open."}


def judged(drift=None, checks=None, exposure=None, probed=None):
    return verdict("web1", drift or DRIFT, CHECKED if checks is None else checks, exposure or EXPOSURE, probed or PROBED)


def difference(broken):
    keys = {"stack": "shop", "service": "api", "kind": "limit", "what": "memory limit is 1 GiB instead of 512 MiB"}
    return dict(keys, declared="512 MiB", found="1 GiB", remedy="run site.yml", broken=broken)


def violation(rule, severity="high"):
    return {"rule": rule, "severity": severity, "what": "tcp 0.0.0.0:5432: db.", "why": "It is not declared.", "remedy": "Declare it."}


def test_nothing_wrong_is_clean_and_tells_who_is_reached():
    found = judged()
    assert found.name == "clean" and found.findings == []
    assert found.lines[0].startswith("web1: CLEAN: ")
    assert "stack shop: release 0000000000000000, 2 of 2 checks pass" in found.lines
    assert found.lines[-2:] == ["PORT  OWNER", "From the controller: 1 open."]


def test_each_difference_comes_with_its_remedy_and_what_is_broken_first():
    found = judged(dict(DRIFT, differences=[difference(False), dict(difference(True), what="is exited (137)")]))
    assert found.name == "broken"
    assert found.lines[:5] == [
        "web1: BROKEN: users are affected, or nobody can tell (1 broken, 1 other differences)",
        "  [broken] stack shop: service api: is exited (137)",
        "    Remedy: run site.yml",
        "  [differs] stack shop: service api: memory limit is 1 GiB instead of 512 MiB",
        "    Remedy: run site.yml",
    ]


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"drift": dict(DRIFT, differences=[difference(False)])}, "drifted"),
        ({"drift": dict(DRIFT, differences=[difference(True)])}, "broken"),
        ({"drift": {"msg": "no engine", "failed": False}}, "broken"),
        ({"checks": [{"item": "shop", "not_passed": [{"name": "api", "kind": "url", "what": "503", "remedy": "look"}]}]}, "broken"),
        ({"checks": [{"item": "shop", "msg": "crashed", "failed": False}]}, "broken"),
        ({"exposure": dict(EXPOSURE, violations=[violation("undeclared_port")])}, "drifted"),
        ({"exposure": dict(EXPOSURE, violations=[violation("missing", "low")])}, "broken"),
        ({"exposure": {"msg": "no nft", "failed": False}, "probed": {"skipped": True}}, "drifted"),
        ({"probed": dict(PROBED, violations=[violation("reachable_from_outside")])}, "drifted"),
        ({"probed": dict(PROBED, violations=[violation("not_reachable_from_outside", "medium")])}, "broken"),
        ({"probed": {"msg": "no network", "failed": False}}, "drifted"),
    ],
)
def test_what_users_suffer_from_or_nobody_can_tell_is_broken_and_all_else_drifted(keys, name):
    found = judged(**keys)
    assert found.name == name
    assert len(found.findings) == 1 and found.findings[0].remedy


def test_a_check_that_does_not_pass_is_counted():
    found = judged(checks=[{"item": "shop", "not_passed": [{"name": "api", "kind": "url", "what": "answered 503", "remedy": "see its log"}]}])
    assert "stack shop: release 0000000000000000, 1 of 2 checks pass" in found.lines
    assert "  [broken] stack shop: check api: answered 503" in found.lines


def test_somebody_at_work_is_told_of():
    found = judged(dict(DRIFT, stacks=[dict(STACKS[0], under_way="deploy, ann")]))
    assert any("deploy, ann" in line for line in found.lines)
