# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _run_directory
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._progress import Progress, progress_path


def test_lines_are_there_at_once_and_gone_with_the_run(tmp_path):
    path = tmp_path / "run" / "demo.progress"
    (tmp_path / "run").mkdir()
    path.write_text("what a killed run left, and it is long\n")
    progress = Progress("demo", str(tmp_path / "run"))
    assert path.read_text() == ""
    progress.tell("api: starting")
    progress.tell("api: healthy")
    assert path.read_text() == "api: starting\napi: healthy\n"
    assert path.stat().st_mode & 0o777 == 0o644
    progress.close()
    assert path.read_text() == ""
    assert progress.lines == ["api: starting", "api: healthy"]


def test_a_path_is_made_of_project_names_only():
    assert progress_path("demo") == "/run/portside/demo.progress"
    with pytest.raises(StackError, match="'../x' is not a project name"):
        progress_path("../x")


def test_who_may_not_write_there_is_told_what_to_do(tmp_path, monkeypatch):
    def refuse(*_arguments, **_named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_run_directory.os, "open", refuse)
    with pytest.raises(StackError, match="stack demo: .*demo.progress may not be written.* Remedy: .*become: true"):
        Progress("demo", str(tmp_path))
