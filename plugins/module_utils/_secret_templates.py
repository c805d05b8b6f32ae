# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are composed from others: a template's placeholders, and how a value is written in each place.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t
from urllib.parse import quote

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

# Other text in braces stands for itself, so that JSON, ini files and nginx survive.
_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?::([a-z0-9_]+))?\}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
LOGIN = "login"


class Part(t.NamedTuple):
    """What of a secret there is to fill in: its value, and the name of the login that its version has."""

    value: str
    login: str


def template_parts(text: str) -> t.List[t.Tuple[str, t.Optional[str]]]:
    """The names and encodings of the placeholders, in their order; no encoding where none is given."""
    return [(found.group(1), found.group(2)) for found in _PLACEHOLDER.finditer(text)]


def template_problems(text: t.Any, secrets: t.Mapping[str, t.Any]) -> t.List[str]:
    """Why a template cannot be composed from the declared secrets; ``secrets`` may have any shape of entries."""
    if not isinstance(text, str) or not text:
        return ["template must be a text with the names of other secrets in braces, such as redis://:{redis_password}@redis"]
    problems = []
    for name, encoding in template_parts(text):
        shown = "template: {{{0}}}".format(name if encoding is None else name + ":" + encoding)
        if name not in secrets:
            remedy = _near(name, secrets) or "declare it, or put a space inside braces that stand for themselves"
            problems.append("{0}: {1!r} is no declared secret; {2}".format(shown, name, remedy))
            continue
        entry = secrets[name] if isinstance(secrets[name], dict) else {}
        if entry.get("template") is not None:
            problems.append("{0}: {1!r} is a template itself; name its parts instead".format(shown, name))
        if encoding is not None and encoding not in ENCODINGS and encoding != LOGIN:
            remedy = _near(encoding, [*ENCODINGS, LOGIN]) or "use one of " + ", ".join([*ENCODINGS, LOGIN])
            problems.append("{0}: {1!r} is no encoding; {2}".format(shown, encoding, remedy))
        elif encoding == LOGIN and entry.get("login") is None:
            problems.append("{0}: {1!r} is no login; give it login: {{service: SERVICE, role: ROLE}}".format(shown, name))
    if not template_parts(text):
        problems.append("template: it names no secret; write {NAME}, or declare a text without secrets under `configs`")
    return problems


def compose(text: str, parts: t.Mapping[str, Part]) -> str:
    """The value that a template without problems has. An error names the part, not its value."""
    default = "url" if _URL.match(text) else "raw"

    def filled(found: t.Match[str]) -> str:
        name, encoding = found.group(1), found.group(2) or default
        part = parts[name]
        if encoding == LOGIN:
            return part.login  # such names are the same in a URL
        try:
            return ENCODINGS[encoding](part.value)
        except ValueError as error:
            raise StackError("{{{0}:{1}}}: the value of {0!r} {2}".format(name, encoding, error)) from None

    return _PLACEHOLDER.sub(filled, text)


def _near(name: str, known: t.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, [str(item) for item in known], 1, 0.6)
    return "did you mean {0!r}?".format(near[0]) if near else ""


def _url(value: str) -> str:
    return quote(value, safe="")


def _json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _redis_conf(value: str) -> str:
    _refuse_nul(value)
    # Redis reads a file by lines and knows these escapes inside double quotes; all else stands for itself.
    named = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"{0}"'.format("".join(named.get(char) or ("\\x%02x" % ord(char) if char < " " else char) for char in value))


def _userlist(value: str) -> str:
    _refuse_nul(value)
    return '"{0}"'.format(value.replace('"', '""'))


def _refuse_nul(value: str) -> None:
    if "\0" in value:
        raise ValueError("has a NUL character, which cannot be written there; change the value")


ENCODINGS: t.Dict[str, t.Callable[[str], str]] = {
    "raw": str,
    "url": _url,
    "json": _json,
    "redis_conf": _redis_conf,
    "userlist": _userlist,
}
