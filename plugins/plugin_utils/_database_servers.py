# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases and Redis: which services are one, and whether a password guards it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Images are known by the last part of their name, wherever they come from. Where nothing tells, as with a
configuration file that is not declared here, a service counts as guarded: only what is known is reported.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._settings import Setting, template_text, words

Settings = t.Dict[str, Setting]


class Kind(t.NamedTuple):
    """What makes a server, and what gives it a password."""

    images: t.FrozenSet[str]
    programs: t.FrozenSet[str]
    passwords: t.FrozenSet[str]  # variables
    unguarded: t.FrozenSet[str] = frozenset()  # variables that ask for no password
    flags: t.FrozenSet[str] = frozenset()  # arguments that ask for one


def _names(text: str) -> t.FrozenSet[str]:
    return frozenset(text.split())


POSTGRES = Kind(
    _names("postgres postgresql postgis timescaledb timescaledb-ha pgvector pgautoupgrade postgres-ssl"),
    _names("postgres docker-entrypoint.sh"),
    _names("POSTGRES_PASSWORD POSTGRESQL_PASSWORD POSTGRESQL_POSTGRES_PASSWORD"),
    _names("ALLOW_EMPTY_PASSWORD"),
)
MYSQL = Kind(
    _names("mysql mysql-server mariadb percona percona-server"),
    _names("mysqld mariadbd mysqld_safe docker-entrypoint.sh"),
    _names(
        "MYSQL_ROOT_PASSWORD MARIADB_ROOT_PASSWORD MARIADB_ROOT_PASSWORD_HASH MYSQL_RANDOM_ROOT_PASSWORD MARIADB_RANDOM_ROOT_PASSWORD "
        "MYSQL_PASSWORD MARIADB_PASSWORD"
    ),
    _names("MYSQL_ALLOW_EMPTY_PASSWORD MARIADB_ALLOW_EMPTY_ROOT_PASSWORD MARIADB_ALLOW_EMPTY_PASSWORD ALLOW_EMPTY_PASSWORD"),
)
MONGO = Kind(
    _names("mongo mongodb mongodb-community-server percona-server-mongodb"),
    _names("mongod docker-entrypoint.sh"),
    _names("MONGO_INITDB_ROOT_PASSWORD MONGODB_INITDB_ROOT_PASSWORD MONGODB_ROOT_PASSWORD"),
    _names("ALLOW_EMPTY_PASSWORD"),
    _names("--auth --keyFile --config -f"),
)
REDIS = Kind(
    _names("redis redis-stack redis-stack-server valkey keydb dragonfly kvrocks garnet"),
    _names("redis-server valkey-server keydb-server dragonfly kvrocks garnet redis-stack-server docker-entrypoint.sh"),
    _names("DFLY_requirepass DFLY_PASSWORD"),
    _names("ALLOW_EMPTY_PASSWORD"),
    _names("--requirepass --aclfile --user --flagfile"),
)
# Arguments of the server in a variable; the official image of Redis reads no variable at all.
_ARGUMENTS = ("REDIS_ARGS", "VALKEY_EXTRA_FLAGS")
_BITNAMI = ("REDIS_PASSWORD", "VALKEY_PASSWORD")
_GUARDS = re.compile(r"^\s*(?:requirepass\s+(?![\"']{2}\s*$)\S|aclfile\s|user\s|include\s)", re.MULTILINE | re.IGNORECASE)
_NO = ("", "0", "no", "false", "off")


def unguarded_database(service: model.Mapping, told: Settings) -> str:
    """Why the service is a database that asks for no password, or nothing."""
    for kind in (POSTGRES, MYSQL, MONGO):
        if not _serves(service, kind):
            continue
        reason = _asked_for_none(kind, told)
        if kind is POSTGRES and not reason:
            reason = _trusts(told)
        if reason or _has_password(kind, told) or kind.flags & _flags(service):
            return reason
        return "it is given none of {0}".format(", ".join(sorted(kind.passwords)))
    return ""


def unguarded_redis(stack: model.Mapping, service: model.Mapping, told: Settings) -> str:
    """Why the service is a Redis, or takes its place, and asks for no password; or nothing."""
    if not _serves(service, REDIS):
        return ""
    reason = _asked_for_none(REDIS, told)
    arguments = words(service.get("entrypoint")) + words(service.get("command"))
    for name in _ARGUMENTS:
        arguments += words(told[name].text) if name in told and told[name].text else []
        if name in told and told[name].text is None:
            return reason
    bitnami = "bitnami" in str(service.get("image")) and any(_is_set(told.get(name)) for name in _BITNAMI)
    files = [_file_guards(stack, service, argument) for argument in arguments if argument.startswith("/")]
    if reason or bitnami or _has_password(REDIS, told) or _guarding(arguments) or any(files):
        return reason
    return "neither its command nor its configuration has requirepass or an ACL"


def plain_password(service: model.Mapping) -> str:
    """The argument of a command that is a password in the open; nothing when the shell looks it up."""
    arguments = words(service.get("entrypoint")) + words(service.get("command"))
    for argument, following in zip(arguments, arguments[1:] + [""]):
        flag, equals, value = argument.partition("=")
        value = (value if equals else following).strip("\"'")
        if flag in ("--requirepass", "--masterauth") and value and not value.startswith(("$", "`")):
            return flag
    return ""


def _serves(service: model.Mapping, kind: Kind) -> bool:
    """Whether it runs the server, not one of the clients that the image has too."""
    image = service.get("image")
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0] if isinstance(image, str) else ""
    if repository not in kind.images:
        return False
    arguments = words(service.get("entrypoint")) + words(service.get("command"))
    if not arguments or arguments[0].startswith("-") or arguments[0].startswith("/") and arguments[0].endswith(".conf"):
        return True
    begins = [0] + [index + 1 for index, word in enumerate(arguments) if word in ("-c", "exec", "&&", "||") or word.endswith(";")]
    return any(arguments[index].strip("\"'").rpartition("/")[2] in kind.programs for index in begins if index < len(arguments))


def _flags(service: model.Mapping) -> t.Set[str]:
    return {word.partition("=")[0] for word in words(service.get("entrypoint")) + words(service.get("command"))}


def _guarding(arguments: t.List[str]) -> bool:
    for argument, following in zip(arguments, arguments[1:] + [""]):
        flag, equals, value = argument.partition("=")
        if flag in REDIS.flags and (value if equals else following).strip("\"'"):
            return True
    return False


def _has_password(kind: Kind, told: Settings) -> bool:
    return any(_is_set(told.get(name)) for name in kind.passwords)


def _is_set(setting: t.Optional[Setting]) -> bool:
    return setting is not None and (setting.text is None or bool(setting.text.strip()))


def _asked_for_none(kind: Kind, told: Settings) -> str:
    found = [name for name in sorted(kind.unguarded) if name in told and (told[name].text or "").strip().lower() not in _NO]
    return "{0} lets everybody in".format(found[0]) if found else ""


def _trusts(told: Settings) -> str:
    method, arguments = (str(told[name].text if name in told else "") for name in ("POSTGRES_HOST_AUTH_METHOD", "POSTGRES_INITDB_ARGS"))
    if method.strip().lower() == "trust":
        return "POSTGRES_HOST_AUTH_METHOD lets everybody in"
    trusts = re.search(r"(?:--auth(?:-host)?[= ]|-A ?)[\"']?trust", arguments)
    return "POSTGRES_INITDB_ARGS lets everybody in" if trusts and method.strip() in ("", "trust") else ""


def _file_guards(stack: model.Mapping, service: model.Mapping, path: str) -> bool:
    """Whether a file among the arguments may ask for a password: one that is not declared here may."""
    if not re.search(r"[.](?:conf|cfg|acl)$|^/run/secrets/", path):
        return False
    for reference in model.references(service, "configs"):
        if str(reference.get("target", "/" + reference["source"])) == path:
            content = model.sections(stack, "configs").get(reference["source"], {}).get("content")
            return not isinstance(content, str) or bool(_GUARDS.search(content))
    for reference in model.references(service, "secrets"):
        if model.mount_path(reference) == path:
            content = template_text(model.sections(stack, "secrets").get(reference["source"], {}))
            return content is None or bool(_GUARDS.search(content))
    return True
