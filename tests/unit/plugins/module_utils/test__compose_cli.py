# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import environment, last_lines, up_argv
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import Action
from ansible_collections.portside.stack.plugins.module_utils._compose_report import progress_line
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Event


def test_the_environment_cannot_choose_another_project_or_engine():
    given = {
        "PATH": "/bin",
        "HTTPS_PROXY": "x",
        "COMPOSE_FILE": "other.yaml",
        "COMPOSE_PROFILES": "debug",
        "DOCKER_HOST": "tcp://x",
        "DOCKER_CONTEXT": "x",
        "DOCKER_CONFIG": "/root/.docker",
    }
    assert environment(given, "/run/d.sock") == {
        "PATH": "/bin",
        "HTTPS_PROXY": "x",
        "DOCKER_CONFIG": "/root/.docker",
        "COMPOSE_IGNORE_ORPHANS": "1",
        "DOCKER_HOST": "unix:///run/d.sock",
    }


@pytest.mark.parametrize(
    ("action", "flag"),
    [
        ("create", "--no-recreate"),
        ("start", "--no-recreate"),
        ("recreate", "--force-recreate"),
        ("run", "--force-recreate"),
    ],
)
def test_the_plan_decides_about_recreation_not_compose(action, flag):
    assert up_argv("/x/compose.yaml", "/x", Action("api", action, ""))[-2:] == [flag, "api"]


def test_the_dotenv_file_that_compose_reads_unasked_is_not_read():
    argv = up_argv("/x/compose.yaml", "/x", Action("api", "create", ""))
    assert argv[argv.index("--env-file") + 1] == "/dev/null"


def test_progress_is_cut_from_what_compose_says_and_the_end_is_kept():
    said = " Network x  Creating\n Container x  Creating\n\n" + "".join(f"line {n}\n" for n in range(20))
    assert last_lines(said).splitlines() == [f"line {n}" for n in range(12, 20)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event(4.2, "api", "healthy", "starting"), "   4.2s  api: starting -> healthy"),
        (Event(104.25, "api", "run (x)", ""), " 104.2s  api: run (x)"),
    ],
)
def test_progress_lines(event, line):
    assert progress_line(event) == line
