# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._status_query import status_query
from status_facts import service, stack, status

TOLD = status(stack("shop", service("api"), service("db", health="unhealthy"), service("job", health="none")), stack("blog", service("web")))


def test_the_question_that_everybody_has():
    assert status_query(TOLD, "stacks[].services[?health!='healthy'].name") == [["db", "job"], []]
    assert status_query(TOLD, "length(stacks[].services[])") == 4


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("stacks[", ["not complete, at its end (position 7)"]),
        ("stacks]x", ["at position 6, before ']x'"]),
        ("stacks[?name=='shop].x", ["position 14", "unclosed"]),
        ("length(stacks, `1`)", ["Expected 1 argument for function length()"]),
        ("frobnicate(stacks)", ["Unknown function: frobnicate()"]),
        ("abs(stacks)", ["In function abs()"]),
        ("", ["cannot be empty"]),
    ],
)
def test_a_wrong_expression_is_told_where_and_why(expression, words):
    with pytest.raises(StackError) as raised:
        status_query(TOLD, expression)
    told = str(raised.value)
    assert told.startswith("query {0!r}: ".format(expression)) and "Remedy: correct it" in told and "\n" not in told
    for word in words:
        assert word.lower() in told.lower(), told


def test_without_the_library_it_says_where_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(StackError, match="pip install jmespath") as raised:
        status_query(TOLD, "stacks")
    assert sys.executable in str(raised.value)
