# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL database into a file and back, without ever losing the one that is there.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._schema import in_container, servers
from ansible_collections.portside.stack.plugins.module_utils._time_limit import Ended, run_limited

# A renaming waits for 5 s until nobody is connected; each try first sends those away who came in between.
_TRIES = 5
_NAME_BYTES = 63

# The properties of a database that no dump of its content has: they are copied from the present one.
_CREATE = r"""
SELECT format('CREATE DATABASE %I TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L TABLESPACE %I CONNECTION LIMIT %s',
              :'new', pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, s.spcname, d.datconnlimit)
  || CASE j->>'datlocprovider'
       WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j->>'datlocale', j->>'daticulocale'))
                  || coalesce(format(' ICU_RULES %L', nullif(j->>'daticurules', '')), '')
       WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j->>'datlocale')
       WHEN 'c' THEN ' LOCALE_PROVIDER libc'
       ELSE ''
     END
FROM pg_database AS d JOIN pg_tablespace AS s ON s.oid = d.dattablespace, to_jsonb(d) AS j
WHERE d.datname = :'old' \gexec
SELECT format('ALTER %s SET %I TO %s',
              CASE c.setrole WHEN 0 THEN format('DATABASE %I', :'new')
                             ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(c.setrole), :'new') END,
              split_part(one, '=', 1),
              -- Those that are lists are stored with the quotes they need.
              CASE WHEN split_part(one, '=', 1) IN ('search_path', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries')
                   THEN substr(one, strpos(one, '=') + 1) ELSE quote_literal(substr(one, strpos(one, '=') + 1)) END)
FROM pg_db_role_setting AS c JOIN pg_database AS d ON d.oid = c.setdatabase, unnest(c.setconfig) AS one
WHERE d.datname = :'old' \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'new') FROM pg_database WHERE datname = :'old' AND datacl IS NOT NULL \gexec
SELECT format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, :'new',
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database AS d, aclexplode(d.datacl) AS a WHERE d.datname = :'old' \gexec
"""

_DROP = r"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'new';
DROP DATABASE IF EXISTS :"new";
"""

# Both renamings happen or none does, also when the server or this program is killed in between.
_SWAP = r"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (:'old', :'new');
BEGIN;
ALTER DATABASE :"old" RENAME TO :"kept";
ALTER DATABASE :"new" RENAME TO :"old";
COMMIT;
"""


class Failed(StackError):
    """A program of PostgreSQL ended with an error, which is the text."""


def dump(
    stack: str,
    engine: EngineClient,
    run: Run,
    service: str,
    database: str,
    user: str,
    path: str,
    seconds: int,
    clock: Clock,
) -> int:
    """Write a database to a file that appears whole or not at all; answers its size in bytes."""
    fs, candidate = FileSystem(), path + ".new"
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    _unlink(candidate)
    # A new file each time: what an interrupted run had begun may still be writing to the former one.
    os.close(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        container = _container(stack, engine, service)
        pg_dump = in_container(container, "pg_dump", "-w", "-Fc", "-U", user, "-d", database, "--lock-wait-timeout=60000")
        argv = ["sh", "-c", 'file=$1; shift; exec "$@" >"$file"', "sh", candidate, *pg_dump]
        _must(run_limited(run, clock, argv, seconds), seconds)
        fs.fsync(candidate)
        os.replace(candidate, path)
        fs.fsync(os.path.dirname(path))
    finally:
        _unlink(candidate)
    return os.path.getsize(path)


class Restore:
    """One dump on its way back: first into a database of its own, which then takes the place of the present one."""

    def __init__(
        self,
        stack: str,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        service: str,
        database: str,
        user: str,
        path: str,
        time: str,
    ) -> None:
        """``time`` is fourteen digits, and ends the name under which the present database is kept."""
        self._run, self._clock, self._user, self._path = run, clock, user, path
        self._container = _container(stack, engine, service)
        self._names = {
            "old": database,
            "new": _shortened(database, "_restoring"),
            "kept": _shortened(database, "_until_" + time),
            "aside": _shortened(database, "_restored_" + time),
        }

    @property
    def kept(self) -> str:
        """The name that the present database is to have afterwards."""
        return self._names["kept"]

    def prepare(self, seconds: int) -> None:
        """Make the new database. The present one is only read."""
        self.discard()
        self._psql(_CREATE)
        if not self._psql("SELECT 1 FROM pg_database WHERE datname = :'new';").strip():
            raise Failed("there is no database {0}".format(self._names["old"]))
        new = self._names["new"]
        pg_restore = ["pg_restore", "-w", "-U", self._user, "-d", new, "--exit-on-error", "--single-transaction"]
        argv = ["sh", "-c", 'file=$1; shift; exec "$@" <"$file"', "sh", self._path]
        argv += in_container(self._container, *pg_restore)
        _must(run_limited(self._run, self._clock, argv, seconds), seconds)
        # A dump has no statistics, and without them the first queries would be slow.
        self._psql("ANALYZE;", database=new)

    def swap(self) -> None:
        """Let the new database take the place of the present one, which keeps everything under its other name."""
        self._swap(self._names)

    @property
    def aside(self) -> str:
        """The name of what was restored, once that is undone: somebody may have written to it."""
        return self._names["aside"]

    def put_back(self) -> bool:
        """Undo the swap: the kept database is the present one again. Answers whether there was anything to undo."""
        if not self._psql("SELECT 1 FROM pg_database WHERE datname = :'kept';").strip():
            return False
        self._swap(dict(self._names, new=self._names["kept"], kept=self.aside))
        return True

    def _swap(self, names: t.Dict[str, str]) -> None:
        for attempt in range(_TRIES):
            try:
                self._psql(_SWAP, names=names)
                return
            except Failed:
                if attempt == _TRIES - 1:
                    raise

    def discard(self) -> None:
        """Drop the new database, if it is there."""
        self._psql(_DROP)

    def _psql(self, script: str, database: str = "template1", names: t.Optional[t.Dict[str, str]] = None) -> str:
        settings = [word for name, value in (names or self._names).items() for word in ("-v", "{0}={1}".format(name, value))]
        argv = ["psql", "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *settings, "-U", self._user, "-d", database]
        code, out, err = self._run(in_container(self._container, *argv), script)
        if code:
            raise Failed(_said(code, err))
        return out


def _container(stack: str, engine: EngineClient, service: str) -> str:
    container = dict(servers(engine, stack)).get(service)
    if not container:
        raise Failed("no PostgreSQL server runs as service {0}".format(service))
    return container


def _must(ended: Ended, seconds: int) -> None:
    if ended.code:
        late = "it was not done after {0} s: ".format(seconds) if ended.ran_out else ""
        raise Failed(late + _said(ended.code, ended.err))


def _said(code: int, err: str) -> str:
    return last_lines(err).replace("\n", " / ") or "exit code {0}".format(code)


def _shortened(name: str, end: str) -> str:
    room = _NAME_BYTES - len(end)
    return name.encode("utf-8")[:room].decode("utf-8", "ignore") + end


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
