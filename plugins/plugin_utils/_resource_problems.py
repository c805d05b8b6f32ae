# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of health checks and resources.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

_TEST = 'write [CMD, program, argument] or [CMD-SHELL, "command line"]'
# The two ways Compose has of saying one thing.
_TWICE = (
    ("mem_limit", "limits", "memory", byte_size),
    ("mem_reservation", "reservations", "memory", byte_size),
    ("cpus", "limits", "cpus", grammar.positive_number),
    ("pids_limit", "limits", "pids", str),
)


def healthcheck_problems(report: Report, service: model.Mapping) -> None:
    """Judges the `healthcheck` of a service."""
    check = model.mapping(service.get("healthcheck"))
    for key, value in check.items():
        where = "healthcheck.{0}".format(key)
        if key not in grammar.HEALTHCHECK_KEYS:
            report.unknown(where, key, grammar.HEALTHCHECK_KEYS, "a key of a healthcheck", "use " + ", ".join(grammar.HEALTHCHECK_KEYS))
        elif key == "retries":
            if not grammar.is_count(value) or int(value) < 1:
                report.add(where, "value {0} is not a number of tries; write one from 1".format(shown(value)))
        elif key == "disable":
            if not isinstance(value, bool):
                report.add(where, "value {0} is not true or false; write one of them, unquoted".format(shown(value)))
        elif key == "test":
            _test_problems(report, where, value)
        elif not isinstance(value, str) or not grammar.DURATION.fullmatch(value):
            report.add(where, "value {0} is not a duration; give it a unit, for example 5s".format(shown(value)))
    if "start_interval" in check and "start_period" not in check:
        report.add("healthcheck.start_interval", "it counts during start_period only, which is not set; set it too")
    if service.get("healthcheck") == {}:
        report.add("healthcheck", "it is empty; {0}, or leave it out".format(_TEST))


def _test_problems(report: Report, where: str, test: t.Any) -> None:
    if isinstance(test, str):
        if not test.strip():
            report.add(where, "it is empty; {0}".format(_TEST))
    elif not isinstance(test, list) or not test:
        report.add(where, "value {0} is neither text nor a list; {1}".format(shown(test), _TEST))
    elif test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        report.add(where, "a list begins with CMD, CMD-SHELL or NONE, not with {0}; {1}".format(shown(test[0]), _TEST))
    elif any(not isinstance(item, str) for item in test):
        item = next(item for item in test if not isinstance(item, str))
        report.add(where, "value {0} in the list is not text; quote it".format(shown(item)))
    elif test[0] == "CMD-SHELL" and len(test) != 2:
        report.add(where, "CMD-SHELL takes exactly one command line, and {0} follow; {1}".format(len(test) - 1, _TEST))
    elif test == ["CMD"]:
        report.add(where, "no program follows CMD; {0}".format(_TEST))


def resource_problems(report: Report, service: model.Mapping) -> None:
    """Judges limits, reservations and the number of containers."""
    deploy = model.mapping(service.get("deploy"))
    if "restart_policy" in deploy:
        report.add("deploy.restart_policy", "it would silently overrule `restart`; say it there")
    for key in ("limits", "reservations"):
        _amount_problems(report, deploy, key)
    for key, section, entry, read in _TWICE:
        other = _amounts(deploy, section).get(entry)
        if other is not None and key in service and read(service[key]) != read(other):
            report.add(key, "deploy.resources.{0}.{1} says {2}; keep one of them".format(section, entry, shown(other)))
    for entry, read in (("memory", byte_size), ("cpus", grammar.positive_number)):
        reserved, limit = read(_amounts(deploy, "reservations").get(entry)), read(_amounts(deploy, "limits").get(entry))
        if reserved is not None and limit is not None and reserved > limit:
            key = "deploy.resources.reservations.{0}".format(entry)
            report.add(key, "more is reserved than the limit allows; raise the limit or reserve less")
    count, scale = deploy.get("replicas"), service.get("scale")
    if count is not None and (not grammar.is_count(count) or int(count) < 0 or isinstance(count, str)):
        report.add("deploy.replicas", "value {0} is not a number of containers; write one from 0".format(shown(count)))
    if scale is not None and grammar.is_count(scale) and (int(scale) < 0 or isinstance(scale, str)):
        report.add("scale", "value {0} is not a number of containers; write one from 0".format(shown(scale)))
    if count is not None and scale is not None and count != scale:
        report.add("scale", "deploy.replicas says {0}; keep one of them".format(shown(count)))


def _amounts(deploy: model.Mapping, section: str) -> model.Mapping:
    return model.mapping(model.mapping(deploy.get("resources")).get(section))


def _amount_problems(report: Report, deploy: model.Mapping, section: str) -> None:
    for entry, value in _amounts(deploy, section).items():
        where = "deploy.resources.{0}.{1}".format(section, entry)
        if entry == "memory" and byte_size(value) is None:
            report.add(where, "value {0} is not a size; write for example 512M".format(shown(value)))
        elif entry == "cpus" and grammar.positive_number(value) is None:
            report.add(where, 'value {0} is not a number of processors; write for example "0.5"'.format(shown(value)))
        elif entry == "pids" and not grammar.is_count(value):
            report.add(where, "value {0} is not a whole number; write one".format(shown(value)))
        elif entry not in ("memory", "cpus", "pids", "devices", "generic_resources"):
            report.unknown(where, entry, ("memory", "cpus", "pids", "devices"), "a resource", "use memory, cpus or pids")
