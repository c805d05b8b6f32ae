# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is invalid, dead or not meant among the ingress rules of cloudflared.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _cloudflared_hosts as hosts
from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_rules import Rule, read_rule
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_service import service_refusals, service_suspicions
from ansible_collections.portside.stack.plugins.plugin_utils._regex_go import parse_go
from ansible_collections.portside.stack.plugins.plugin_utils._regex_habits import asking, habits
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import TooCostly
from ansible_collections.portside.stack.plugins.plugin_utils._regex_search import Question, Searcher

Problem = t.Dict[str, t.Any]
_ROOTED = parse_go("^/").node
# Half a pair of UTF-16 is in no text.
_TEXT = ((0, 0xD7FF), (0xE000, tree.UNICODE))
_VISIBLE = ((0x20, 0x7E), (0xA0, 0xD7FF), (0xE000, tree.UNICODE))
_UGLY = parse_go(r"//|/\.\.?(/|\z)").node
_NOT_LAST = "Rule #{0} is matching the hostname '{1}', but this will match every hostname, meaning the rules which follow it will never be triggered"
_LAST = "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)"


def cloudflared_problems(rules: t.Any) -> t.List[Problem]:
    """Every problem of the rules, in their order. Total on any input."""
    if not isinstance(rules, list) or not rules:
        message = "cloudflared refuses it: The config file doesn't contain any ingress rules. Remedy: give the list that stands under ingress."
        return [_problem(None, "invalid", message)]
    judge = _Judge(rules)
    return [problem for index in range(len(rules)) for problem in judge.problems(index)]


def _problem(index: t.Optional[int], kind: str, message: str, example: str = "") -> Problem:
    return {"rule": index, "kind": kind, "message": message, "example": example}


def named(rule: Rule) -> str:
    parts = ["host {0}".format(rule.hostname)] if rule.hostname else []
    parts += ["path {0}".format(rule.path)] if rule.path else []
    return "rules[{0}] ({1})".format(rule.index, ", ".join(parts) or "everything")


class _Judge:
    def __init__(self, rules: t.List[t.Any]) -> None:
        self.given = rules
        self.searcher = Searcher()
        self.rules: t.List[Rule] = []
        self.broken: t.Dict[int, str] = {}
        # Those of which only the path is broken.
        self.pathless: t.Dict[int, Rule] = {}
        for index, given in enumerate(rules):
            try:
                self.rules.append(read_rule(index, given))
            except tree.BadRegex as error:
                reason = "cloudflared refuses it: Rule #{0} has an invalid regex: {1}. Remedy: {2}."
                self.broken[index] = reason.format(index + 1, error, _regex_remedy(str(error)))
                self.pathless[index] = read_rule(index, {**given, "path": ""})._replace(path=given["path"])
            except StackError as error:
                self.broken[index] = str(error)

    def problems(self, index: int) -> t.Iterator[Problem]:
        given = self.given[index]
        rule = next((rule for rule in self.rules if rule.index == index), None)
        shown = rule or self.pathless.get(index)
        where = named(shown) if shown else "rules[{0}]".format(index)
        if index in self.broken:
            yield _problem(index, "invalid", "{0}: {1}".format(where, self.broken[index]))
        if not isinstance(given, dict):
            return
        refusals = list(service_refusals(given)) + (self._refusals(shown) if shown else [])
        for reason, remedy in refusals:
            # A login in a service is nobody's to read.
            reason = re.sub("//[^/@]*@", "//...@", reason)
            yield _problem(index, "invalid", "{0}: cloudflared refuses it: {1}. Remedy: {2}.".format(where, reason.rstrip("."), remedy))
        if rule:
            yield from self._of_rule(rule, where)
        for message in service_suspicions(given):
            yield _problem(index, "suspicious", "{0}: {1}".format(where, message))

    def _refusals(self, rule: Rule) -> t.List[t.Tuple[str, str]]:
        found = [finding for finding in [hosts.host_refusal(rule.hostname)] if finding]
        catches_all, last = rule.hostname in ("", "*") and not rule.path, rule.index == len(self.given) - 1
        if last and not catches_all:
            found.append((_LAST, "add a last rule with only a service, such as http_status:404"))
        if catches_all and not last:
            found.append((_NOT_LAST.format(rule.index + 1, rule.hostname), "move it to the end, or give it a hostname or a path"))
        return found

    def _of_rule(self, rule: Rule, where: str) -> t.Iterator[Problem]:
        try:
            suspicion, host = hosts.host_suspicion(rule.hostname), hosts.real_host(rule.hostname)
        except hosts.Undecided as error:
            yield _problem(rule.index, "suspicious", "{0}: it cannot be decided {1}. Write it as xn--..., in lower case.".format(where, error))
            return
        if suspicion:
            yield _problem(rule.index, "suspicious", "{0}: its hostname never takes a request, or not those that were meant: {1}.".format(where, suspicion))
        elif not hosts.host_refusal(rule.hostname):
            yield from self._dead(rule, host, where)
        if rule.pattern is None:
            return
        if rule.pattern.unknown:
            message = "{0}: what its path matches cannot be decided here, because {1}. Install google-re2, or ask `cloudflared tunnel ingress rule` about it."
            yield _problem(rule.index, "suspicious", message.format(where, rule.pattern.unknown))
            return
        for finding in habits(rule.pattern.node, rule.path, asking(self._find, spelled), letters=True):
            example = _sample(host) + finding.example if finding.example else ""
            yield _problem(rule.index, "suspicious", "{0}: {1}".format(where, finding.message), example)

    def _find(self, takes: t.Iterable[tree.Node], leaves: t.Iterable[tree.Node], alphabet: tree.Ranges = _TEXT) -> t.Optional[t.List[int]]:
        return self.searcher.find(Question([_ROOTED, *takes], list(leaves), alphabet, (_UGLY,)))

    def _dead(self, rule: Rule, host: str, where: str) -> t.Iterator[Problem]:
        # The last rule has to be there, also where nothing is left for it.
        if rule.index == len(self.given) - 1 and str(self.given[rule.index].get("service")).startswith("http_status:"):
            return
        mine = [rule.pattern.node] if rule.pattern else []
        try:
            earlier = [other for other in self.rules if other.index < rule.index and hosts.covers_host(other.hostname, host)]
            sure = [other for other in earlier if not (other.pattern and other.pattern.unknown)]
            left, alphabet = self._find(mine, [_node(other) for other in earlier]), _TEXT
            if left is not None:
                # Dots take no line ends: what is left by them alone is not what the rule is for.
                alphabet = _VISIBLE
                if _is_visible(left) or self._find(mine, [_node(other) for other in earlier], alphabet) is not None:
                    return
            if self._find(mine, [_node(other) for other in sure], alphabet) is not None:
                message = "{0}: whether any request comes to it cannot be decided, because of expressions above it. Ask cloudflared itself."
                yield _problem(rule.index, "suspicious", message.format(where))
                return
            example = self._find([_as_meant(node) for node in mine], [], alphabet) or self._find(mine, [], alphabet)
            covering = self._covering(mine, sure, alphabet)
        except hosts.Undecided as error:
            yield _problem(rule.index, "suspicious", "{0}: whether it is ever reached cannot be decided: {1}. Write such names as xn--...".format(where, error))
            return
        except TooCostly:
            message = "{0}: whether any request comes to it takes too much work to decide. Write simpler expressions."
            yield _problem(rule.index, "suspicious", message.format(where))
            return
        if example is None:
            if left is None:
                message = "{0}: no request has a path that it takes: each begins with a slash. Correct or remove it."
                yield _problem(rule.index, "dead", message.format(where))
            return
        taking = next((other for other in sure if self.searcher.matches(_node(other), example)), covering[0])
        above = " and ".join(named(other) for other in covering)
        shown = _sample(host) + spelled(example)
        takes, last = "takes" if len(covering) == 1 else "take", rule.index == len(self.given) - 1
        remedy = (
            "Narrow those above it, or let it answer http_status:404"
            if last
            else "Move it above {0}, or remove it".format("that one" if len(covering) == 1 else "them")
        )
        if left is None:
            message = "{0}: no request comes to it, because {1} above it {2} all of its paths: {3} is answered by rules[{4}]. {5}."
            yield _problem(rule.index, "dead", message.format(where, above, takes, shown, taking.index, remedy), shown)
        else:
            message = "{0}: only paths with control characters such as {1} come to it, because {2} above it {3} all others. {4}."
            yield _problem(rule.index, "suspicious", message.format(where, spelled(left), above, takes, remedy), _sample(host) + spelled(left))

    def _covering(self, mine: t.List[tree.Node], earlier: t.Sequence[Rule], alphabet: tree.Ranges) -> t.List[Rule]:
        """The one rule that takes everything, or else few that do together."""
        for other in earlier:
            if self._find(mine, [_node(other)], alphabet) is None:
                return [other]
        kept = list(earlier)
        for other in earlier:
            fewer = [rule for rule in kept if rule is not other]
            if self._find(mine, [_node(rule) for rule in fewer], alphabet) is None:
                kept = fewer
        return kept


def _node(rule: Rule) -> tree.Node:
    return rule.pattern.node if rule.pattern else tree.EMPTY


def _as_meant(node: tree.Node) -> tree.Node:
    """The same where a star repeats its letter at least once: who takes it for a glob thinks so, and an example reads better."""
    if node[0] in ("cat", "alt"):
        return (node[0], tuple(_as_meant(part) for part in node[1]))
    if node[0] == "rep" and node[2:] == (0, None) and node[1][0] == "set" and sum(high - low + 1 for low, high in node[1][1]) == 1:
        return ("rep", node[1], 1, None)
    return node


def _is_visible(text: t.Iterable[int]) -> bool:
    return all(tree.holds(_VISIBLE, number) for number in text)


def _regex_remedy(error: str) -> str:
    if "(?=" in error or "(?!" in error or "(?<" in error:
        return "Go has no look-ahead and look-behind: write what is to match, and put a rule above it for what is not"
    if "missing argument" in error:
        return "it is a regular expression, no glob: write .* for anything, or ^/name(/|$) for everything at and below /name"
    return "write a regular expression of Go (RE2)"


def _sample(host: str) -> str:
    """A host that the real name of a rule takes."""
    return "www" + host[1:] if host.startswith("*.") else host


def spelled(path: t.Sequence[int]) -> str:
    """The path as a request has it."""
    return quote("".join(map(chr, path)).encode("utf-8", "surrogatepass"), safe="/-_.~!$&'()*+,;=:@")
