# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of what a stack declares beside its services.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, did_you_mean, shown
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems

_KNOWN = {
    "networks": ("attachable", "driver", "driver_opts", "enable_ipv4", "enable_ipv6", "external", "internal", "ipam", "labels", "name"),
    "volumes": ("driver", "driver_opts", "external", "labels", "name"),
}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LENGTHS = (16, 4096)


Names = t.Dict[t.Tuple[str, str], str]


def network_and_volume_problems(report: Report, stack: model.Mapping, real: Names) -> None:
    """Judges the declared networks and volumes; ``real`` has the engine's names of them over all stacks."""
    for section, known in _KNOWN.items():
        given = stack.get(section)
        for key, options in given.items() if isinstance(given, dict) else ():
            where = "{0}.{1}".format(section, key)
            if options is not None and not isinstance(options, dict):
                report.add(where, "value {0} is not a mapping; write {{}} for the defaults".format(shown(options)))
            options = model.mapping(options)
            for option in options:
                if option not in known and not str(option).startswith("x-"):
                    report.unknown(where, option, known, "a key of it", "use " + ", ".join(known))
            external = options.get("external", False)
            if not isinstance(external, bool):
                report.add(where, "external {0} is not true or false; the name goes into `name`".format(shown(external)))
            elif external and set(options) - {"external", "name"}:
                report.add(where, "an external one is made elsewhere; leave out all but `name`")
            if not isinstance(key, str) or not _FILE_NAME.fullmatch(key):
                report.add(where, "{0} is not a name; use letters, digits, ., _ and -".format(shown(key)))
            name = model.real_name(str(stack.get("name")), str(key), options)
            mine = "{0} {1!r} of stack {2!r}".format(section[:-1], str(key), stack.get("name"))
            if not external:
                if (section, name) in real:
                    other = real[section, name]
                    report.add(where, "the engine would call it {0!r}, which is also {1}; give one another `name`".format(name, other))
                real[section, name] = mine
            text_problems(report, options, where)


def config_problems(report: Report, stack: model.Mapping) -> None:
    """Judges the declared configs."""
    given = stack.get("configs")
    for name, config in given.items() if isinstance(given, dict) else ():
        where = "configs.{0}".format(name)
        _file_name_problem(report, where, name)
        config = model.mapping(config)
        content = config.get("content")
        for key in config:
            if key != "content":
                hint = "the content is part of the declaration: content: \"{{ lookup('ansible.builtin.file', ...) }}\""
                report.add(where, "{0!r} is not a key of a config; {1}".format(key, hint))
        if not isinstance(content, str):
            report.add(where, "its content is {0}; write content: |".format("missing" if content is None else "not text"))
        text_problems(report, content, where + ".content", interpolated=False)


def secret_problems(
    report: Report,
    stack: model.Mapping,
    active: t.Dict[str, model.Mapping],
    secret_names: t.Optional[t.Dict[str, t.List[str]]],
) -> None:
    """Judges the declared secrets; a value is never seen here."""
    given = stack.get("secrets")
    given = given if isinstance(given, dict) else {}
    for name, secret in given.items():
        where = "secrets.{0}".format(name)
        _file_name_problem(report, where, name)
        if re.search(r"_v[0-9]+$", str(name)):
            report.add(where, "the name looks like a version of another secret; leave _vN out, versions are kept for you")
        if secret is not None and not isinstance(secret, dict):
            report.add(where, "a secret is declared by how it is made, {}; its value goes to stack_secrets")
        for key, value in model.mapping(secret).items():
            if key != "generate":
                report.add(where, "{0!r} is not a key of a secret; values go to stack_secrets, use generate: LENGTH".format(key))
            elif isinstance(value, bool) or not isinstance(value, int) or not _LENGTHS[0] <= value <= _LENGTHS[1]:
                report.add(where, "generate {0} is not a length from {1} to {2}".format(shown(value), *_LENGTHS))
    if secret_names is None:
        return
    valued = [str(name) for name in model.sequence(model.mapping(secret_names).get(str(stack.get("name"))))]
    used = {reference["source"] for service in active.values() for reference in model.references(service, "secrets")}
    for name in sorted(used & {str(name) for name in given}):
        if name not in valued and not model.mapping(given[name]).get("generate"):
            report.add(
                "secrets.{0}".format(name),
                "it has no value; put one into stack_secrets, or write {generate: 64} to have one made on the host",
            )
    for name in valued:
        if name not in given:
            hint = did_you_mean(name, given) or "declare it under `secrets`, or remove the value"
            report.add("secrets", "stack_secrets has a value for {0!r}, which is not declared; {1}".format(name, hint))


def required_environment_problems(report: Report, stack: model.Mapping, services: t.Dict[str, model.Mapping], active: t.Dict[str, model.Mapping]) -> None:
    """Judges whether each service is given the variables it cannot do without."""
    given = stack.get("required_environment")
    for name, required in given.items() if isinstance(given, dict) else ():
        if name not in services:
            report.unknown("required_environment", name, services, "a service of this stack", "declared are " + ", ".join(sorted(services)))
            continue
        if required is not None and not isinstance(required, list):
            report.of(name).add("required_environment", "value {0} is not a list; write [NAME]".format(shown(required)))
        environment = model.pairs(services[name].get("environment"))
        for entry in model.sequence(required) if name in active else ():
            names = entry.split("|") if isinstance(entry, str) else entry
            if not isinstance(names, list) or not names or not all(isinstance(item, str) and item.strip() for item in names):
                report.of(name).add("required_environment", "value {0} is no name of a variable; write NAME".format(shown(entry)))
                continue
            _variable_problem(report.of(name), [item.strip() for item in names], environment)


def _variable_problem(report: Report, names: t.List[str], environment: t.Dict[str, t.Any]) -> None:
    present = [name for item in names for name in (item, item + "_FILE") if name in environment]
    if any(environment[name] not in (None, "") for name in present):
        return
    what = " or ".join(names)
    state = "is empty" if present else "is missing"
    report.add(
        "environment",
        "{0} {1}, and required_environment says the service cannot do without; set it, or {2}_FILE to the path of a secret".format(what, state, names[0]),
    )


def _file_name_problem(report: Report, where: str, name: t.Any) -> None:
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        report.add(where, "{0} is not a name; use letters, digits, ., _ and -, at most 64".format(shown(name)))
