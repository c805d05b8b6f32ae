# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is reachable, and what of that is wrong, for people.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import Judgement
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import Facts, Finding, is_loopback, shown
from ansible_collections.portside.stack.plugins.module_utils._exposure_rows import exposure_of

_HEAD = ("PORT", "ADDRESS", "OWNER", "EXPOSURE", "ROUTES")


def text_of(facts: Facts, declared: Declared, judgement: t.Optional[Judgement]) -> str:
    """All of it as a page; without a judgement what is there, and no more."""
    parts = ["\n".join(_table(_lines(facts, declared)))]
    if judgement is not None:
        for title, some in (
            ("Reachable, and not as declared", judgement.violations),
            ("To know: blocked by the firewall, or perhaps nothing", judgement.notices),
            ("Waived", judgement.waived),
        ):
            parts += ["{0} ({1}):\n{2}".format(title, len(some), "\n".join(told(some)))] if some else []
        if not judgement.violations:
            parts.append("Of what was seen, all is declared; not everything was seen." if facts["unseen"] else "What is reachable is what was declared.")
    if facts["unseen"]:
        parts.append("Not seen:\n" + "\n".join("  " + one for one in facts["unseen"]))
    return "\n\n".join(parts) + "\n"


def told(some: t.Iterable[Finding]) -> t.List[str]:
    """Findings in words; what many have in common is said once."""
    groups: t.Dict[t.Tuple[str, str, str, str], t.List[Finding]] = {}
    for one in some:
        groups.setdefault((one["rule"], one["severity"], one["why"], one.get("reason", "")), []).append(one)
    lines = []
    for (rule, severity, why, reason), found in groups.items():
        for one in found:
            lines.append("  [{0}] {1}: {2}{3}".format(severity, rule, one["what"], since(one)))
        lines.append("    Why: " + why)
        lines += ["    Waived: " + reason] if reason else ["    Remedy: " + one for one in dict.fromkeys(one["remedy"] for one in found)]
    return lines


def since(one: Finding) -> str:
    """Since when it is so, to follow on what is; empty where nobody knows."""
    return " (since {0} UTC)".format(one["since"].partition(".")[0].rstrip("Z").replace("T", " ")) if one["since"] else ""


def message(violations: t.Iterable[Finding]) -> str:
    """Violations as an error."""
    return "What is reachable is not what was declared:\n" + "\n".join(told(violations))


def _lines(facts: Facts, declared: Declared) -> t.List[t.Tuple[str, ...]]:
    """Sockets and published ports by port; a published port that has a socket is told once."""
    published = {(one["protocol"], one["address"], one["published"]): one for one in facts["published"]}
    found = {(one["protocol"], one["address"], one["port"]): one["owner"] for one in facts["endpoints"]}
    found.update({key: one["owner"] for key, one in published.items()})
    lines = []
    for key in sorted(found, key=lambda key: (key[2], key[0], key[1])):
        protocol, address, port = key
        target = " -> {0}".format(published[key]["target"]) if key in published else ""
        who = found[key]
        exposure = _exposure(key, who, facts, declared)
        lines.append(("{0}/{1}".format(port, protocol), shown(address, port) + target, _owner(who), exposure, ", ".join(who["routes"])))
    for one in facts["containers"]:
        for own in one["own_addresses"]:
            lines.append(("all", own["address"], "container {0}".format(one["name"]), own["why"], ""))
    return lines


def _exposure(key: t.Tuple[str, str, int], who: Facts, facts: Facts, declared: Declared) -> str:
    protocol, address, port = key
    table, service = facts["firewall"]["portside"], declared.service(who)
    if is_loopback(address) or not table["in_place"] or port in table["public"].get(protocol, ()):
        return exposure_of([address])
    # The firewall has rules of their own for what is not for everybody, or not at all addresses.
    for one in declared.open:
        if (one["protocol"], one["port"]) == (protocol, port):
            return ", ".join(one["sources"]) or "public"
    own = service.ports if service else ()
    return "public" if any(one.public and one.protocol == protocol and one.first <= port <= one.last for one in own) else "dropped"


def _owner(who: Facts) -> str:
    if who["stack"] and who["service"]:
        return "{0}/{1} ({2})".format(who["stack"], who["service"], who["container"])
    if who["container"]:
        return "container {0}".format(who["container"])
    return "{0} (pid {1})".format(who["process"], who["pid"]) if who["pid"] else who["process"] or "not seen"


def _table(lines: t.Sequence[t.Tuple[str, ...]]) -> t.List[str]:
    rows = [_HEAD, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
