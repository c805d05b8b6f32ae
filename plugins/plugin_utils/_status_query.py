# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers questions about a status, in JMESPath.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import importlib
import sys
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_REASON = 300
_EXAMPLE = "stacks[].services[?health!='healthy'].name"


def status_query(status: t.Any, expression: t.Any) -> t.Any:
    """What a JMESPath expression finds in a status. Raises StackError, which says where an expression is wrong, and why."""
    jmespath = _library()
    text = str(expression)
    try:
        return jmespath.compile(text).search(status)
    except jmespath.exceptions.JMESPathError as error:
        told = "query {0!r}: {1}. Remedy: correct it; {2} is one, and https://jmespath.org tells the rest."
        # All that it says is in there: Ansible would quote it once more.
        raise StackError(told.format(text, _why(error, text), _EXAMPLE)) from None


def _library() -> t.Any:
    try:
        return importlib.import_module("jmespath")
    except ImportError:
        raise StackError(
            "a query needs the library jmespath on the controller, which the Python that runs Ansible ({0}) does not have. "
            "Remedy: install it there (pip install jmespath), or take the whole status, -e format=json.".format(sys.executable)
        ) from None


def _why(error: Exception, text: str) -> str:
    """The library's reason in one line, with the position that it draws with a caret."""
    position = getattr(error, "lex_position", None)
    if position is None:
        # A value that a function cannot take is quoted there, whatever its size.
        return " ".join(str(error).split())[:_REASON].rstrip(".")
    if position >= len(text):
        return "it is not complete, at its end (position {0})".format(len(text))
    reason = str(getattr(error, "message", "") or "the token {0!r} is not expected here".format(error.token_value))
    return "at position {0}, before {1!r}: {2}".format(position, text[position : position + 20], " ".join(reason.split()).rstrip("."))
