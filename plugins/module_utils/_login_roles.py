# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL logins, one for each version of a secret: what is to be, what a server has, and the SQL from there to here.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A login is a role of its own that acts as the application's role from the start of each session. So what it makes
belongs to that role, two versions can be used at the same time, and one that nobody needs any more can go.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._scram import matches
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import ROLE_RE

# A role's comment: only roles that carry it are ever altered or dropped.
_MARK = "portside.stack login {0} {1}"
_MARKED = re.compile(r"portside\.stack login (\S+) ([1-9][0-9]*)")

# `depended` are objects that belong to the role or that it has rights on, in any database.
_READ = r"""
SELECT json_build_object(
  'listens', current_setting('listen_addresses') <> '',
  'roles', coalesce(json_agg(json_build_object(
    'name', a.rolname,
    'can_login', a.rolcanlogin,
    'stored', a.rolpassword,
    'mark', shobj_description(a.oid, 'pg_authid'),
    'member_of', ARRAY(SELECT r.rolname FROM pg_auth_members AS m JOIN pg_authid AS r ON r.oid = m.roleid WHERE m.member = a.oid),
    'settings', (SELECT s.setconfig FROM pg_db_role_setting AS s WHERE s.setrole = a.oid AND s.setdatabase = 0),
    'depended', EXISTS (SELECT FROM pg_shdepend AS d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = a.oid)
  )), '[]'::json))
FROM pg_authid AS a
WHERE a.rolname IN ({0}) OR shobj_description(a.oid, 'pg_authid') LIKE 'portside.stack login %';
"""

# What a server writes into its log of the statements that follow: nothing.
_QUIET = """\
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
"""


class Login(t.NamedTuple):
    """The login that one version of a secret is the password of."""

    secret: str
    version: int
    service: str
    role: str

    @property
    def name(self) -> str:
        return "{0}_v{1}".format(self.secret, self.version)

    @property
    def mark(self) -> str:
        return _MARK.format(self.secret, self.version)


class Role(t.NamedTuple):
    """A role as a server has it."""

    name: str
    can_login: bool
    stored: t.Optional[str]
    mark: t.Optional[str]
    member_of: t.List[str]
    settings: t.Optional[t.List[str]]
    depended: bool

    @property
    def version_of(self) -> t.Optional[t.Tuple[str, int]]:
        """The secret and version that it was made for; none when it was not made here."""
        found = _MARKED.fullmatch(self.mark or "")
        return (found.group(1), int(found.group(2))) if found else None


def login_of(data: t.Mapping[str, t.Any]) -> Login:
    """A login as a record has it. Its names become part of SQL and of a path, so no others are let in."""
    login = Login(str(data["secret"]), int(data["version"]), str(data["service"]), str(data["role"]))
    if not ROLE_RE.fullmatch(login.secret) or not ROLE_RE.fullmatch(login.role) or login.version < 1:
        raise StackError(
            "{0} is not a login. Remedy: pass `logins` as the filter release_files returns them.".format(dict(data))
        )
    return login


def read_sql(logins: t.Iterable[Login]) -> str:
    """What to ask a server."""
    names = {name for login in logins for name in (login.name, login.role)}
    return _READ.format(", ".join("'{0}'".format(name) for name in sorted(names)))


def is_right(login: Login, role: t.Optional[Role], password: bytes) -> bool:
    """Whether a server has the login as it is to be."""
    return (
        role is not None
        and role.can_login
        and role.mark == login.mark
        and login.role in role.member_of
        and "role=" + login.role in (role.settings or [])
        and matches(role.stored, password)
    )


def ensure_sql(login: Login, present: bool, stored: str) -> str:
    """Make it so, at once or not at all. ``stored`` stands for the password, which no server is told."""
    return (
        _QUIET
        + 'BEGIN;\n{0} ROLE "{1.name}" LOGIN PASSWORD \'{2}\';\n'.format("ALTER" if present else "CREATE", login, stored)
        + 'GRANT "{0.role}" TO "{0.name}";\nALTER ROLE "{0.name}" SET role TO \'{0.role}\';\n'.format(login)
        + "COMMENT ON ROLE \"{0.name}\" IS '{0.mark}';\nCOMMIT;\n".format(login)
    )


def drop_sql(role: Role) -> str:
    """Let nobody log in any more, and drop the role unless something depends on it."""
    name, text = role.name.replace('"', '""'), role.name.replace("'", "''")
    return (
        'ALTER ROLE "{0}" NOLOGIN;\n'.format(name)
        + "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{0}';\n".format(text)
        + ("" if role.depended else 'DROP ROLE "{0}";\n'.format(name))
    )
