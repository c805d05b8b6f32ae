# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of a PostgreSQL or Redis server as applications are given it: where it is, and with what one is let in.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

No error has any part of the URL in it but its scheme, a host, a port or the name of a setting.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import parse_qsl, unquote

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# With the driver behind a plus, as SQLAlchemy has it, and JDBC's prefix before it.
_POSTGRESQL = ("postgres", "postgresql", "postgis", "pgsql", "psql")
_REDIS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_URL = re.compile(
    r"(?:jdbc:)?([A-Za-z][A-Za-z0-9.-]*)(?:\+[A-Za-z0-9_.-]+)?://"
    r"([^/?#]*)(?:/([^?#]*))?(?:\?([^#]*))?(?:#(.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\],]*)(?::([0-9]*))?")
_YES = ("1", "true", "on", "yes")


class Target(t.NamedTuple):
    """What to reach. ``tls`` is one of SSL_MODES; a ``user`` or ``password`` of None is not given."""

    kind: str
    places: t.List[t.Tuple[str, int]]
    tls: str
    user: t.Optional[str] = None
    password: t.Optional[str] = None
    database: str = ""
    verifiable: bool = True  # false where only a file in the service's container says whom to trust


def target_of(kind: str, url: str) -> Target:
    """The target that a URL names. Raises StackError, whose text ends a sentence on the secret."""
    found = _URL.fullmatch(url.strip())
    if not found:
        raise StackError("is not a URL; it has to begin like {0}://".format("postgresql" if kind == "postgresql" else "redis"))
    scheme, authority, path, query, fragment = (part or "" for part in found.groups())
    # Else what is left of the password would count as the host, which errors show.
    if "@" in path + query.partition("=")[0] + fragment:
        raise StackError("has a /, ? or # as it is in its user or password; percent-encode it, as a template does")
    # Later ones win, as they do in libpq.
    settings = dict(parse_qsl(query, keep_blank_values=True))
    userinfo, _at, hosts = authority.rpartition("@")
    name, colon, password = userinfo.partition(":")
    user = unquote(name) if name else None
    secret = unquote(password) if colon else None
    if kind == "postgresql":
        return _postgresql(scheme.lower(), hosts, user, secret, unquote(path), settings)
    return _redis(scheme.lower(), hosts, user, secret, unquote(path), settings)


def _postgresql(
    scheme: str, hosts: str, user: t.Optional[str], password: t.Optional[str], path: str, settings: t.Dict[str, str]
) -> Target:
    if scheme not in _POSTGRESQL:
        raise StackError("is a URL with {0}://, which is no PostgreSQL; it has to begin like postgresql://".format(scheme))
    user = settings.get("user", user)
    if settings.get("host"):
        ports = settings.get("port", "").split(",")
        names = settings["host"].split(",")
        ports = ports * len(names) if len(ports) == 1 else ports
        hosts = ",".join("{0}:{1}".format(*pair) for pair in zip(names, ports))
    return Target(
        kind="postgresql",
        places=[_place(one, 5432) for one in hosts.split(",")],
        tls=_ssl_mode(settings),
        user=user,
        password=settings.get("password", password),
        database=settings.get("dbname") or path or user or "",
        verifiable=settings.get("sslrootcert", "system") == "system",
    )


def _ssl_mode(settings: t.Dict[str, str]) -> str:
    """libpq's sslmode; `ssl` is what asyncpg, JDBC and node-postgres call it."""
    key = "sslmode" if "sslmode" in settings else "ssl"
    mode = settings.get(key, "verify-full" if settings.get("sslrootcert") == "system" else "prefer").lower()
    if key == "ssl" and mode in _YES:
        return "require"
    if key == "ssl" and mode in ("0", "false", "off", "no"):
        return "disable"
    mode = "require" if mode == "no-verify" else mode
    if mode not in SSL_MODES:
        raise StackError("has an {0} that is none of {1}".format(key, ", ".join(SSL_MODES)))
    return mode


def _redis(
    scheme: str, hosts: str, user: t.Optional[str], password: t.Optional[str], path: str, settings: t.Dict[str, str]
) -> Target:
    if scheme not in _REDIS:
        raise StackError("is a URL with {0}://, which is no Redis; it has to begin with redis:// or rediss://".format(scheme))
    database = settings.get("db", path.strip("/"))
    if not re.fullmatch(r"[0-9]{0,9}", database):
        raise StackError("names a database that is no number; write /0 at its end")
    asked = settings.get("ssl_cert_reqs", "required").lower().replace("cert_", "")
    verified = "verify-full" if asked == "required" else "require"
    return Target(
        kind="redis",
        places=[_place(hosts, 6379)],
        tls=verified if _REDIS[scheme] else "disable",
        user=user,
        password=settings.get("password", password),
        database=database.lstrip("0"),
        verifiable="ssl_ca_certs" not in settings,
    )


def _place(text: str, port: int) -> t.Tuple[str, int]:
    found = _HOST.fullmatch(text)
    host = unquote(found.group(1)).strip("[]") if found else ""
    if not host or host.startswith(("/", "@")):
        raise StackError("names no host to reach over the network; write it before the port")
    number = int(found.group(2) or port)
    if not 0 < number < 65536:
        raise StackError("has a port that is none")
    return host, number
