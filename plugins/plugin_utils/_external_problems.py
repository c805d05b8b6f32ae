# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that a stack needs and that run elsewhere: their problems, and how they are tried.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._external_url import target_of
from ansible_collections.portside.stack.plugins.module_utils._secret_templates import Part, compose, template_parts, template_problems
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import with_parts

# What each kind is told by, besides the network.
_KEYS = {"postgresql": ("secret",), "redis": ("secret",), "tls": ("host", "port"), "tcp": ("host", "port")}
_ALL_KEYS = ("kind", "secret", "host", "port", "network")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*")
# Where no service joins a network of the stack, all of them have another one's or the host's.
_NO_NETWORK = "host"

Services = t.Mapping[str, model.Mapping]


def stack_externals(stack: t.Any) -> model.Mapping:
    """The options of the module external_check for a stack without problems, but for the values of its secrets."""
    stack = model.mapping(stack)
    secrets = model.sections(stack, "secrets")
    external = [_normalised(name, options, stack) for name, options in model.sections(stack, "external").items()]
    needed = with_parts(stack, [one["secret"] for one in external if "secret" in one])
    made = model.mapping(model.mapping(compose_document(stack).get("x-portside")).get("networks"))
    names = {one["network"] for one in external}
    return {
        "stack": stack["name"],
        "external": external,
        "networks": {name: options for name, options in made.items() if name in names},
        "secrets": {name: secrets[name] for name in sorted(needed)},
    }


def external_problems(report: Report, stack: model.Mapping, services: Services, active: Services) -> None:
    """Judges each external service by itself."""
    given = stack.get("external")
    used = _used_networks(active)
    for name, options in given.items() if isinstance(given, dict) else ():
        where = "external.{0}".format(name)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            report.add(where, "{0} is not a name; use letters, digits, ., _ and -, at most 64".format(shown(name)))
        if not isinstance(options, dict):
            report.add(where, "value {0} is not a mapping; write {{kind: postgresql, secret: ...}}".format(shown(options)))
            continue
        text_problems(report, options, where, interpolated=False)
        options = model.mapping(options)
        kind = options.get("kind")
        for key in options:
            if key not in _ALL_KEYS:
                report.unknown(where, key, _ALL_KEYS, "a key of an external service", "use " + ", ".join(_ALL_KEYS))
        if not isinstance(kind, str) or kind not in _KEYS:
            report.unknown(where, kind, _KEYS, "a kind of external service", "use one of " + ", ".join(_KEYS))
            continue
        _key_problems(report, where, kind, options)
        if "secret" in options and "secret" in _KEYS[kind]:
            _secret_problems(report, where, kind, options["secret"], model.sections(stack, "secrets"), services)
        _service_problem(report, where, options.get("host"), services)
        if "network" in options and options["network"] not in used:
            report.unknown(where, options["network"], used, "a network that a service joins", "leave it out, or use one of " + (", ".join(used) or "none"))


def _key_problems(report: Report, where: str, kind: str, options: model.Mapping) -> None:
    for key in ("secret", "host", "port"):
        if key in options and key not in _KEYS[kind]:
            report.add(where, "{0} is not asked for with kind {1}; write {2}".format(key, kind, " and ".join(_KEYS[kind])))
        elif key in _KEYS[kind] and key not in options:
            what = "the name of a secret whose value is its URL" if key == "secret" else "where it is"
            report.add(where, "it has no {0}; add {0}: ..., {1}".format(key, what))
    host, port = options.get("host"), options.get("port")
    if host is not None and not (isinstance(host, str) and _HOST.fullmatch(host)):
        report.add(where, "host {0} is not the name or address of a host; write it alone, the port goes into `port`".format(shown(host)))
    if port is not None and (isinstance(port, bool) or not re.fullmatch(r"[1-9][0-9]{0,4}", str(port)) or int(port) > 65535):
        report.add(where, "port {0} is not a port; write a number from 1 to 65535".format(shown(port)))


def _secret_problems(report: Report, where: str, kind: str, name: t.Any, secrets: t.Mapping[str, model.Mapping], services: Services) -> None:
    if not isinstance(name, str) or name not in secrets:
        report.unknown(where, name, secrets, "a declared secret", "declare it under `secrets`, its value goes to stack_secrets")
        return
    template = secrets[name].get("template")
    if template is None or template_problems(template, secrets):
        return
    # Of a composed URL all but the secrets in it is known already.
    try:
        target = target_of(kind, compose(template, {part: Part("x", "x") for part, _encoding in template_parts(template)}))
    except StackError as error:
        report.add(where, "the template of secret {0!r} {1}".format(name, error))
        return
    for host, _port in target.places:
        _service_problem(report, where, host, services)


def _service_problem(report: Report, where: str, host: t.Any, services: Services) -> None:
    if isinstance(host, str) and host in services:
        report.add(where, "{0!r} is a service of this stack, which need not run yet; remove this entry, its healthcheck says whether it is well".format(host))


def _normalised(name: str, options: model.Mapping, stack: model.Mapping) -> model.Mapping:
    found = {"name": name, "kind": options["kind"], "network": _network(options.get("network"), stack)}
    if "secret" in options:
        return {**found, "secret": options["secret"]}
    return {**found, "host": options["host"], "port": int(options["port"])}


def _network(key: t.Optional[str], stack: model.Mapping) -> str:
    used = _used_networks(model.active_services(stack))
    if not used:
        return _NO_NETWORK
    key = key or ("default" if "default" in used else used[0])
    return model.real_name(stack["name"], key, model.sections(stack, "networks").get(key, {}))


def _used_networks(active: Services) -> t.List[str]:
    """Those that services join, in the order in which they do."""
    return list(dict.fromkeys(key for service in active.values() for key in model.service_networks(service)))
