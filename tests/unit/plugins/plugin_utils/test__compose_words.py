# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._compose_words import escaped, words_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

PIECES = ["a", "2", " ", "\t", "\n", '"', "'", "\\", "$$", "`", "(", ")", "$$(", ";", "|", ">", "#", "é"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)


# What Compose 2.26 and later make of them.
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("a b\tc\nd", ["a", "b", "c", "d"]),
        ("a 'b c' \"\"", ["a", "b c", ""]),
        (r"a\ b '\' " + r'"\n\""', ["a b", "\\", 'n"']),
        ("echo $$HOME", ["echo", "$$HOME"]),
        ("a; b", ["a"]),
        ("a && b", ["a"]),
        ("a 2>b", ["a"]),
        ("a 'x;y' #c", ["a", "x;y", "#c"]),
        ("a $$(b c) d", ["a", "$$(b c)", "d"]),
        ("a `b c` d", ["a", "`b c`", "d"]),
        ("a 'b", None),
        ("a (b)", None),
        ("a\\", None),
    ],
)
def test_a_text_is_split_as_compose_does(text, words):
    assert words_of(text) == words


def test_a_list_is_its_words():
    assert words_of(["a b", "$$x", 5]) == ["a b", "$$x", "5"]


@given(st.lists(st.text(max_size=8), max_size=5))
def test_words_that_are_quoted_come_back(words):
    assume(not any("\0" in word for word in words))
    assert words_of(escaped([shlex.join(words)])[0]) == escaped(words)


def has_compose():
    return bool(shutil.which("docker")) and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode


@pytest.mark.skipif(not has_compose(), reason="no Compose here")
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_compose_itself_agrees(texts):
    accepted = [text for text in texts if words_of(text) is not None]
    document = {"name": "x", "services": {"s{0}".format(at): {"image": "x", "command": text} for at, text in enumerate(accepted or [""])}}
    argv = ["docker", "compose", "-f", "-", "config", "--format", "json"]
    said = subprocess.run(argv, input=json.dumps(document), capture_output=True, text=True, check=True)
    services = json.loads(said.stdout)["services"]
    assert [services["s{0}".format(at)].get("command") or [] for at in range(len(accepted))] == [words_of(text) for text in accepted]
