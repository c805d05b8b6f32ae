# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._secret_env_file import env_line
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

AWKWARD = [
    "plain",
    " spaces around ",
    "",
    "a\nb\r\nc\rd\n\n",
    "$HOME ${HOME} $$ $ ${HOME:-x} \\$HOME \\${A} $",
    "'single' \"double\" `back`",
    "\\ \\\\ \\n \\t \\\" \\' \\x41 \\u0041 \\0101 \\0 \\",
    "a#b # c",
    "A=B",
    "export X=1",
    "ünïcode \u2028\x85\u00a0 \U0001f511 \ufeff",
    "".join(map(chr, range(1, 256))),
    "%s %{x} {{ x }} !tag",
    "\\$",
    '\\"',
    '$"',
]
CHARACTERS = st.one_of(st.sampled_from("\\\"'$`#={} \n\r\tanx0"), st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = st.lists(st.text(CHARACTERS, max_size=20), min_size=20, max_size=40)


@pytest.fixture(name="compose", scope="module")
def compose_fixture(tmp_path_factory):
    """What `docker compose config` makes of env files with these texts, one service for each."""
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("Compose is not on this machine")
    directory = tmp_path_factory.mktemp("env")

    def read(lines):
        services = {}
        for number, line in enumerate(lines):
            path = directory / "{0}.env".format(number)
            path.write_bytes(line.encode("utf-8"))
            services["s{0}".format(number)] = {"image": "x", "env_file": [str(path)]}
        argv = ["docker", "compose", "--env-file", "/dev/null", "-f", "-", "config", "--format", "json"]
        done = subprocess.run(
            argv, input=json.dumps({"name": "env", "services": services}).encode(), check=True, capture_output=True
        )
        found = json.loads(done.stdout)["services"]
        # What it prints is itself a Compose file, where one $ is written as two.
        values = [found["s{0}".format(number)]["environment"] for number in range(len(lines))]
        return [{name: value.replace("$$", "$") for name, value in one.items()} for one in values]

    return read


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@example(values=AWKWARD)
@given(values=VALUES)
def test_compose_reads_each_value_as_it_is(compose, values):
    assert compose([env_line("A_KEY", value) for value in values]) == [{"A_KEY": value} for value in values]


@pytest.mark.parametrize("value", AWKWARD)
def test_it_is_one_line(value):
    line = env_line("A", value)
    assert line.endswith("\n") and line.count("\n") == 1 and "\r" not in line


def test_what_no_environment_can_have_is_refused_without_being_shown():
    with pytest.raises(StackError, match="variable A: a NUL character") as caught:
        env_line("A", "hunter2\0")
    assert "hunter2" not in str(caught.value)
