# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the variables that services cannot do without.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._placeholders import placeholder
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._settings import Setting, holds_credential, settings

Services = t.Dict[str, model.Mapping]


def required_environment_problems(report: Report, stack: model.Mapping, services: Services, active: Services) -> None:
    """Judges whether each service is given the variables it cannot do without, and whether somebody chose their values."""
    given = stack.get("required_environment")
    for name, required in given.items() if isinstance(given, dict) else ():
        if name not in services:
            report.unknown("required_environment", name, services, "a service of this stack", "declared are " + ", ".join(sorted(services)))
            continue
        about = report.of(name)
        told = [setting for setting in settings(stack, name, services[name]) if setting.variable]
        for group, entries in _groups(about, required):
            for entry in entries:
                names = _alternatives(about, entry)
                if names and name in active:
                    _variable_problem(about, names, group, told, services)


def _groups(report: Report, required: t.Any) -> t.List[t.Tuple[str, t.List[t.Any]]]:
    """The lists of variables, each under the name of its group; a single list has none."""
    found = []
    for group, entries in required.items() if isinstance(required, dict) else [("", required)]:
        if isinstance(entries, list):
            found.append((str(group), entries))
        elif entries is not None:
            where = "required_environment" + (".{0}".format(group) if group else "")
            report.add(where, "value {0} is not a list; write [NAME], or groups of such lists".format(shown(entries)))
    return found


def _alternatives(report: Report, entry: t.Any) -> t.List[str]:
    names = entry.split("|") if isinstance(entry, str) else entry
    if not isinstance(names, list) or not names or not all(isinstance(item, str) and item.strip() for item in names):
        report.add("required_environment", "value {0} is no name of a variable; write NAME".format(shown(entry)))
        return []
    return [item.strip() for item in names]


def _variable_problem(report: Report, names: t.List[str], group: str, told: t.List[Setting], services: Services) -> None:
    present = [setting for setting in told if setting.name in names or setting.variable in names]
    faults = [_fault(setting, services) for setting in present]
    if "" in faults:
        return
    what = " or ".join(names)
    needed = "required_environment{0} says the service cannot do without".format(" (group {0!r})".format(group) if group else "")
    if not present:
        remedy = "set it, or {0}_FILE to the path of a secret, or name a secret for it under `secret_environment`".format(names[0])
        report.add("environment", "{0} is missing, and {1}; {2}".format(what, needed, remedy))
        return
    for setting, fault in zip(present, faults):
        report.add(setting.key, "{0} {1}, and {2}; give it a value of your own".format(what, fault, needed))


def _fault(setting: Setting, services: Services) -> str:
    """Why the variable does not count as given. A value is not shown: it may be a secret."""
    if setting.text is None:
        return ""
    if not setting.text.strip():
        return "is empty"
    reason = placeholder(setting.text, holds_credential(setting.name)) if setting.text not in services else ""
    return "has a value that nobody chose ({0})".format(reason) if reason else ""
