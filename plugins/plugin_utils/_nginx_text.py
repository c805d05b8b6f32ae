# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and blocks as nginx reads them: the one place where anything is quoted.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_BARE = re.compile(r"[A-Za-z0-9_./:*~=@%,+-]+")
_CONTROL = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# One word has to fit into nginx's buffer of 4096 bytes: https://github.com/nginx/nginx/blob/master/src/core/ngx_conf_file.c
LONGEST = 4000


def plain(text: str) -> str:
    """The text as one word where nginx takes a dollar sign for itself: names of servers, paths, regexes."""
    return _word(_escaped(text), text)


def value(text: str, variables: t.Optional[t.Dict[str, str]] = None) -> str:
    """The text as one word where nginx looks for variables; what `variables` names in the text is replaced by such."""
    found = _escaped(text).replace("$", "${edge_dollar}")
    for name, variable in (variables or {}).items():
        found = found.replace(name, "${{{0}}}".format(variable))
    return _word(found, text)


def comment(text: str) -> str:
    """The text as one line of a comment."""
    return "# " + re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text).strip()


def block(head: str, lines: t.Iterable[str]) -> t.List[str]:
    """A directive that holds others."""
    return [head + " {", *("    " + line if line else "" for line in lines), "}"]


# For a dollar sign in texts, as nginx has no other way to write one: it looks for no variable in the values of a geo.
DOLLAR = block("geo $edge_dollar", ['default "$";'])


def _escaped(text: str) -> str:
    # nginx keeps a backslash but in front of these, and control characters become such.
    text = re.sub(r"\\(?=[\\\"'trn\t\r\n]|\Z)", r"\\\\", text).replace('"', '\\"')
    return "".join(_CONTROL.get(char, char) for char in text)


def _word(escaped: str, text: str) -> str:
    if "\0" in text or re.search("[\ud800-\udfff]", text):
        raise StackError("{0!r} has a character that no file of nginx can hold; take it out".format(text))
    if len(escaped.encode("utf-8")) > LONGEST:
        shown = text[:40] + "..."
        raise StackError("{0!r} is longer than the {1} bytes that nginx takes as one word; shorten it, or let a service answer it".format(shown, LONGEST))
    return escaped if _BARE.fullmatch(escaped) else '"{0}"'.format(escaped)
