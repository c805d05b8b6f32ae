# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of the stacks of a host for terminals: one screen for each.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

No line is wider than WIDTH but one that is a tunnel's command alone: folded, it could not be copied.
"""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._audit_text import plain

Mapping = t.Mapping[str, t.Any]

WIDTH = 120
_EVENTS = 5
_SOON = 21
_HEAD = ("SERVICE", "STATE", "HEALTH", "RESTARTS", "IMAGE", "DIGEST", "CPU", "MEMORY")
_MOST = (21, 12, 9, 8, 21, 12, 9, 11)
_REACHED = ("SERVICE", "REACHED BY", "AT", "ROUTES")
_REACHED_MOST = (24, 18, 34)
_ROLLBACK = ("RELEASE", "VERIFIED", "DATABASES", "IMAGES THAT DIFFER")
_ROLLBACK_MOST = (16, 20, 38)


def screen(status: Mapping) -> t.List[str]:
    """All stacks, an empty line between two."""
    parts = [stack_lines(one) for one in status["stacks"]] or [_wrapped("{0}: no stack has a release here".format(status["host"]), "")]
    parts += [_unseen(status["unseen"])] if status["unseen"] else []
    return [line for number, part in enumerate(parts) for line in ([""] if number else []) + part]


def stack_lines(stack: Mapping) -> t.List[str]:
    """One stack."""
    lines = _wrapped(_title(stack), "")
    work = stack["at_work"]
    if work:
        stage = ", after the stage {0}".format(work["after_stage"]) if work["after_stage"] else ""
        lines += _wrapped("AT WORK NOW: a {0} by {1}, since {2}{3}".format(work["purpose"], work["who"], work["since"], stage))
    if stack["services"]:
        lines += _table(_HEAD, [_service(one) for one in stack["services"]], _MOST)
    reached = [_reached(one) for one in stack["services"] if one["published"] or one["routes"]]
    lines += ["", *_table(_REACHED, reached, _REACHED_MOST)] if reached else []
    lines += _tunnels(stack["services"])
    facts = [line for one in _facts(stack) for line in one]
    return lines + ([""] if facts else []) + facts


def _title(stack: Mapping) -> str:
    if not stack["release"]:
        return "{0}: no release is current".format(stack["name"])
    since = ", since {0}".format(stack["since"]) if stack["since"] else ""
    by = " by {0}".format(stack["by"]) if stack["by"] else ""
    return "{0}: release {1}{2}{3}".format(stack["name"], stack["release"], since, by)


def _service(one: Mapping) -> t.Tuple[str, ...]:
    state = one["state"]
    if state in ("exited", "dead") and one["exit_code"] is not None:
        state += " ({0})".format(one["exit_code"])
    elif one["containers"] and (one["running"], one["wanted"]) != (1, 1):
        state = "{0}/{1} {2}".format(one["running"], one["wanted"], state)
    cpu = "-" if one["cpu_percent"] is None else "{0:.2f}".format(one["cpu_percent"] / 100)
    cpu += "/{0:g}".format(one["cpu_limit"]) if one["cpu_limit"] is not None else ""
    memory = "-" if one["memory"] is None else _bytes(one["memory"])
    memory += "/" + _bytes(one["memory_limit"]) if one["memory_limit"] is not None else ""
    image = one["image"].rpartition("/")[2]
    return one["name"], state, one["health"], str(one["restarts"]), image, one["digest"].rpartition(":")[2][:12], cpu, memory


def _bytes(number: float) -> str:
    for unit in ("B", "K", "M"):
        if number < 1024:
            return "{0:.0f}{1}".format(number, unit)
        number /= 1024
    return "{0:.1f}G".format(number).replace(".0G", "G")


def _reached(one: Mapping) -> t.Tuple[str, ...]:
    reach = one["reach"] + (" by {0}".format(one["via"]) if one["via"] else "")
    return one["name"], reach, _places(one["published"]), ", ".join(one["routes"])


def _places(published: t.Sequence[str]) -> str:
    """Where on the host; what is on all addresses of both families is told once."""
    every, of_six = "0.0.0.0:", "[::]:"
    both = {text[len(every) :] for text in published if text.startswith(every)} & {text[len(of_six) :] for text in published if text.startswith(of_six)}
    told = ["*:" + text[len(every) :] if text.startswith(every) and text[len(every) :] in both else text for text in published]
    kept = [text for text in told if not (text.startswith(of_six) and text[len(of_six) :] in both)]
    return ", ".join(text.replace("/tcp", "") for text in kept) or "-"


def _tunnels(services: t.Iterable[Mapping]) -> t.List[str]:
    found = [one for one in services if one["tunnel"]]
    if not found:
        return []
    width = min(_MOST[0], max(len(one["name"]) for one in found))
    lines = ["", "  TUNNELS to what only the host reaches, each for localhost:PORT, the first number"]
    for one in found:
        name, command = _cut(plain(one["name"]), width), plain(one["tunnel"])
        line = "    {0}  {1}".format(name.ljust(width), command)
        lines += [line] if len(line) <= WIDTH else ["    " + name, command]
    return lines


def _facts(stack: Mapping) -> t.Iterator[t.List[str]]:
    """What there is to know besides, each in lines of its own."""
    for one in stack["certificates"]:
        left = "ENDED {0} days ago".format(-one["days"]) if one["days"] < 0 else "{0} days left".format(one["days"])
        warning = "" if one["days"] >= _SOON else "  <- soon" if one["days"] >= 0 else "  <- renew it"
        yield _wrapped("certificate of {0}: until {1}, {2}{3}".format(", ".join(one["hosts"]), one["expires"], left, warning))
    for kind in ("containers", "volumes"):
        if stack["orphans"][kind]:
            rest = " it does not mention any more" if stack["release"] else ""
            yield _wrapped("{0}{1}: {2}".format(kind, rest, ", ".join(stack["orphans"][kind])))
    if stack["visible"]:
        shown = ["{0}: {1}".format(service, ", ".join(names)) for service, names in sorted(stack["visible"].items())]
        yield _wrapped("secrets that docker inspect shows, as was chosen: {0}".format("; ".join(shown)))
    yield from (_wrapped(_healed(service, one)) for service, one in sorted(stack["healing"].items()))
    start = stack["start"] or {}
    if start.get("seconds") is not None:
        yield _wrapped("last start: {0:.0f} s, {1}{2}".format(start["seconds"], start.get("recorded") or "at an unknown time", _slowest(start)))
    if stack["can_roll_back_to"]:
        yield ["  can be rolled back to:", *_table(_ROLLBACK, [_rollback(one) for one in stack["can_roll_back_to"]], _ROLLBACK_MOST, "    ")]
    elif stack["release"]:
        yield ["  can be rolled back to nothing yet: no other release was verified here"]
    if stack["history"]:
        events = [line for one in reversed(stack["history"][-_EVENTS:]) for line in _wrapped(_event(one), "    ")]
        yield ["  last:", *events]
    if stack["unseen"]:
        yield _unseen(stack["unseen"])


def _healed(service: str, one: Mapping) -> str:
    told = "self-healing of {0}: restarted {1} times, last {2}".format(service, one.get("restarts", 0), one.get("last") or "never")
    if one.get("given_up"):
        told += ", GIVEN UP"
    elif one.get("next"):
        told += ", next not before {0}".format(one["next"])
    return told + (": {0}".format(one["why"]) if one.get("why") else "")


def _slowest(start: Mapping) -> str:
    timed = [(one["up"] - (one.get("begun") or 0), one["service"]) for one in start.get("services") or () if one.get("up") is not None]
    return "; {1} took the longest, {0:.0f} s".format(*max(timed)) if timed else ""


def _rollback(one: Mapping) -> t.Tuple[str, ...]:
    dump = ", dump of {0}".format(one["dump_taken"]) if one["dump_taken"] else ", no dump"
    schema = "fit" if one["schema"] == "same" else one["schema"] + dump
    changes = ["{0} {1}".format(change["service"], change["image"] or "is not in it") for change in one["changes"]]
    return one["id"], one["verified"], schema, ", ".join(changes) or "none"


def _event(one: Mapping) -> str:
    told = "{0} {1} {2}".format(one.get("release", "-"), one["event"].replace("_", " "), one.get("time", ""))
    told += " by {0} from {1}".format(one["who"], one.get("from") or "an unknown host") if one.get("who") else ""
    told += " in {0:.0f} s".format(one["seconds"]) if one.get("seconds") is not None else ""
    return ": ".join([told, *(one[key] for key in ("why", "error") if one.get(key))])


def _unseen(sentences: t.Iterable[str]) -> t.List[str]:
    return ["  not seen:", *(line for one in sentences for line in _wrapped(one, "    "))]


def _table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]], most: t.Sequence[int], indent: str = "  ") -> t.List[str]:
    """Columns as wide as they need be, and no wider than ``most``; a last one without a limit is folded."""
    cells = [[_cut(plain(cell), limit) for cell, limit in zip(row, most)] + [plain(cell) for cell in row[len(most) :]] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(most))]
    lines = []
    for row in cells:
        start = indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
        last = row[len(most) :]
        folded = textwrap.wrap(last[0], WIDTH - len(start) - 2) if last else []
        lines.append((start + "  " + folded[0] if folded else start).rstrip())
        lines += [" " * (len(start) + 2) + rest for rest in folded[1:]]
    return lines


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, indent: str = "  ") -> t.List[str]:
    return textwrap.wrap(plain(text), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ") or [indent]
