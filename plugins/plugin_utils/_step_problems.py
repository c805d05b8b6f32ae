# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the declared steps.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._steps import database_of, words
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems

# Part of the names of a container and of a dump's file.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")
_DATABASE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_COMMANDS = ("command", "check", "schema_command")
_FLAGS = ("rerun", "once")
_KEYS = ("name", "service", "command", "before", "after", "timeout", *_FLAGS, "check", "dump", "schema", "schema_command")
_DUMP_KEYS = ("service", "database", "user")

Services = t.Mapping[str, model.Mapping]


def step_problems(report: Report, stack: model.Mapping, services: Services, active: Services) -> None:
    """Judges each step by itself, and their names among each other."""
    seen: t.Set[str] = set()
    for index, step in enumerate(model.sequence(stack.get("steps"))):
        where = "steps[{0}]".format(index)
        if not isinstance(step, dict):
            report.add(where, "value {0} is not a mapping; write {{name: ..., service: ..., command: ...}}".format(shown(step)))
            continue
        step = model.mapping(step)
        text_problems(report, step, where, interpolated=False)
        _name_problems(report, where, step.get("name"), seen)
        _service_problems(report, where, step, services, active, "the service whose image and settings it runs with")
        _key_problems(report, where, step)
        if "dump" in step:
            _dump_problems(report, where + ".dump", step["dump"], dict(services), active)
            _reach_problems(report, where + ".dump", str(step.get("service")), model.mapping(step["dump"]).get("service"), services)


def _name_problems(report: Report, where: str, name: t.Any, seen: t.Set[str]) -> None:
    if name is None:
        report.add(where, "it has no name; add name: ...")
    elif not isinstance(name, str) or not _NAME.fullmatch(name):
        report.add(where, "{0} is not a name for a step; use letters, digits, _, . and -, at most 41, a letter or digit first".format(shown(name)))
    elif name in seen:
        report.add(where, "two steps are named {0!r}; rename one".format(name))
    seen.add(str(name))


def _service_problems(report: Report, where: str, given: model.Mapping, services: Services, active: Services, what: str) -> None:
    name = given.get("service")
    if name is None:
        report.add(where, "it names no service; add service: ..., {0}".format(what))
    elif str(name) not in services:
        report.unknown(where, str(name), services, "a service of this stack", "name {0}".format(what))
    elif str(name) not in active:
        report.add(where, "service {0!r} is off: none of its profiles is enabled; enable one under `profiles`".format(str(name)))


def _key_problems(report: Report, where: str, step: model.Mapping) -> None:
    for key in step:
        if key not in _KEYS:
            report.unknown(where, key, _KEYS, "a key of a step", "use " + ", ".join(_KEYS))
    if "command" not in step:
        report.add(where, "it has no command; add command: ...")
    for key in _COMMANDS:
        if key in step:
            _command_problems(report, where, key, step[key])
    moments = [key for key in ("before", "after") if key in step]
    if len(moments) != 1:
        said = "says both before and after" if moments else "does not say when it runs"
        report.add(where, "it {0}; write before: activate (the previous release still serves) or after: activate".format(said))
    for key in moments:
        if step[key] != "activate":
            report.add(where, "{0} {1} is not a moment; write {0}: activate".format(key, shown(step[key])))
    if "timeout" in step and not _is_seconds(step["timeout"]):
        report.add(where, "timeout {0} is not a whole number of seconds from 1 on; write 600".format(shown(step["timeout"])))
    for key in _FLAGS:
        if not isinstance(step.get(key, False), bool):
            report.add(where, "{0} {1} is neither true nor false".format(key, shown(step[key])))
    if step.get("schema", "auto") not in ("auto", "none"):
        report.add(where, "schema {0} is neither auto nor none (the step leaves every schema as it is)".format(shown(step["schema"])))


def _command_problems(report: Report, where: str, key: str, command: t.Any) -> None:
    found = words(command)
    if found is None:
        report.add(where, "{0} {1} is not a command; write it as text with its quotes closed, or as a list of words".format(key, shown(command)))
    elif any("$$" in word for word in found):
        report.add(where, "{0} has $$, but Compose does not read it, so it would stay as it is; write a single $".format(key))


def _is_seconds(value: t.Any) -> bool:
    return not isinstance(value, bool) and bool(re.fullmatch(r"[1-9][0-9]{0,8}", str(value)))


def _reach_problems(report: Report, where: str, service: str, database: t.Any, services: Services) -> None:
    """What a step's service depends on is what runs before the step, and what it can have changed."""
    reached: t.Set[str] = set()
    ahead = [service]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += model.dependencies(services.get(name, {}))
    if service in services and str(database) in services and str(database) not in reached:
        report.add(where, "service {0!r} does not depend on {1!r}, so that need not run then; add it to its depends_on".format(service, str(database)))


def _dump_problems(report: Report, where: str, dump: t.Any, services: t.Dict[str, model.Mapping], active: Services) -> None:
    if not isinstance(dump, dict):
        report.add(where, "value {0} is not a mapping; write {{service: ..., database: ...}}".format(shown(dump)))
        return
    dump = model.mapping(dump)
    for key in dump:
        if key not in _DUMP_KEYS:
            report.unknown(where, key, _DUMP_KEYS, "a key of a dump", "use " + ", ".join(_DUMP_KEYS))
    _service_problems(report, where, dump, services, active, "the PostgreSQL service that is to be dumped")
    service = str(dump.get("service"))
    if service in model.one_shots(services):
        report.add(where, "service {0!r} is a one-shot, and holds no database; name the PostgreSQL service".format(service))
    environment = model.pairs(services.get(service, {}).get("environment"))
    hidden = [name for name in ("POSTGRES_USER_FILE", "POSTGRES_DB_FILE") if environment.get(name)]
    for key, variable in (("user", "POSTGRES_USER_FILE"), ("database", "POSTGRES_DB_FILE")):
        if not dump.get(key) and (variable in hidden or key == "database" and hidden and not environment.get("POSTGRES_DB")):
            report.add(where, "it has no {0}, and the service reads that from a file; add {0}: ...".format(key))
    for key, value in zip(("database", "user"), database_of(dump, services)):
        if not _DATABASE.fullmatch(value):
            report.add(where, "{0} {1} is not a plain name; use letters, digits, _, . and -".format(key, shown(value)))
