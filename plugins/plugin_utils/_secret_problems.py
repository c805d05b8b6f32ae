# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of how secrets are declared. A value is never seen here.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._secret_schema import GENERATE_MAXIMUM, GENERATE_MINIMUM, ROLE_RE, SECRET_NAME_RE
from ansible_collections.portside.stack.plugins.module_utils._secret_templates import template_problems
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, did_you_mean, shown
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import used_secrets, with_parts

_KEYS = ("generate", "template", "login")


def secret_problems(
    report: Report,
    stack: model.Mapping,
    services: t.Dict[str, model.Mapping],
    active: t.Container[str],
    secret_names: t.Optional[t.Dict[str, t.List[str]]],
) -> None:
    """Judges the declared secrets; ``secret_names`` are the names that have a value, by stack."""
    given = stack.get("secrets")
    given = given if isinstance(given, dict) else {}
    for name, secret in given.items():
        where = "secrets.{0}".format(name)
        _name_problems(report, where, name)
        if secret is not None and not isinstance(secret, dict):
            report.add(where, "a secret is declared by how it is made, {}; its value goes to stack_secrets")
        secret = model.mapping(secret)
        for key in secret:
            if key not in _KEYS:
                report.unknown(where, key, _KEYS, "a key of a secret", "values go to stack_secrets, use " + ", ".join(_KEYS))
        _generate_problems(report, where, secret)
        if "template" in secret:
            _template_problems(report, where, secret, given)
        if "login" in secret:
            _login_problems(report, where, str(name), secret["login"], services, active)
    if secret_names is not None:
        _value_problems(report, stack, given, [str(name) for name in model.sequence(secret_names.get(str(stack.get("name"))))])


def _name_problems(report: Report, where: str, name: t.Any) -> None:
    if not isinstance(name, str) or not SECRET_NAME_RE.fullmatch(name):
        report.add(where, "{0} is not a name; use letters, digits, ., _ and -, at most 64".format(shown(name)))
    if re.search(r"_v[0-9]+$", str(name)):
        report.add(where, "the name looks like a version of another secret; leave _vN out, versions are kept for you")


def _generate_problems(report: Report, where: str, secret: model.Mapping) -> None:
    length = secret.get("generate", GENERATE_MINIMUM)
    if isinstance(length, bool) or not isinstance(length, int) or not GENERATE_MINIMUM <= length <= GENERATE_MAXIMUM:
        report.add(where, "generate {0} is not a length from {1} to {2}".format(shown(length), GENERATE_MINIMUM, GENERATE_MAXIMUM))


def _template_problems(report: Report, where: str, secret: model.Mapping, declared: model.Mapping) -> None:
    for problem in template_problems(secret["template"], {str(name): entry for name, entry in declared.items()}):
        report.add(where, problem)
    others = [key for key in ("generate", "login") if key in secret]
    if others:
        report.add(where, "a template is composed from other secrets, so {0} says nothing here; keep one of them".format(" and ".join(others)))


def _login_problems(
    report: Report, where: str, name: str, login: t.Any, services: t.Dict[str, model.Mapping], active: t.Container[str]
) -> None:
    if not ROLE_RE.fullmatch(name):
        report.add(where, "the secret's name is that of its logins too; use a-z, 0-9 and _, at most 41")
    if not isinstance(login, dict):
        report.add(where, "login {0} is not a mapping; write {{service: SERVICE, role: ROLE}}".format(shown(login)))
        return
    for key in login:
        if key not in ("service", "role"):
            report.unknown(where, key, ("service", "role"), "a key of a login", "use service and role")
    service, role = login.get("service"), login.get("role")
    if not isinstance(service, str) or service not in services:
        hint = "write the service that is the PostgreSQL server of " + ", ".join(sorted(services))
        report.unknown(where, service, services, "a service of this stack", hint)
    elif service not in active:
        text = "the database {0!r} does not run, because no profile of it is enabled; enable one, or take the secret out"
        report.add(where, text.format(service))
    if not isinstance(role, str) or not ROLE_RE.fullmatch(role):
        text = "login role {0} is not a plain name; use the PostgreSQL role that owns the tables, of a-z, 0-9 and _, at most 41 long"
        report.add(where, text.format(shown(role)))


def _value_problems(report: Report, stack: model.Mapping, declared: model.Mapping, valued: t.List[str]) -> None:
    reached = [entry["secret"] for entry in model.sections(stack, "external").values() if isinstance(entry.get("secret"), str)]
    needed = used_secrets(stack) | with_parts(stack, reached)
    for name, entry in declared.items():
        where, secret = "secrets.{0}".format(name), model.mapping(entry)
        if "template" in secret and name in valued:
            report.add(where, "it is composed from other secrets, and stack_secrets has a value for it as well; remove one of them")
        elif name in needed and name not in valued and not secret.keys() & {"generate", "template"}:
            report.add(where, "it has no value; put one into stack_secrets, or write {generate: 64} to have one made on the host")
    for name in valued:
        if name not in declared:
            hint = did_you_mean(name, declared) or "declare it under `secrets`, or remove the value"
            report.add("secrets", "stack_secrets has a value for {0!r}, which is not declared; {1}".format(name, hint))
