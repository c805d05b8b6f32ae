# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas of a stack's PostgreSQL databases as fingerprints, so that two moments can be compared.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A fingerprint is over what pg_dump says of the schema, and over the rows of the tables in which the usual migration
tools keep what they have applied: so a migration that changes data alone moves it too, and other data does not.
Databases are found as the image `postgres` and those made from it have them, and are asked by the local user through
the container's own socket. All databases of a server count, an application may well have more than the declared one.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, LABEL_SERVICE, is_oneoff
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable

Fingerprints = t.Dict[str, str]
# Tells the state of a schema in its own way; none where it could not.
Command = t.Callable[[], t.Optional[str]]

# A database that was put aside or is being made by a restore, see _database_dump.
KEPT = re.compile(r".*_((until|restored)_[0-9]{14}|restoring)\Z", re.DOTALL)

# Where the migration tools keep what they have applied, with the columns that tell one migration from another.
_APPLIED = {
    "django_migrations": "app,name",
    "alembic_version": "version_num",
    "schema_migrations": "version",  # Rails, Ecto, dbmate, golang-migrate
    "goose_db_version": "version_id",
    "knex_migrations": "name",
    "SequelizeMeta": "name",
    "_prisma_migrations": "migration_name",
    "flyway_schema_history": "script",
    "databasechangelog": "id",  # Liquibase
    "__EFMigrationsHistory": "MigrationId",
    "directus_migrations": "version",
    "pgmigrations": "name",
}

# For a shell in the container: the superuser that the image made.
SUPERUSER = r"""
user=$POSTGRES_USER
if [ -z "$user" ] && [ -n "$POSTGRES_USER_FILE" ]; then user=$(cat "$POSTGRES_USER_FILE"); fi
user=${user:-postgres}
"""

_SERVER = r"""
[ -s "$PGDATA/PG_VERSION" ] || exit 0
""" + SUPERUSER + r"""
printf '%s\n' "$user"
exec psql -X -w -A -t -U "$user" -d template1 -c \
  "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname"
"""

# A pg_dump that waits for a lock waits in the way of nobody, but not for ever.
_DATABASE = r"""
set -e
pg_dump -w -U "$1" -d "$2" --schema-only --no-owner --no-privileges --no-comments --lock-wait-timeout=20000
exec psql -X -w -A -t -v ON_ERROR_STOP=1 -U "$1" -d "$2"
"""

_ROWS = r"""
SELECT format('SELECT %L, row(%s)::text FROM %s', 'applied ' || c.oid::regclass, k.columns, c.oid::regclass)
FROM pg_class AS c
JOIN (VALUES {0}) AS known (name, wanted) ON known.name = c.relname
CROSS JOIN LATERAL (
  SELECT count(*) AS present, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) AS columns
  FROM pg_attribute AS a
  WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attname = ANY (string_to_array(known.wanted, ','))
) AS k
WHERE c.relkind IN ('r', 'p') AND k.present = cardinality(string_to_array(known.wanted, ','))
\gexec
""".format(", ".join("('{0}', '{1}')".format(*entry) for entry in _APPLIED.items()))

# What says nothing of the schema, and differs between two runs or two versions of pg_dump.
_NOISE = re.compile(r"(--|\\restrict |\\unrestrict |SET [a-z_]+ = .*;$|SELECT pg_catalog\.set_config\()")


class Comparison(t.NamedTuple):
    """The verdict is same, moved or unknown; the names are those of the schemas that it is about."""

    verdict: str
    names: t.List[str]


def fingerprints(
    engine: EngineClient, run: Run, stack: str, commands: t.Optional[t.Mapping[str, Command]] = None
) -> t.Optional[Fingerprints]:
    """SERVICE/DATABASE -> fingerprint, and command:NAME for each command; none where nothing could tell.

    What does not answer is left out.
    """
    found: Fingerprints = {}
    try:
        for service, container in servers(engine, stack):
            found.update(_of_server(run, service, container))
    except EngineUnavailable:
        return None
    for name, command in (commands or {}).items():
        told = command()
        if told is not None:
            found["command:" + name] = _digest([told])
    return found or None


def compare(before: t.Optional[Fingerprints], after: t.Optional[Fingerprints]) -> Comparison:
    """Whether the schemas moved between two moments.

    Where a server answered both times, a database that was there only once was made or dropped in between.
    """
    before, after = before or {}, after or {}
    both = before.keys() & after.keys()
    once = before.keys() ^ after.keys()
    answered = {_server(name) for name in before} & {_server(name) for name in after}
    moved = {name for name in both if before[name] != after[name]} | {name for name in once if _server(name) in answered}
    if moved:
        return Comparison("moved", sorted(moved))
    if once or not both:
        return Comparison("unknown", sorted(once))
    return Comparison("same", sorted(both))


def servers(engine: EngineClient, stack: str) -> t.List[t.Tuple[str, str]]:
    """The running containers that may hold a PostgreSQL server: service and id, one for each service."""
    found: t.Dict[str, str] = {}
    for data in engine.inspect_all("{0}={1}".format(LABEL_PROJECT, stack)):
        labels = data["Config"].get("Labels") or {}
        names = {entry.partition("=")[0] for entry in data["Config"].get("Env") or ()}
        running = data["State"]["Status"] == "running" and not is_oneoff(labels)
        if running and names & {"PGDATA", "PG_MAJOR"}:
            found.setdefault(labels.get(LABEL_SERVICE, ""), data["Id"])
    return sorted(found.items())


def in_container(container: str, *argv: str) -> t.List[str]:
    """The command that runs another one in a container, as its local user: no other server is to be asked."""
    return ["docker", "exec", "-i", "-e", "PGHOST=", container, *argv]


def _of_server(run: Run, service: str, container: str) -> Fingerprints:
    code, out, _err = run(in_container(container, "sh", "-c", _SERVER), None)
    user, *names = out.splitlines() or [""]
    if code or not user:
        return {}
    found = {}
    for name in names:
        if not KEPT.match(name):
            code, out, _err = run(in_container(container, "sh", "-c", _DATABASE, "sh", user, name), _ROWS)
            if code:
                # Without one of them it would look as if that had been dropped.
                return {}
            found["{0}/{1}".format(service, name)] = schema_digest(out)
    return found


def schema_digest(said: str) -> str:
    """The fingerprint of what pg_dump and psql said of one database."""
    lines = [line for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    applied = [line for line in lines if line.startswith("applied ")]
    return _digest([line for line in lines if not line.startswith("applied ")] + sorted(applied))


def _digest(lines: t.Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()[:16]


def _server(name: str) -> str:
    return name.partition("/")[0]
