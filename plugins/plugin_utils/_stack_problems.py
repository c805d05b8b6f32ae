# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every problem of all declared stacks, found at once.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _declared_problems as declared
from ansible_collections.portside.stack.plugins.plugin_utils import _exposure_problems as exposure
from ansible_collections.portside.stack.plugins.plugin_utils import _reference_problems as references
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._build_problems import shared_image_problems
from ansible_collections.portside.stack.plugins.plugin_utils._certificate_problems import certificate_problems
from ansible_collections.portside.stack.plugins.plugin_utils._check_problems import check_problems
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._edge_problems import edge_problems
from ansible_collections.portside.stack.plugins.plugin_utils._environment_problems import required_environment_problems
from ansible_collections.portside.stack.plugins.plugin_utils._external_problems import external_problems
from ansible_collections.portside.stack.plugins.plugin_utils._healing_problems import healing_problems
from ansible_collections.portside.stack.plugins.plugin_utils._production_waivers import production_problems
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._rotation import rotation_problems
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import stack_route_problems
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import secret_environment_problems
from ansible_collections.portside.stack.plugins.plugin_utils._secret_problems import secret_problems
from ansible_collections.portside.stack.plugins.plugin_utils._service_problems import service_problems
from ansible_collections.portside.stack.plugins.plugin_utils._step_problems import step_problems
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems
from ansible_collections.portside.stack.plugins.plugin_utils._volume_problems import Declared, directory_problems

SecretNames = t.Optional[t.Dict[str, t.List[str]]]

STACK_KEYS: t.Dict[str, type] = {
    "name": str,
    "environment": str,
    "waivers": list,
    "services": dict,
    "networks": dict,
    "volumes": dict,
    "directories": dict,
    "configs": dict,
    "profiles": list,
    "exposure": dict,
    "routes": list,
    "edge": dict,
    "secrets": dict,
    "secret_environment": dict,
    "required_environment": dict,
    "external": dict,
    "steps": list,
    "checks": list,
    "self_healing": dict,
}
_SHAPES = {str: "text; quote it", dict: "a mapping; write NAME: ... below it", list: "a list; write - ... below it"}


def stack_problems(
    stacks: t.Any, secret_names: SecretNames = None, rotate: t.Union[str, t.List[str]] = "", now: t.Optional[datetime] = None
) -> t.List[str]:
    """Every problem: each names stack, service and key, says why, and what to do. Without `now` no certificate is too old or too new."""
    problems: t.List[str] = []
    if not isinstance(stacks, list):
        return ["stacks: must be a list of stacks; write `- name: ...`."]
    names: t.Set[str] = set()
    taken: exposure.Taken = {}
    real: declared.Names = {}
    shared: Declared = {}
    for index, stack in enumerate(stacks):
        if not isinstance(stack, dict):
            problems.append("stacks[{0}]: value {1} is not a mapping; write `- name: ...`.".format(index, shown(stack)))
            continue
        name = stack.get("name")
        report = Report(name, problems)
        _name_problems(report, index, name, names)
        stack = with_edge(model.mapping(stack))
        _one_stack(report, stack, secret_names, taken, real)
        _route_problems(report, stack, stacks, now)
        directory_problems(report, stack, model.services_of(stack), shared)
    for name in secret_names or {}:
        if name not in names:
            Report(name, problems).add("", "stack_secrets has values for it, but it is not declared; remove them")
    return problems + rotation_problems(stacks, rotate, secret_names or {})


def _name_problems(report: Report, index: int, name: t.Any, names: t.Set[str]) -> None:
    if not isinstance(name, str) or not grammar.STACK_NAME.fullmatch(name):
        report.add("name", "value {0} of stacks[{1}] is not a name; use a-z, 0-9, _ and -, a letter or digit first".format(shown(name), index))
    elif name in names:
        report.add("name", "two stacks have this name, and would remove each other's containers; rename one")
    names.add(str(name))


def _one_stack(report: Report, stack: model.Mapping, secret_names: SecretNames, taken: exposure.Taken, real: declared.Names) -> None:
    for key, value in stack.items():
        if key not in STACK_KEYS:
            report.unknown(str(key), key, STACK_KEYS, "a key of a stack", "use " + ", ".join(STACK_KEYS))
        elif key != "name" and not isinstance(value, STACK_KEYS[key]):
            report.add(key, "value {0} is not {1}".format(shown(value), _SHAPES[STACK_KEYS[key]]))
    services = _services(report, stack)
    active = model.active_services(stack)
    _profile_problems(report, stack, services)
    for name, service in services.items():
        about = report.of(name)
        service_problems(about, service)
        exposed = model.mapping(stack.get("exposure")).get(name) in ("public", "loopback")
        exposure.replica_problems(about, service, exposed)
        text_problems(about, service, "")
    sections = {key: model.sections(stack, key) for key in ("networks", "volumes", "configs", "secrets")}
    exposure.exposure_problems(report, stack, services, taken)
    references.dependency_problems(report, services, active)
    references.network_problems(report, services, sections["networks"])
    references.volume_problems(report, services, sections["volumes"])
    references.file_problems(report, services, {key: sections[key] for key in ("configs", "secrets")})
    declared.network_and_volume_problems(report, stack, real)
    declared.config_problems(report, stack)
    secret_environment_problems(report, stack, services)
    secret_problems(report, stack, services, active, secret_names)
    required_environment_problems(report, stack, services, active)
    production_problems(report, stack, services, active)
    external_problems(report, stack, services, active)
    shared_image_problems(report, active)
    healing_problems(report, stack, services)
    check_problems(report, stack, services, active)
    step_problems(report, stack, services, active)


def _route_problems(report: Report, stack: model.Mapping, stacks: t.List[t.Any], now: t.Optional[datetime]) -> None:
    edge_problems(report, stack, model.services_of(stack))
    certificate_problems(report, stack, now)
    for problem in stack_route_problems(stack, [model.mapping(one) for one in stacks]):
        if problem.level == "error":
            report.add("", problem.message.rstrip("."))


def _services(report: Report, stack: model.Mapping) -> t.Dict[str, model.Mapping]:
    given = stack.get("services")
    if not given:
        report.add("services", "none are declared, so there is nothing to run; add one")
    for name, service in given.items() if isinstance(given, dict) else ():
        if not isinstance(service, dict):
            extra = "; it is no key of this place" if name in ("version", "services") else "; write image: ... below it"
            report.of(str(name)).add("", "value {0} is not a mapping{1}".format(shown(service), extra))
        elif not isinstance(name, str) or not grammar.NAME.fullmatch(name):
            report.of(str(name)).add("", "{0} is not a name for a service; use letters, digits, ., _ and -".format(shown(name)))
    return model.services_of(stack)


def _profile_problems(report: Report, stack: model.Mapping, services: t.Dict[str, model.Mapping]) -> None:
    known = {str(item) for service in services.values() for item in model.sequence(service.get("profiles"))}
    for name in model.sequence(stack.get("profiles")):
        if name != "*" and str(name) not in known:
            report.unknown("profiles", name, known, "a profile of any service", "remove it")
    if services and not model.active_services(stack):
        report.add("profiles", "no service has an enabled profile, so nothing would run; enable one")
