# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the values of secrets. What is said of a value never holds one.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._placeholders import placeholder
from ansible_collections.portside.stack.plugins.plugin_utils._production_rules import OF_VALUES
from ansible_collections.portside.stack.plugins.plugin_utils._production_waivers import PRODUCTION, faults, waived
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._settings import settings
from ansible_collections.portside.stack.plugins.plugin_utils._tunnel_credentials import credentials_problem
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import used_secrets, with_parts

# Shorter values stand anywhere by chance.
_LEAST_FOUND = 8
# Secrets that are no credentials: who somebody is, and where.
_IDENTITY = re.compile(r"(?:^|[^a-z0-9])(?:user|username|name|role|host|hostname|domain|email|port|region|bucket|endpoint)$", re.IGNORECASE)
# What ansible-core 2.19 and later, and 2.18 and earlier, make of `!vault`.
_ENCRYPTED = ("EncryptedString", "AnsibleVaultEncryptedUnicode")

Values = t.Dict[str, str]


def value_problems(stacks: t.Any, stack_secrets: t.Any) -> t.List[str]:
    """Every problem of a value: each names stack and secret, says why, and what to do."""
    problems: t.List[str] = []
    for name, given in model.mapping(stack_secrets).items():
        if given is not None and not isinstance(given, dict):
            Report(name, problems).add("stack_secrets", "it is not a mapping; write NAME: VALUE below the stack, without a dash")
    for stack in model.sequence(stacks):
        stack = model.mapping(stack)
        given = model.mapping(stack_secrets).get(str(stack.get("name")))
        if isinstance(given, dict):
            _one_stack(Report(stack.get("name"), problems), stack, {str(name): value for name, value in given.items()})
    return problems


def _one_stack(report: Report, stack: model.Mapping, given: model.Mapping) -> None:
    reached = [entry["secret"] for entry in model.sections(stack, "external").values() if isinstance(entry.get("secret"), str)]
    needed = used_secrets(stack) | with_parts(stack, reached)
    values: Values = {}
    for name, value in given.items():
        where = "secrets.{0}".format(name)
        text = _text(value)
        if text is None:
            report.add(where, "its value is not text, and would not be written as it is meant; quote it")
        elif not text.strip():
            if name in needed:
                report.add(where, "its value is empty; put one into stack_secrets, or write {generate: 64} to have one made on the host")
        elif name in needed and placeholder(text, not _IDENTITY.search(name)):
            reason = placeholder(text, not _IDENTITY.search(name))
            report.add(where, "its value was never chosen: {0}; put one of your own into stack_secrets, or have it made on the host".format(reason))
        else:
            values[name] = text
    _tunnel_problems(report, model.mapping(stack.get("edge")), values)
    if stack.get("environment") == PRODUCTION:
        _production_problems(report, stack, values)
    sought = {form: name for name, value in values.items() if not _IDENTITY.search(name) for form in _forms(value) if len(form) >= _LEAST_FOUND}
    _open_problems(report, stack, sought)


def _tunnel_problems(report: Report, edge: model.Mapping, values: Values) -> None:
    name, tunnel = edge.get("credentials"), edge.get("tunnel")
    if isinstance(tunnel, str) and isinstance(name, str) and name in values:
        problem = credentials_problem(values[name], tunnel)
        if problem:
            report.add("secrets.{0}".format(name), problem)


def _text(value: t.Any) -> t.Optional[str]:
    """The value as text: one that Ansible has still encrypted says it when it is asked."""
    if value is None:
        return ""
    if type(value).__name__ in _ENCRYPTED:
        return "".join(str(value))
    return value if isinstance(value, str) else None


def _production_problems(report: Report, stack: model.Mapping, values: Values) -> None:
    """The rules of production again, where a value makes a difference: once for all services that are given it."""
    alike: t.Dict[t.Tuple[str, str, str, str], t.List[str]] = {}
    for name, service in model.active_services(stack).items():
        told = settings(stack, name, service)
        filled = [one._replace(text=values[one.secret]) if one.text is None and one.secret in values else one for one in told]
        before, after = faults(stack, service, told), faults(stack, service, filled)
        secrets = {one.key: one.secret for one in told}
        for rule in OF_VALUES:
            for fault in after[rule] if not waived(stack, rule, name) else ():
                if fault not in before[rule] and secrets.get(fault.key):
                    alike.setdefault((secrets[fault.key], rule, fault.why, fault.remedy), []).append(name)
    for (secret, rule, why, remedy), names in alike.items():
        text = "of the value that {0} given, {1}, and production forbids it (rule {2}); {3}. If it is right here, say why: {4}"
        whom = "service {0!r} is".format(names[0]) if len(set(names)) == 1 else "services {0} are".format(", ".join(sorted(set(names))))
        waiver = "waivers: [{{rule: {0}, service: {1}, reason: ...}}]".format(rule, names[0])
        report.add("secrets.{0}".format(secret), text.format(whom, why, rule, remedy, waiver))


def _forms(value: str) -> t.Set[str]:
    """How a value may stand in a text."""
    bare = value.strip()
    return {bare, quote(bare, safe="", errors="replace")}


def _open_problems(report: Report, stack: model.Mapping, sought: t.Dict[str, str]) -> None:
    """Values that also stand in the declaration, where everybody reads them."""
    for path, text in _texts(stack, (), list(sought)):
        for form, secret in sought.items():
            if form in text or form in text.replace("$$", "$"):
                about, key = (report.of(path[1]), path[2:]) if path[:1] == ("services",) and len(path) > 2 else (report, path)
                hint = "name the secret under `secret_environment`, mount it as a file, or compose a text with it as the `template` of a secret"
                about.add(".".join(key), "it has the value of the secret {0!r}, and would show it to everybody; {1}".format(secret, hint))


def _texts(value: t.Any, path: t.Tuple[str, ...], sought: t.List[str]) -> t.Iterator[t.Tuple[t.Tuple[str, ...], str]]:
    """Every text below with the place it stands in; a place that is itself such a value is not named."""
    if isinstance(value, dict):
        for key, item in value.items():
            name = str(key)
            yield path, name
            yield from _texts(item, path if any(form in name for form in sought) else (*path, name), sought)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path[:-1], "{0}[{1}]".format(path[-1], index)) if path else path, sought)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield path, str(value)
