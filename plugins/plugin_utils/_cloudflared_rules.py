# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ingress rules as cloudflared reads them, and which one answers a request.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _cloudflared_hosts as hosts
from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_go import parse_go
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import Effort, Machine, TooCostly
from ansible_collections.portside.stack.plugins.plugin_utils._regex_unicode import re2

EFFORT = 3000000


class Rule(t.NamedTuple):
    index: int
    hostname: str
    path: str
    pattern: t.Optional[tree.Pattern]  # None: any path


def cloudflared_match(rules: t.Any, host: t.Any, path: t.Any) -> int:
    """The position of the rule that answers a request for that Host header and path."""
    if not isinstance(rules, list) or not rules:
        raise StackError("There are no rules: give the list that stands under ingress in cloudflared's configuration.")
    for name, value in (("host", host), ("path", path)):
        if not isinstance(value, str):
            raise StackError("The {0} is not a text, but {1!r}. Give it as it stands in the request.".format(name, value))
    return answering([_readable(index, given) for index, given in enumerate(rules)], host, path)


def answering(rules: t.Sequence[Rule], host: str, path: str) -> int:
    plain_host = hosts.without_port(host)
    text = decoded_path(path)
    for rule in rules:
        if _takes_host(rule, host if plain_host is None else plain_host) and _takes_path(rule, text):
            return rule.index
    # Only reached where the last rule is none that cloudflared would accept; it falls back to it all the same.
    return len(rules) - 1


def decoded_path(path: str) -> str:
    """The path as Go's URL holds it, without query and fragment; what is no valid escape stays as it is, and each stray byte becomes U+FFFD."""
    raw = path.partition("#")[0].partition("?")[0].encode("utf-8", "surrogateescape")
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found.group(1), 16)]), raw)
    return re.sub("[\udc80-\udcff]", "\ufffd", raw.decode("utf-8", "surrogateescape"))


def read_rule(index: int, given: t.Any) -> Rule:
    """The rule; raises BadRegex where its path is no expression to cloudflared, StackError where it is no rule at all."""
    if not isinstance(given, dict):
        raise StackError("It is not a mapping, but {0!r}. Give the keys hostname, path and service.".format(given))
    texts = []
    for key in ("hostname", "path"):
        value = given.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise StackError("Its key {0!r} is not a text, but {1!r}. Write it in quotes.".format(key, value))
        texts.append(value or "")
    return Rule(index, texts[0], texts[1], parse_go(texts[1]) if texts[1] else None)


def _readable(index: int, given: t.Any) -> Rule:
    try:
        return read_rule(index, given)
    except tree.BadRegex as error:
        raise StackError("rules[{0}]: cloudflared refuses its path {1!r}: {2}. Correct the regular expression.".format(index, given["path"], error)) from None
    except StackError as error:
        raise StackError("rules[{0}]: {1}".format(index, error)) from None


def _takes_host(rule: Rule, host: str) -> bool:
    try:
        return hosts.takes_host(rule.hostname, host)
    except hosts.Undecided as error:
        raise StackError("rules[{0}]: it cannot be decided {1}. Write it as the request has it: xn--..., in lower case.".format(rule.index, error)) from None


def _takes_path(rule: Rule, text: str) -> bool:
    if rule.pattern is None:
        return True
    try:
        found = Machine(rule.pattern.node, Effort(EFFORT)).matches(map(ord, text))
    except TooCostly:
        raise StackError("rules[{0}]: whether its path {1!r} matches takes too much work to decide. Write it simpler.".format(rule.index, rule.path)) from None
    if not found or not rule.pattern.unknown:
        return found
    if re2 is None:
        message = "rules[{0}]: whether its path {1!r} matches cannot be decided without google-re2, because {2}. Install that package, or write it without."
        raise StackError(message.format(rule.index, rule.path, rule.pattern.unknown))
    try:
        return re2.search(rule.path, text) is not None
    except re2.error as error:
        raise StackError("rules[{0}]: google-re2 does not know its path {1!r}: {2}. Write it without.".format(rule.index, rule.path, error)) from None
