# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of what a service needs: other services, networks, volumes, configs and secrets.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _graph
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

Services = t.Dict[str, model.Mapping]
_REFERENCE_KEYS = ("source", "target", "uid", "gid", "mode")


def dependency_problems(report: Report, services: Services, active: Services) -> None:
    """Judges the order in which services start."""
    for name, service in services.items():
        about = report.of(name)
        _depends_on_shape(about, service)
        for target, options in model.dependencies(service).items():
            _dependency_problems(about, name, target, options, services, active)
    graph = {name: [target for target in model.dependencies(service) if target != name] for name, service in services.items()}
    cycle = _graph.find_cycle(graph)
    if cycle:
        text = "services wait for each other: {0}; take one of these dependencies away".format(" -> ".join(cycle))
        report.of(cycle[0]).add("depends_on", text)


def _depends_on_shape(report: Report, service: model.Mapping) -> None:
    given = service.get("depends_on")
    if given is not None and not isinstance(given, (dict, list)):
        report.add("depends_on", "value {0} is neither a list nor a mapping; write [NAME]".format(shown(given)))
    for index, name in enumerate(model.sequence(given)):
        if not isinstance(name, str):
            report.add("depends_on[{0}]".format(index), "value {0} is not the name of a service".format(shown(name)))
    for target, options in given.items() if isinstance(given, dict) else ():
        where = "depends_on.{0}".format(target)
        if options is not None and not isinstance(options, dict):
            report.add(where, "value {0} is not a mapping; write {{condition: service_healthy}}".format(shown(options)))
        for key, value in model.mapping(options).items():
            if key not in ("condition", "required", "restart"):
                report.unknown(where, key, ("condition", "required", "restart"), "a key of a dependency", "use condition")
            elif key == "condition" and value not in model.CONDITIONS:
                report.unknown(where, value, model.CONDITIONS, "a condition", "use one of " + ", ".join(model.CONDITIONS))
            elif key != "condition" and not isinstance(value, bool):
                report.add(where, "{0} {1} is not true or false; write one of them, unquoted".format(key, shown(value)))


def _dependency_problems(report: Report, name: str, target: str, options: model.Mapping, services: Services, active: Services) -> None:
    shared = [key for key, service in model.shared_services(services[name]).items() if service == target]
    where = shared[0] if shared else "depends_on"
    if target == name:
        report.add(where, "a service cannot wait for itself; take {0!r} out".format(name))
    elif target not in services:
        report.unknown(where, target, services, "a service of this stack", "declared are " + ", ".join(sorted(services)))
    elif target not in active:
        if name in active and (shared or options.get("required") is not False):
            profiles = [str(item) for item in model.sequence(services[target].get("profiles"))]
            text = "{0!r} does not run, because no profile of it is enabled; add one of {1} to `profiles`, or say required: false"
            report.add(where, text.format(target, ", ".join(profiles)))
    elif options.get("condition") == model.HEALTHY and not model.has_healthcheck(services[target]):
        text = "{0!r} has no healthcheck, so it would never be healthy; give it one ({{interval: 30s}} keeps that of its image)"
        report.add(where, text.format(target))
    elif options.get("condition") == model.COMPLETED and services[target].get("restart", "no") != "no":
        text = "{0!r} never ends for good, because it says restart: {1}; leave `restart` out there"
        report.add(where, text.format(target, services[target]["restart"]))
    elif options.get("condition") == model.STARTED and target in model.one_shots(services):
        text = "{0!r} runs once (restart: no), so its start says nothing; use condition: service_completed_successfully"
        report.add(where, text.format(target))


def network_problems(report: Report, services: Services, declared: t.Dict[str, model.Mapping]) -> None:
    """Judges the networks that services join."""
    for name, service in services.items():
        given = service.get("networks")
        if given is not None and not isinstance(given, (dict, list)):
            report.of(name).add("networks", "value {0} is neither a list nor a mapping; write [NAME]".format(shown(given)))
        for key in model.service_networks(service):
            if key != "default" and key not in declared:
                report.of(name).unknown("networks", key, declared, "a declared network", "declare it under `networks`")


def volume_problems(report: Report, services: Services, declared: t.Dict[str, model.Mapping]) -> None:
    """Judges the named volumes that services mount."""
    for name, service in services.items():
        for key in model.service_volumes(service):
            if key not in declared:
                report.of(name).unknown("volumes", key, declared, "a declared volume", "declare it under `volumes`")


def file_problems(report: Report, services: Services, declared: t.Dict[str, t.Iterable[str]]) -> None:
    """Judges the configs and secrets that services mount."""
    for name, service in services.items():
        for key, names in declared.items():
            given = service.get(key)
            if given is not None and not isinstance(given, list):
                report.of(name).add(key, "value {0} is not a list; write [NAME]".format(shown(given)))
            targets: t.Set[str] = set()
            for index, reference in enumerate(model.sequence(given)):
                where = "{0}[{1}]".format(key, index)
                _reference_problems(report.of(name), where, key, reference, names)
                target = model.mount_path({"source": reference, **model.mapping(reference)}, model.SECRETS if key == "secrets" else "/")
                if target in targets:
                    report.of(name).add(where, "{0} is mounted a second time; give it another target".format(target))
                targets.add(target)
            if key == "secrets":
                _reader_problems(report.of(name), service)


def _reference_problems(report: Report, where: str, key: str, reference: t.Any, names: t.Iterable[str]) -> None:
    long = {"source": reference} if isinstance(reference, str) else model.mapping(reference)
    source = long.get("source")
    if not isinstance(source, str):
        report.add(where, "value {0} names no source; write NAME or {{source: NAME}}".format(shown(reference)))
        return
    if source not in names:
        report.unknown(where, source, names, "declared", "declare it under `{0}`".format(key))
    for option, value in long.items():
        place = "{0}.{1}".format(where, option)
        if option not in _REFERENCE_KEYS:
            report.unknown(place, option, _REFERENCE_KEYS, "a key of a reference", "use " + ", ".join(_REFERENCE_KEYS))
        elif option in ("uid", "gid", "mode") and key == "configs":
            report.add(place, "Compose ignores it for files, which are root's and 0644; take it out, or use a secret")
        elif option in ("uid", "gid") and (not grammar.is_count(value) or int(value) < 0):
            report.add(place, "value {0} is not a number; names of accounts differ inside the container".format(shown(value)))
        elif option == "mode":
            _mode_problems(report, place, value)
        elif option == "target" and (not isinstance(value, str) or not value):
            report.add(place, "value {0} is not a path; write one".format(shown(value)))


def _mode_problems(report: Report, place: str, mode: t.Any) -> None:
    if not isinstance(mode, str) or not grammar.OCTAL.fullmatch(mode):
        text = 'value {0} is a guess between octal and decimal; write octal digits in quotes, "0400"'
        report.add(place, text.format(shown(mode)))
    elif int(mode, 8) & 0o007:
        report.add(place, 'mode {0} lets everybody on the host read it; give uid or gid, and "0400" or "0440"'.format(mode))


def _reader_problems(report: Report, service: model.Mapping) -> None:
    """A container that runs as somebody cannot read a file of root's."""
    user, _colon, group = str(service.get("user", "")).partition(":")
    if not user.isdigit() or user == "0":
        return
    for reference in model.references(service, "secrets"):
        try:
            owner = model.variant(reference)
        except ValueError:
            continue
        mode = int(owner.mode, 8)
        groups = [str(item) for item in model.sequence(service.get("group_add"))] + [group or "0"]
        owns = owner.uid == int(user)
        if not (owns and mode & 0o400 or not owns and str(owner.gid) in groups and mode & 0o040):
            text = 'the service runs as user {0}, who may not read {1!r} (owner {2}:{3}, mode {4}); add uid: "{0}"'
            report.add("secrets", text.format(user, reference["source"], owner.uid, owner.gid, owner.mode))
