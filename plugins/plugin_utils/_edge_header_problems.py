# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the headers that an edge adds to answers.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import LONGEST
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import value as word
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

# Of those that RFC 9110 allows, the ones that nginx takes for a name in its variables too.
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_OF_THE_SERVER = {
    "strict-transport-security": "write the seconds as edge.tls.hsts",
    "allow": "it follows the `methods` of routes; take it out",
    **{name: "what answers decides it; take it out" for name in ("content-type", "content-encoding", "location", "set-cookie")},
    **{
        name: "nginx itself speaks HTTP; take it out"
        for name in ("connection", "content-length", "date", "keep-alive", "server", "te", "trailer", "transfer-encoding", "upgrade")
    },
}


def header_problems(report: Report, headers: t.Dict[t.Any, t.Any]) -> None:
    """Judges `edge.headers`, where null takes a header out."""
    seen: t.Dict[str, str] = {}
    for name, value in headers.items():
        where = "edge.headers.{0}".format(name)
        if not isinstance(name, str):
            # Which is told with all that is no text.
            continue
        if not HEADER_NAME.fullmatch(name):
            report.add("edge.headers", "{0} is not the name of a header; use letters, digits and -".format(shown(name)))
            continue
        if name.lower() in seen:
            report.add(where, "it is there a second time, as {0}; keep one of them".format(seen[name.lower()]))
        elif name.lower() in _OF_THE_SERVER:
            report.add(where, "it cannot be set here: {0}".format(_OF_THE_SERVER[name.lower()]))
        seen[name.lower()] = name
        reason = "" if value is None else _value_problem(value)
        if reason:
            report.add(where, "value {0} {1}".format(shown(value), reason))


def _value_problem(value: t.Any) -> str:
    if not isinstance(value, str):
        return "is not text; quote it"
    if not value.strip():
        return "is empty, and nginx would not send it; write null to take the header out"
    if value != value.strip() or not re.fullmatch(r"[\x20-\x7e]+", value):
        return "has blanks at its ends or characters that a header cannot hold; write printable ASCII in one line (in YAML >- joins lines)"
    try:
        word(value)
    except StackError:
        return "is longer than the {0} characters that nginx takes; shorten it".format(LONGEST)
    return ""
