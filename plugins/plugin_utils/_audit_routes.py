# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead and ambiguous routes in the configurations of nginx and cloudflared that a host has.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

import yaml
from ansible_collections.portside.stack.plugins.plugin_utils._audit_findings import Finding, finding
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_problems import cloudflared_problems
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_problems import nginx_problems

Mapping = t.Mapping[str, t.Any]

_KINDS = {
    "dead": ("medium", "dead_route", "What was to answer there never does; something else does instead, without an error anywhere."),
    "invalid": ("medium", "invalid_route", "The program refuses the configuration: what runs now is an earlier one, and the next start fails."),
    "suspicious": ("low", "ambiguous_route", "It is accepted, and can hardly be meant."),
}
_ELSEWHERE = {
    "token": "runs with a token: its rules are at Cloudflare, and were not seen. What they lead to is public.",
    "url": "was started for a single address (--url): all of that is public, at a name that Cloudflare gives.",
    "unknown": "runs with rules that were not found.",
}
# What YAML 1.2 has in the place of YAML 1.1's sexagesimal numbers, dates, and words for true and false.
_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
)


class _Loader(yaml.SafeLoader):
    """YAML as cloudflared's reader has it."""

    yaml_implicit_resolvers: t.ClassVar = {}


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver("tag:yaml.org,2002:" + _tag, re.compile("(?:{0})$".format(_pattern)), ["" if char == "\0" else char for char in _first])
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(loader.construct_scalar(node)))


def place_of(one: Mapping, program: str) -> str:
    """Whose configuration it is, and where."""
    where = "container {0}".format(one["container"]) if one["container"] else "the host"
    return "{0} of {1}".format(program, where) + (", {0}".format(one["path"]) if one["path"] else "")


def route_findings(audit: Mapping) -> t.Tuple[t.List[Finding], t.List[t.Dict[str, t.Any]], t.List[str]]:
    """What is wrong, what there is, and what was not seen."""
    found: t.List[Finding] = []
    routes: t.List[t.Dict[str, t.Any]] = []
    unseen: t.List[str] = []
    for one in audit["nginx"]:
        problems = list(_nginx(one))
        found += problems
        routes.append({"place": place_of(one, "nginx"), "running": one["running"], "rules": _nginx_rules(one), "problems": len(problems)})
    for one in audit["cloudflared"]:
        if one.get("elsewhere"):
            unseen.append("The {0} {1}".format(place_of(one, "cloudflared"), _ELSEWHERE[one["elsewhere"]]))
            continue
        rules, problem = _ingress(one)
        unseen += ["The rules of {0} were not understood: {1}.".format(place_of(one, "cloudflared"), problem)] if problem else []
        if rules:
            problems = list(_cloudflared(one, rules))
            found += problems
            shown = [_rule_text(rule) for rule in rules]
            routes.append({"place": place_of(one, "cloudflared"), "running": one["running"], "rules": shown, "problems": len(problems)})
    return found, routes, unseen


def _subject(one: Mapping) -> str:
    return "container {0}".format(one["container"]) if one["container"] else "the host"


def _found(one: Mapping, where: str, problem: Mapping) -> Finding:
    severity, rule, why = _KINDS[problem["kind"]]
    # What the judges say ends with the remedy, which is a sentence of its own.
    message, mark, remedy = problem["message"].rpartition(" Remedy: ")
    if not mark:
        message, mark, remedy = problem["message"].rpartition(". ")
        message += mark.strip()
    return finding(severity, rule, _subject(one), "{0}: {1}".format(where, message), why, remedy[:1].upper() + remedy[1:])


def _nginx(one: Mapping) -> t.Iterator[Finding]:
    taken: t.Dict[t.Tuple[str, str], str] = {}
    for server in one["servers"]:
        where = "{0}, server {1} ({2}:{3})".format(place_of(one, "nginx"), _names(server), server["file"], server["line"])
        pairs = {(_address(listen), name.lower()) for listen in server["listens"] or ["80"] for name in server["names"] or [""]}
        conflicts = sorted(pairs.intersection(taken))
        if conflicts:
            address, name = conflicts[0]
            message = "{0}: the name {1} at {2} is taken by {3}, so nginx ignores it here.".format(where, name or '""', address, taken[conflicts[0]])
            why = "nginx only warns of it: the first server of that name answers everything."
            severity = "medium" if len(conflicts) == len(pairs) else "low"
            yield finding(severity, "conflicting_server", _subject(one), message, why, "Remove one of them, or give it another name.")
        for pair in pairs:
            taken.setdefault(pair, "{0}:{1}".format(server["file"], server["line"]))
        for problem in nginx_problems(server["locations"], server["merge_slashes"]):
            yield _found(one, where, problem)


def _address(listen: str) -> str:
    """As nginx understands it: a port alone is all addresses."""
    if listen.startswith("unix:"):
        return listen
    host, colon, port = listen.rpartition(":")
    if listen.endswith("]") or (not colon and not listen.isdigit()):
        host, port = listen, "80"
    return "{0}:{1}".format("*" if host in ("", "*", "0.0.0.0") else host, port)


def _names(server: Mapping) -> str:
    return " ".join(server["names"]) or "without a name"


def _nginx_rules(one: Mapping) -> t.List[str]:
    return [
        "{0} at {1}: {2}".format(_names(server), ", ".join(server["listens"]) or "80", _count(server["locations"])) for server in one["servers"]
    ]


def _count(locations: t.Sequence[Mapping]) -> str:
    def size(some: t.Sequence[Mapping]) -> int:
        return sum(1 + size(one.get("locations", ())) for one in some)

    number = size(locations)
    return "{0} location{1}".format(number, "" if number == 1 else "s")


def _ingress(one: Mapping) -> t.Tuple[t.List[t.Any], str]:
    try:
        read = _Loader(one["ingress"]).get_single_data() or {}
        rules = read.get("ingress") or []
    except (yaml.YAMLError, AttributeError, ValueError) as error:
        return [], " ".join(str(error).split())
    return (rules, "") if isinstance(rules, list) else ([], "they are not a list")


def _cloudflared(one: Mapping, rules: t.List[t.Any]) -> t.Iterator[Finding]:
    for problem in cloudflared_problems(rules):
        yield _found(one, place_of(one, "cloudflared"), problem)


def _rule_text(rule: t.Any) -> str:
    if not isinstance(rule, dict):
        return "no rule"
    where = "{0}{1}".format(rule.get("hostname") or "any host", " path {0}".format(rule["path"]) if rule.get("path") else "")
    return "{0} -> {1}".format(where, rule.get("service"))
