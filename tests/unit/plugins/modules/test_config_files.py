# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.portside.stack.plugins.modules import config_files
from module_runner import run_module

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="files are owned by root unless said otherwise")


@pytest.fixture(name="run")
def run_fixture(capsys):
    return lambda check=False, diff=False, **arguments: run_module(config_files.main, capsys, arguments, check, diff)


def warnings(outcome):
    return "\n".join(outcome.warnings)


def test_check_mode_predicts_what_is_then_done_once(run, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "unlisted").write_text("x")
    top = str(tmp_path / "d")
    arguments = {
        "files": {
            top + "/b/f": {"content": "x\n", "owner": "65534", "mode": "0640"},
            top + "/a": {"content": "y", "validate": ["grep", "y", "%s"]},
        },
        "directories": {top + "/e": {}},
        "purge": [top],
    }
    predicted = run(check=True, diff=True, **arguments)
    assert os.listdir(top) == ["unlisted"]
    done = run(diff=True, **arguments)
    for key in ("changed", "changed_files", "changed_directories", "diff", "not_validated"):
        assert predicted[key] == done[key]
    assert done["changed"] is True
    assert done["changed_files"] == [top + "/a", top + "/b/f", top + "/unlisted"]
    assert done["changed_directories"] == [top + "/b", top + "/e"]
    assert [entry["after_header"].split(" ")[0] for entry in done["diff"]] == [
        top + "/b/",
        top + "/e/",
        top + "/a",
        top + "/b/f",
        top + "/unlisted",
    ]
    assert sorted(os.listdir(top)) == ["a", "b", "e"]
    status = os.stat(top + "/b/f")
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (65534, 0, 0o640)
    again = run(diff=True, **arguments)
    assert again["changed"] is False and again["diff"] == [] and again["changed_files"] == []


def test_without_diff_none_is_returned(run, tmp_path):
    assert "diff" not in run(files={str(tmp_path / "f"): {"content": "x"}}).result


def test_check_mode_on_a_virgin_host_warns_and_does_not_fail(run, tmp_path):
    path = str(tmp_path / "missing" / "f")
    files = {path: {"content": "x", "owner": "no-such-user", "validate": ["no-such-program", "%s"]}}
    outcome = run(check=True, files=files)
    assert outcome["changed"] is True and outcome["not_validated"] == [path]
    assert "no-such-program is not on this host yet" in warnings(outcome)
    assert "owner 'no-such-user' does not exist on this host yet" in warnings(outcome)
    failed = run(files=files)
    assert failed["failed"] and "owner 'no-such-user' does not exist on this host: create it before" in failed["msg"]
    assert not (tmp_path / "missing").exists()


def test_a_real_validator_refuses_in_check_mode_too(run, tmp_path):
    (tmp_path / "f").write_text("good\n")
    files = {
        str(tmp_path / "f"): {"content": "wrong\n", "validate": ["grep", "good", "%s"]},
        str(tmp_path / "other"): {"content": "x"},
    }
    for check in (True, False):
        outcome = run(check=check, files=files)
        assert outcome["failed"] and "refused by grep good %s (exit 1)" in outcome["msg"]
    assert os.listdir(str(tmp_path)) == ["f"] and (tmp_path / "f").read_text() == "good\n"


@pytest.mark.parametrize("secret_option", [True, False])
@pytest.mark.parametrize("failing", [None, "unknown key", "validator"])
@pytest.mark.parametrize("check", [True, False])
def test_sensitive_content_is_never_seen(run, tmp_path, secret_option, failing, check):
    path = str(tmp_path / "f")
    secret = "line one of s3cret\nline two of s3cret\n"
    (tmp_path / "f").write_text("older s3cret\n")
    entry = {} if secret_option else {"content": secret, "sensitive": True}
    files = {path: entry}
    if failing == "unknown key":
        entry["wrong"] = 1
    if failing == "validator":
        entry["validate"] = ["sed", "--no-such-option", "%s"]
    outcome = run(check=check, diff=True, files=files, secret_contents={path: secret} if secret_option else {})
    assert "s3cret" not in outcome.seen
    assert bool(outcome.result.get("failed")) == bool(failing)
    if not failing:
        assert outcome["changed"] is True and "withheld" in outcome["diff"][0]["before"]
        assert (tmp_path / "f").read_text() == ("older s3cret\n" if check else secret)


def test_an_error_of_the_operating_system_names_the_path(run, tmp_path):
    path = str(tmp_path / ("n" * 300))
    outcome = run(files={path: {"content": "x"}})
    assert outcome["failed"] and path in outcome["msg"] and "File name too long" in outcome["msg"]
