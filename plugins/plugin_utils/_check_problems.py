# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the declared checks.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_rules import flaws, services_used
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

Services = t.Dict[str, model.Mapping]


def check_problems(report: Report, stack: model.Mapping, services: Services, active: Services) -> None:
    """Judges each check by itself, their names among each other, and what of the stack they name."""
    seen: t.Set[str] = set()
    for index, check in enumerate(model.sequence(stack.get("checks"))):
        where = "checks[{0}]".format(index)
        if not isinstance(check, dict):
            report.add(where, "value {0} is not a mapping; write {{name: ..., url: ...}}".format(shown(check)))
            continue
        check = model.mapping(check)
        for flaw in flaws(check):
            if flaw.known:
                report.unknown(where, flaw.name, flaw.known, "a key of a check", flaw.text)
            else:
                report.add(where, flaw.text)
        if check.get("name") and str(check["name"]) in seen:
            report.add(where, "two checks are named {0!r}; rename one".format(check["name"]))
        seen.add(str(check.get("name")))
        for used in services_used(check):
            _service_problems(report, where, used.key, used.service, services, active)
        _secret_problems(report, where, check.get("password_secret"), stack)


def _service_problems(report: Report, where: str, key: str, name: str, services: Services, active: Services) -> None:
    said = "{0} is about service {1!r}, which ".format(key, name)
    if name not in services:
        report.unknown(where, name, services, "a service of this stack", "correct {0}; a host elsewhere is written with a dot in its name".format(key))
    elif name not in active:
        report.add(where, said + "is off: none of its profiles is enabled; enable one under `profiles`, or remove the check")
    elif str(model.replicas(services[name])) == "0":
        report.add(where, said + "has no containers: it is scaled to 0; scale it up, or remove the check")
    elif name in model.one_shots(services):
        report.add(where, said + "runs once and ends; check what it leaves, or remove the check")


def _secret_problems(report: Report, where: str, name: t.Any, stack: model.Mapping) -> None:
    secrets = model.sections(stack, "secrets")
    if isinstance(name, str) and name not in secrets:
        report.unknown(where, name, secrets, "a declared secret", "declare it under `secrets`")
