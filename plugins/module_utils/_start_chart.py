# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a start as a chart for a terminal: who waited for whom, and how long each took.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._start_record import Record, not_up

_NAME, _BAR = 20, 30
_WAITS, _STARTS, _IS_UP = ".", "#", "-"


def chart(record: Record, width: int = 100) -> t.List[str]:
    """A line for each service, none wider than ``width``, which is 72 at least."""
    services = record["services"]
    names = min(max(len(one["service"]) for one in services), _NAME)
    times = [moment for one in services for moment in (one["begun"], one["up"]) if moment is not None]
    total = max([record["seconds"], *times]) or 1.0
    lines = ["start: {0} waits   {1} starts   {2} is up".format(_WAITS, _STARTS, _IS_UP)]
    lines += [_line(one, names, total) for one in services]
    late = not_up(record)
    up = len(services) - len(late)
    whole = "total {0:.1f} s, {1} of {2} up".format(record["seconds"], up, len(services))
    lines.append("{0}; not up: {1}".format(whole, ", ".join(late)) if late else whole)
    return [_clipped(line, width) for line in lines]


def _line(one: Record, names: int, total: float) -> str:
    name = "{0:{1}}".format(_clipped(one["service"], names), names)
    time = "{0:6.1f} s".format(one["up"]) if one["up"] is not None else "  NOT UP"
    waits = ["{service} {seconds:.1f} s".format(**wait) for wait in one["waited_for"]]
    notes = [one["state"]] if one["up"] is None else []
    notes += ["waited for " + ", ".join(waits)] if waits else []
    return "{0}  {1} {2}  {3}".format(name, _bar(one, total), time, "; ".join(notes)).rstrip()


def _bar(one: Record, total: float) -> str:
    """What starts has one column at least, however short it took."""
    begun, up = one["begun"], one["up"]
    if begun is None:
        return _WAITS * _BAR
    first = min(int(begun / total * _BAR), _BAR - 1)
    end = _BAR if up is None else min(max(math.ceil(up / total * _BAR), first + 1), _BAR)
    # What runs once has ended when it is up.
    after = " " if one["action"] == "run" else _IS_UP
    return _WAITS * first + _STARTS * (end - first) + after * (_BAR - end)


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."
