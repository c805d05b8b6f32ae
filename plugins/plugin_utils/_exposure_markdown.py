# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exposure table as people read it: in documents and on terminals.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model

_HEADING = ("Service", "Exposed to the internet", "Host port", "Container port", "Routes", "Note")
_NONE = "-"


def as_markdown(rows: t.Sequence[model.Mapping]) -> str:
    """A table of GitHub's Markdown, aligned so that it reads well as text, too."""
    cells = [_HEADING] + [_cells(row, _escaped, _code) for row in rows]
    widths = _widths(cells)
    rule = tuple("-" * width for width in widths)
    return "".join("| {0} |\n".format(" | ".join(_filled(line, widths))) for line in [cells[0], rule, *cells[1:]])


def as_text(rows: t.Sequence[model.Mapping]) -> str:
    """A table for terminals."""
    cells = [tuple(text.upper() for text in _HEADING)] + [_cells(row, _plain, _plain) for row in rows]
    widths = _widths(cells)
    return "".join("  ".join(_filled(line, widths)).rstrip() + "\n" for line in cells)


def _cells(row: model.Mapping, plain: t.Callable[[str], str], code: t.Callable[[str], str]) -> t.Tuple[str, ...]:
    target = "{0}/{1}".format(row["target"], row["protocol"]) if row["target"] else ""
    routes = ", ".join(code(text) for text in row["routes"])
    cells = (code(row["service"]), plain(_exposed(row)), plain(row["published"]), target, routes, plain(row["note"]))
    return tuple(cell or _NONE for cell in cells)


def _exposed(row: model.Mapping) -> str:
    """Yes or no first: that is what is looked for."""
    ways = {
        "public": ("Yes", "Yes (via {0})"),
        "loopback": ("No (this host only)", "No (this host only, via {0})"),
        "internal": ("No", "No"),
    }
    alone, routed = ways[row["reach"]]
    return routed.format(row["via"]) if row["via"] else alone


def _code(text: str) -> str:
    """As code, in which nothing but pipes and backticks means anything."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    padded = " {0} ".format(text) if "`" in text else text
    return fence + _plain(padded).replace("|", "\\|") + fence


def _escaped(text: str) -> str:
    return re.sub(r"([\\|`*_<\[])", r"\\\1", _plain(text))


def _plain(text: str) -> str:
    """On one line."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)


def _widths(cells: t.Sequence[t.Sequence[str]]) -> t.List[int]:
    return [max(3, *(len(line[column]) for line in cells)) for column in range(len(_HEADING))]


def _filled(line: t.Sequence[str], widths: t.Sequence[int]) -> t.List[str]:
    return [text.ljust(width) for text, width in zip(line, widths)]
