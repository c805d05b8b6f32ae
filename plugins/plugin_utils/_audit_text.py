# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an audit for terminals.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import textwrap
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._audit_reachable import ports_of

Mapping = t.Mapping[str, t.Any]

WIDTH = 100
_SEVERITY, _RULE = 10, 22
_HEAD = ("RANK", "PORT", "WHO", "WHAT", "FROM HERE", "NOTE")
_MOST = (7, 15, 28, 16, 11, WIDTH)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def as_text(report: Mapping) -> str:
    """All that people need to know first; the pages have the rest."""
    parts = ["\n".join(_wrapped(headline(report), "  ", ""))]
    parts.append(_findings(report["findings"]) if report["findings"] else "Nothing was found.")
    parts.append("REACHABLE, on more than loopback\n" + _table([_HEAD, *(_row(one) for one in report["reachable"])]))
    for title, sentences in (
        ("ROUTES", ["{0}: {1}".format(one["place"], route_words(one)) for one in report["routes"]]),
        ("WAIVED", ["{0} Reason: {1}".format(one["what"], one["reason"]) for one in report["waived"]]),
        ("NOT SEEN", report["not_seen"]),
    ):
        if sentences:
            parts.append("\n".join([title, *(line for one in sentences for line in _wrapped(one, "    ", "  "))]))
    return "\n\n".join(parts) + "\n"


def headline(report: Mapping) -> str:
    """Host, time, and how much was found."""
    summary = report["summary"]
    return "{0}, {1}: {2} high, {3} medium, {4} low".format(plain(report["host"]), plain(report["when"]), *(summary[one] for one in ("high", "medium", "low")))


def route_words(one: Mapping) -> str:
    """How much there is of a configuration, and of problems in it."""
    state = "" if one["running"] else ", does not run"
    problems = "{0} problem{1}".format(one["problems"] or "no", "" if one["problems"] == 1 else "s")
    return "{0} {1}{2}, {3}".format(len(one["rules"]), "entry" if len(one["rules"]) == 1 else "entries", state, problems)


def plain(text: t.Any) -> str:
    """A text on one line, with nothing in it that a terminal obeys."""
    return _CONTROL.sub("?", str(text))


def _findings(findings: t.Sequence[Mapping]) -> str:
    lines = ["SEVERITY".ljust(_SEVERITY) + "RULE".ljust(_RULE) + "WHAT"]
    indent = " " * (_SEVERITY + _RULE)
    for number, one in enumerate(findings):
        head = one["severity"].upper().ljust(_SEVERITY) + plain(one["rule"]).ljust(_RULE - 1) + " "
        lines += _wrapped(one["what"], indent, head)
        following = findings[number + 1] if number + 1 < len(findings) else {}
        # What several have in common is told after the last of them.
        if (following.get("rule"), following.get("why")) != (one["rule"], one["why"]):
            lines += _wrapped("Why: " + one["why"], indent, indent)
        if (following.get("rule"), following.get("remedy")) != (one["rule"], one["remedy"]):
            lines += _wrapped("Do: " + one["remedy"], indent, indent)
    return "\n".join(lines)


def _row(one: Mapping) -> t.Tuple[str, ...]:
    return one["rank"].upper() if one["rank"] != "listed" else "-", ports_of(one), one["subject"], one["service"] or "-", one["seen"], one["note"] or "-"


def _table(rows: t.Sequence[t.Sequence[str]]) -> str:
    if len(rows) == 1:
        return "  nothing"
    # What does not fit is cut: the pages have it whole.
    cells = [[_cut(plain(cell), most) for cell, most in zip(row, _MOST)] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    return "\n".join(("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths))).rstrip()[:WIDTH] for row in cells)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, indent: str, first: str) -> t.List[str]:
    return textwrap.wrap(plain(text), WIDTH, initial_indent=first, subsequent_indent=indent)
