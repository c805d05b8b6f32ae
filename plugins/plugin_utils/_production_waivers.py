# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules of production a stack breaks, and which of them are waived, with a reason.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import RULES as EXPOSURE_RULES
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._production_fault import Fault
from ansible_collections.portside.stack.plugins.plugin_utils._production_rules import OF_VALUES, RULES
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._settings import Setting, settings

PRODUCTION = "production"
ENVIRONMENTS = (PRODUCTION, "staging", "development")
_KEYS = ("rule", "service", "reason")

Services = t.Dict[str, model.Mapping]


def production_problems(report: Report, stack: model.Mapping, services: Services, active: Services) -> None:
    """Judges `environment` and `waivers`, and the stack by what they say."""
    environment = stack.get("environment")
    if isinstance(environment, str) and environment not in ENVIRONMENTS:
        report.unknown("environment", environment, ENVIRONMENTS, "an environment", "use " + ", ".join(ENVIRONMENTS))
    for index, waiver in enumerate(model.sequence(stack.get("waivers"))):
        _waiver_problems(report, "waivers[{0}]".format(index), waiver, services)
    if environment != PRODUCTION:
        return
    told = {name: settings(stack, name, service) for name, service in services.items()}
    found = {name: faults(stack, service, told[name]) for name, service in services.items()}
    for name in active:
        for rule, broken in found[name].items():
            if not waived(stack, rule, name):
                _fault_problems(report.of(name), rule, name, broken)
    for index, waiver in enumerate(model.sequence(stack.get("waivers"))):
        rule, service = _waiver(waiver)
        concerned = [service] if service is not None else list(services)
        needed = [name for name in concerned if name not in services or found[name].get(rule) or rule in OF_VALUES and _is_open(stack, told[name])]
        if rule in RULES and not needed:
            report.add("waivers[{0}]".format(index), "nothing breaks rule {0!r} there, so there is nothing to waive; take it out".format(rule))


def faults(stack: model.Mapping, service: model.Mapping, told: t.List[Setting]) -> t.Dict[str, t.List[Fault]]:
    """What of a service breaks which rule; a secret's value counts where its setting has it."""
    return {rule: list(judge(stack, service, told)) for rule, judge in RULES.items()}


def waived(stack: model.Mapping, rule: str, service: str) -> bool:
    """Whether the stack says that this rule need not hold for this service."""
    return any(_waiver(waiver) in ((rule, service), (rule, None)) for waiver in model.sequence(stack.get("waivers")))


def _waiver(waiver: t.Any) -> t.Tuple[str, t.Optional[str]]:
    waiver = model.mapping(waiver)
    return str(waiver.get("rule")), None if "service" not in waiver else str(waiver["service"])


def _waiver_problems(report: Report, where: str, waiver: t.Any, services: Services) -> None:
    if not isinstance(waiver, dict):
        report.add(where, "value {0} is not a mapping; write {{rule: ..., service: ..., reason: ...}}".format(shown(waiver)))
        return
    waiver = model.mapping(waiver)
    for key in waiver:
        if key not in _KEYS:
            report.unknown(where, key, _KEYS, "a key of a waiver", "use " + ", ".join(_KEYS))
    # What is waived on the host is only seen there.
    rules = [*RULES, *EXPOSURE_RULES]
    if str(waiver.get("rule")) not in rules:
        report.unknown(where, waiver.get("rule"), rules, "a rule", "the rules are " + ", ".join(rules))
    if "service" in waiver and str(waiver["service"]) not in services:
        report.unknown(where, waiver["service"], services, "a service of this stack", "declared are " + ", ".join(sorted(services)))
    reason = waiver.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        report.add(where, "it has no reason; say why the rule need not hold, for whoever reads this next")


def _is_open(stack: model.Mapping, told: t.List[Setting]) -> bool:
    """Whether the value of a secret may break a rule too; values are judged elsewhere."""
    secrets = model.sections(stack, "secrets")
    return any(setting.secret and setting.text is None and "generate" not in secrets.get(setting.secret, {}) for setting in told)


def _fault_problems(report: Report, rule: str, service: str, broken: t.List[Fault]) -> None:
    """One problem for all that have the same reason and the same remedy."""
    alike: t.Dict[t.Tuple[str, str], t.List[str]] = {}
    for fault in broken:
        keys = alike.setdefault((fault.why, fault.remedy), [])
        keys += [fault.key] if fault.key not in keys else []
    for (why, remedy), keys in alike.items():
        others = " (and so for {0})".format(", ".join(keys[1:])) if keys[1:] else ""
        waiver = "waivers: [{{rule: {0}, service: {1}, reason: ...}}]".format(rule, service)
        text = "{0}{1}, and production forbids it (rule {2}); {3}. If it is right here, say why: {4}"
        report.add(keys[0], text.format(why, others, rule, remedy, waiver))
