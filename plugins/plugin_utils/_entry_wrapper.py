# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry wrapper: how a program that reads only its environment gets secrets that nothing outside its container shows.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

The secrets are mounted as files, and a shell script of a few lines in front of the image's own entrypoint exports
them. A health check is a process of its own that the engine starts, so it gets the same in front.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._compose_words import escaped, words_of
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import (
    Variable,
    hidden,
    secret_environment,
)

# What compose_stack tells of images: by service, see _image_facts.
Facts = t.Optional[t.Mapping[str, model.Mapping]]

SHELL = "/bin/sh"
WRAPPER_PATH = "/portside/environment"
# No declared config can be called so.
WRAPPER_CONFIG = "_environment"
WRAPPER = """\
# Has a program find variables in its environment that are files here:
#   sh environment VARIABLE=FILE ... -- PROGRAM ARGUMENT ...
# Only what every shell has built in, and no $(...), which would lose newlines at the end.
_portside_newline='
'
while [ "${1---}" != -- ]; do
    if ! [ -f "${1#*=}" ] || ! [ -r "${1#*=}" ]; then
        echo "portside: variable ${1%%=*}: this user cannot read its file ${1#*=}" >&2
        exit 78
    fi
    _portside_value=
    while IFS= read -r _portside_line; do
        _portside_value=$_portside_value$_portside_line$_portside_newline
    done <"${1#*=}" || exit 78
    export "${1%%=*}=$_portside_value$_portside_line"
    shift
done
shift
if [ "$#" = 0 ]; then
    echo "portside: neither the service nor its image names a program to run" >&2
    exit 78
fi
exec "$@"
"""


def with_entry_wrapper(stack: model.Mapping, image_facts: Facts = None) -> model.Mapping:
    """The stack with its `secret_environment` in Compose's own words, but for what is visible.

    Of a service without facts only what it declares itself is known: that serves to judge it, not to run it.
    """
    wrapped = {}
    for name, service in model.services_of(stack).items():
        variables = hidden(secret_environment(stack, name))
        if variables:
            wrapped[name] = _wrapped(service, variables, model.mapping((image_facts or {}).get(name)))
    if not wrapped:
        return stack
    configs = {**model.mapping(stack.get("configs")), WRAPPER_CONFIG: {"content": WRAPPER}}
    return {**stack, "services": {**stack["services"], **wrapped}, "configs": configs}


def wrapped_services(stack: model.Mapping) -> t.List[str]:
    """The running services that the wrapper starts."""
    return [name for name in model.active_services(stack) if hidden(secret_environment(stack, name))]


def visible_variables(stack: model.Mapping) -> t.Dict[str, t.List[Variable]]:
    """The variables of running services that were chosen to be plain, by service."""
    found = {name: [one for one in secret_environment(stack, name) if one.visible] for name in model.active_services(stack)}
    return {name: variables for name, variables in found.items() if variables}


def _wrapped(service: model.Mapping, variables: t.List[Variable], facts: model.Mapping) -> model.Mapping:
    files = ["{0}={1}".format(one.name, model.mount_path({"source": one.secret})) for one in variables]
    front = [SHELL, WRAPPER_PATH, *files, "--"]
    entrypoint, command = _program(service, facts)
    check = _check(model.mapping(service.get("healthcheck")), facts, front)
    return {
        **service,
        "entrypoint": front + entrypoint,
        **({"command": command} if command or "command" in service else {}),
        **({"healthcheck": check} if check else {}),
        "secrets": model.sequence(service.get("secrets")) + _mounts(service, variables, facts),
        "configs": [*model.sequence(service.get("configs")), {"source": WRAPPER_CONFIG, "target": WRAPPER_PATH}],
    }


def _mounts(service: model.Mapping, variables: t.List[Variable], facts: model.Mapping) -> t.List[model.Mapping]:
    """The secrets that are not mounted at their own name already, read by whom the container runs as."""
    there = {model.mount_path(reference) for reference in model.references(service, "secrets")}
    mounts: t.Dict[str, model.Mapping] = {}
    for one in variables:
        given = {key: number for key, number in (("uid", one.uid), ("gid", one.gid)) if number is not None}
        if model.mount_path({"source": one.secret}) not in there:
            mounts.setdefault(one.secret, {"source": one.secret, "uid": facts.get("uid", 0), "gid": facts.get("gid", 0)}).update(given)
    return list(mounts.values())


def _program(service: model.Mapping, facts: model.Mapping) -> t.Tuple[t.List[str], t.List[str]]:
    """What the engine would run, as it puts together what the service and the image say."""
    entrypoint = words_of(service["entrypoint"]) if "entrypoint" in service else None
    command = words_of(service.get("command", [])) or []
    if entrypoint:
        return entrypoint, command
    inherited = [] if entrypoint == [] else escaped(facts.get("entrypoint") or [])
    return inherited, command or escaped(facts.get("command") or [])


def _check(declared: model.Mapping, facts: model.Mapping, front: t.List[str]) -> model.Mapping:
    """The health check that applies, wrapped; how often it runs stays with whoever says it."""
    if declared and not model.has_healthcheck({"healthcheck": declared}):
        return declared
    test = declared.get("test")
    if test is None:
        test = escaped(model.mapping(facts.get("healthcheck")).get("Test") or [])
    test = ["CMD-SHELL", test] if isinstance(test, str) else model.sequence(test)
    if test[:1] == ["CMD"]:
        return {**declared, "test": ["CMD", *front, *test[1:]]}
    if test[:1] == ["CMD-SHELL"]:
        shell = escaped(facts.get("shell_form") or [SHELL, "-c"])
        return {**declared, "test": ["CMD", *front, *shell, *test[1:]]}
    return declared
