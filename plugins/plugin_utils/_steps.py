# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared steps of a stack, as a release records them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model

DEFAULT_TIMEOUT = 600
DEFAULT_USER = "postgres"


def normalised_steps(stack: t.Any) -> t.List[model.Mapping]:
    """The steps of a stack without problems: every key present, every command a list of words."""
    stack = model.mapping(stack)
    services = model.services_of(stack)
    return [_normalised(model.mapping(step), services) for step in model.sequence(stack.get("steps"))]


def words(command: t.Any) -> t.Optional[t.List[str]]:
    """The words of a command, split as a shell does, as Compose does; none where it is no command."""
    if isinstance(command, str):
        try:
            return shlex.split(command) or None
        except ValueError:
            return None
    found = model.sequence(command)
    plain = all(isinstance(item, (str, int, float)) and not isinstance(item, bool) for item in found)
    return [str(item) for item in found] if found and plain and str(found[0]) else None


def database_of(dump: model.Mapping, services: t.Mapping[str, model.Mapping]) -> t.Tuple[str, str]:
    """The database and its user: as declared, else what the image `postgres` makes of the service's environment."""
    environment = model.pairs(services.get(str(dump.get("service")), {}).get("environment"))
    user = str(dump.get("user") or environment.get("POSTGRES_USER") or DEFAULT_USER)
    return str(dump.get("database") or environment.get("POSTGRES_DB") or user), user


def _normalised(step: model.Mapping, services: t.Mapping[str, model.Mapping]) -> model.Mapping:
    dump = model.mapping(step.get("dump"))
    database, user = database_of(dump, services)
    return {
        "name": step["name"],
        "service": step["service"],
        "command": words(step["command"]),
        "when": "before" if "before" in step else "after",
        "timeout": int(step.get("timeout", DEFAULT_TIMEOUT)),
        "rerun": bool(step.get("rerun")),
        "check": words(step.get("check")),
        "once": bool(step.get("once")),
        "dump": {"service": dump["service"], "database": database, "user": user} if dump else None,
        "schema": step.get("schema", "auto"),
        "schema_command": words(step.get("schema_command")),
    }
