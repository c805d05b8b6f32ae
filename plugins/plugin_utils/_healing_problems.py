# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of what a stack says of its self-healing.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

_KEYS = ("enabled", "except", "attempts")


def healing_problems(report: Report, stack: model.Mapping, services: t.Mapping[str, model.Mapping]) -> None:
    """Judges `self_healing`; ``services`` are all that are declared."""
    settings = model.mapping(stack.get("self_healing"))
    for key in settings:
        if key not in _KEYS:
            report.unknown("self_healing", key, _KEYS, "a key of self_healing", "use " + ", ".join(_KEYS))
    if not isinstance(settings.get("enabled", True), bool):
        report.add("self_healing.enabled", "value {0} is not true or false".format(shown(settings["enabled"])))
    attempts = settings.get("attempts", 1)
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= 100:
        report.add("self_healing.attempts", "value {0} is not a number from 1 to 100; leave it out for 5".format(shown(attempts)))
    left = settings.get("except", [])
    if not isinstance(left, list):
        report.add("self_healing.except", "value {0} is not a list; write [NAME, ...]".format(shown(left)))
        return
    for name in left:
        _exception_problems(report, name, left, dict(services))


def _exception_problems(report: Report, name: t.Any, left: t.List[t.Any], services: t.Dict[str, model.Mapping]) -> None:
    key = "self_healing.except"
    if not isinstance(name, str) or name not in services:
        report.unknown(key, name, services, "a service of the stack", "remove it")
        return
    if name in model.one_shots(services):
        report.add(key, "service {0!r} runs once and ends, so it is never restarted; remove it".format(name))
    elif not model.has_healthcheck(services[name]):
        report.add(
            key,
            "service {0!r} declares no healthcheck, so there is nothing to except it from; remove it, or, where its image brings one, "
            "write for example healthcheck: {{interval: 30s}}".format(name),
        )
    for shared, leader in model.shared_services(services[name]).items():
        if shared == "network_mode" and leader in services and leader not in left:
            report.add(
                key,
                "service {0!r} has the network of {1!r}, and would be cut off when that is restarted; name {1!r} here too, or neither".format(name, leader),
            )
