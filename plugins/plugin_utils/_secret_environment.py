# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that are secrets: what `secret_environment` declares, and its problems.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._compose_words import words_of
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown

_KEYS = ("secret", "uid", "gid", "visible")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a shell sets or reads itself, so that it could not pass a value on.
_SHELLS_OWN = re.compile(
    r"_|_portside_.*|BASH.*|DIRSTACK|ENV|EPOCH.*|EUID|FUNCNAME|GROUPS|HISTCMD|IFS|LINENO|OLDPWD|OPTARG|OPTIND"
    r"|POSIXLY_CORRECT|PPID|PS[0-4]|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID"
)


class Variable(t.NamedTuple):
    """A variable of a service, the secret that it is, and who reads the secret where the image does not tell."""

    name: str
    secret: str
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    visible: bool = False


def secret_environment(stack: model.Mapping, service: str) -> t.List[Variable]:
    """The variables of a service; what has the wrong shape counts as absent."""
    given = model.mapping(model.mapping(stack.get("secret_environment")).get(service))
    found = []
    for name, entry in given.items():
        entry = {"secret": entry} if isinstance(entry, str) else model.mapping(entry)
        if isinstance(name, str) and isinstance(entry.get("secret"), str):
            found.append(Variable(name, entry["secret"], _number(entry.get("uid")), _number(entry.get("gid")), entry.get("visible") is True))
    return found


def hidden(variables: t.Iterable[Variable]) -> t.List[Variable]:
    """Those that nothing outside the container shows."""
    return [variable for variable in variables if not variable.visible]


def secret_environment_problems(report: Report, stack: model.Mapping, services: t.Dict[str, model.Mapping]) -> None:
    """Judges `secret_environment`."""
    secrets = model.sections(stack, "secrets")
    given = stack.get("secret_environment")
    for name, variables in given.items() if isinstance(given, dict) else ():
        if name not in services:
            report.unknown("secret_environment", name, services, "a service of this stack", "declared are " + ", ".join(sorted(services)))
            continue
        about = report.of(str(name))
        if variables is not None and not isinstance(variables, dict):
            about.add("secret_environment", "value {0} is not a mapping; write VARIABLE: SECRET below it".format(shown(variables)))
        for variable, entry in model.mapping(variables).items():
            _entry_problems(about, "secret_environment.{0}".format(variable), variable, entry, secrets)
        found = secret_environment(stack, str(name))
        _twice_problems(about, found, services[name])
        if hidden(found):
            _mount_problems(about, hidden(found), services[name])
            _wrapper_problems(about, services[name])


def _entry_problems(report: Report, where: str, variable: t.Any, entry: t.Any, secrets: t.Iterable[str]) -> None:
    if not isinstance(variable, str) or not _NAME.fullmatch(variable):
        report.add(where, "{0} is not the name of a variable; use letters, digits and _, no digit first".format(shown(variable)))
    elif _SHELLS_OWN.fullmatch(variable):
        report.add(where, "a shell uses {0} itself, and would not pass it on as it is; give the application another variable".format(variable))
    long = {"secret": entry} if isinstance(entry, str) else entry
    if not isinstance(long, dict) or not isinstance(long.get("secret"), str):
        report.add(where, "value {0} names no secret; write the name of one, or {{secret: NAME}}".format(shown(entry)))
        return
    if long["secret"] not in secrets:
        report.unknown(where, long["secret"], secrets, "a declared secret", "declare it under `secrets`")
    for key, value in model.mapping(long).items():
        if key not in _KEYS:
            report.unknown(where, key, _KEYS, "a key of it", "use " + ", ".join(_KEYS))
        elif key in ("uid", "gid") and _number(value) is None:
            report.add(where, "{0} {1} is not a number; names of accounts differ inside the container".format(key, shown(value)))
        elif key == "visible" and not isinstance(value, bool):
            report.add(where, "visible {0} is not true or false; write one of them, unquoted".format(shown(value)))
    if long.get("visible") is True and (long.get("uid") is not None or long.get("gid") is not None):
        report.add(where, "uid and gid say who reads the secret's file, and a visible variable is no file; take them out")


def _twice_problems(report: Report, variables: t.List[Variable], service: model.Mapping) -> None:
    plain = model.pairs(service.get("environment"))
    names = {variable.name for variable in variables}
    for name in sorted(names):
        where = "secret_environment.{0}".format(name)
        if name in plain:
            report.add(where, "`environment` sets {0} as well; take it out there".format(name))
        if name + "_FILE" in plain or name + "_FILE" in names:
            report.add(where, "{0}_FILE is set as well, and many images refuse both; keep one of them".format(name))


def _mount_problems(report: Report, variables: t.List[Variable], service: model.Mapping) -> None:
    """Each secret is one file in the container, which one owner reads."""
    references = model.references(service, "secrets")
    for secret in sorted({variable.secret for variable in variables}):
        users = [variable for variable in variables if variable.secret == secret]
        where = "secret_environment.{0}".format(users[0].name)
        owners = {(variable.uid, variable.gid) for variable in users} - {(None, None)}
        path = model.mount_path({"source": secret})
        there = [reference for reference in references if model.mount_path(reference) == path]
        if len(owners) > 1:
            report.add(where, "the secret {0!r} is given to several owners in one container; say one uid and gid".format(secret))
        elif owners and there:
            report.add(where, "`secrets` mounts {0!r} already; say its uid and gid there".format(secret))
        if any(reference["source"] != secret for reference in there):
            report.add(where, "`secrets` mounts another one at {0}; give that another target".format(path))


def _wrapper_problems(report: Report, service: model.Mapping) -> None:
    """What a shell between the engine and the program would change."""
    for name in model.pairs(service.get("environment")):
        if name and not _NAME.fullmatch(name):
            report.add(
                "environment.{0}".format(name),
                "the shell that sets the variables of secret_environment passes on no variable of such a name; "
                "read the secret from its file (*_FILE) instead, or choose {visible: true} for it",
            )
    for key in ("command", "entrypoint"):
        if isinstance(service.get(key), str) and words_of(service[key]) is None:
            report.add(key, "Compose cannot split {0} into words; write a list".format(shown(service[key])))


def _number(value: t.Any) -> t.Optional[int]:
    return int(value) if value is not None and grammar.is_count(value) and int(value) >= 0 else None
