# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.portside.stack.plugins.modules import secret_files
from module_runner import run_module

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="secrets are owned by root")


@pytest.fixture(name="run")
def run_fixture(capsys, tmp_path):
    def run(check=False, diff=False, **arguments):
        arguments.setdefault("directory", str(tmp_path / "secrets"))
        return run_module(secret_files.main, capsys, arguments, check, diff)

    return run


def read(tmp_path, name):
    return (tmp_path / "secrets" / name).read_text(encoding="utf-8")


def test_check_mode_predicts_what_is_then_done_once(run, tmp_path):
    arguments = {
        "secrets": {"pw": {"files": [{"uid": 999, "gid": 999}]}, "key": {"generate": 64}},
        "values": {"pw": "hunter2-ü"},
    }
    predicted = run(check=True, diff=True, **arguments)
    assert not (tmp_path / "secrets").exists()
    done = run(diff=True, **arguments)
    assert predicted.result == done.result
    assert done["changed"] is True and done["versions"] == {"pw": 1, "key": 1}
    assert "pw: version none -> 1" in done["diff"]["prepared"]
    again = run(diff=True, **arguments)
    assert again["changed"] is False and again["versions"] == {"pw": 1, "key": 1} and again["diff"] == {"prepared": ""}
    rotated = run(check=True, **dict(arguments, values={"pw": "hunter3"}))
    assert rotated["changed"] is True and rotated["versions"] == {"pw": 2, "key": 1} and "diff" not in rotated.result
    assert read(tmp_path, "pw/1-999-999-0400") == "hunter2-ü"


def test_neither_given_nor_generated_values_are_ever_seen(run, tmp_path):
    seen = ""
    for value in ("hunter2\nsecond hunter2 line", "hunter2 rotated"):
        for check in (True, False, False):
            outcome = run(
                check=check,
                diff=True,
                secrets={"pw": {"files": [{"uid": 9}]}, "key": {"generate": 64}},
                values={"pw": value},
            )
            seen += outcome.seen
            assert not outcome.result.get("failed") and not outcome.warnings
    failed = run(diff=True, secrets={"pw": {"wrong": 1}, "missing": {}}, values={"pw": "hunter2 with a problem"})
    assert failed["failed"] and "'wrong'" in failed["msg"] and "secret 'missing': has no value" in failed["msg"]
    seen += failed.seen
    assert "hunter2" not in seen
    generated = read(tmp_path, "key/1")
    assert generated not in seen and generated[:16] not in seen


def test_generated_values_are_long_unlike_and_plain(run, tmp_path):
    run(secrets={"one": {"generate": 64}, "two": {"generate": 64}})
    one, two = read(tmp_path, "one/1"), read(tmp_path, "two/1")
    assert len(one) == len(two) == 64 and one != two
    assert (one + two).isalnum() and (one + two).isascii() and len(set(one + two)) > 20


def test_a_directory_that_cannot_be_is_a_clear_error(run, tmp_path):
    (tmp_path / "file").write_text("x")
    outcome = run(directory=str(tmp_path / "file"), secrets={"key": {"generate": 64}})
    assert outcome["failed"] and "file: must be a directory" in outcome["msg"]
    outcome = run(directory=str(tmp_path / "file" / "below"), secrets={"key": {"generate": 64}})
    assert outcome["failed"] and str(tmp_path / "file") in outcome["msg"]


def test_a_rotation_is_predicted_shown_by_number_and_renews_what_is_composed(run, tmp_path):
    arguments = {
        "secrets": {
            "app": {"generate": 32, "login": {"service": "db", "role": "shop"}},
            "given": {},
            "url": {"template": "postgresql://{app:login}:{app}@db/{given}", "files": [{"uid": 9, "variable": "URL"}]},
        },
        "values": {"given": "hunter2 /", "other": "hunter3"},
    }
    first = run(**arguments)
    assert first["versions"] == {"app": 1, "given": 1, "url": 1} and first["renewed"] == []
    predicted = run(check=True, diff=True, rotate=["app"], **arguments)
    assert read(tmp_path, "app/1") in read(tmp_path, "url/1") and not (tmp_path / "secrets" / "app" / "2").exists()
    rotated = run(diff=True, rotate=["app"], **arguments)
    assert predicted.result == rotated.result
    assert rotated["versions"] == {"app": 2, "given": 1, "url": 2} and rotated["renewed"] == ["app", "url"]
    assert rotated["diff"]["prepared"] == "app: version 1 -> 2\nurl: version 1 -> 2\n"
    new = read(tmp_path, "app/2")
    assert read(tmp_path, "url/2") == "postgresql://app_v2:%s@db/hunter2%%20%%2F" % new
    assert read(tmp_path, "url/2-9-0-0400.URL.env") == 'URL="%s"\n' % read(tmp_path, "url/2")
    again = run(**arguments)
    assert again["changed"] is False and again["versions"] == rotated["versions"] and again["renewed"] == []
    seen = first.seen + predicted.seen + rotated.seen + again.seen
    assert new not in seen and read(tmp_path, "app/1") not in seen and "hunter" not in seen


def test_a_rotation_that_makes_no_sense_is_refused_and_writes_nothing(run, tmp_path):
    outcome = run(secrets={"pw": {"generate": 32}}, values={"pw": "hunter2"}, rotate=["pw"])
    assert outcome["failed"] and "'pw': cannot be rotated: its value is given" in outcome["msg"]
    assert "hunter2" not in outcome.seen and not (tmp_path / "secrets").exists()
