# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module database_logins does: the logins of a release on its servers, and no more of those nobody can use.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._login_roles import (
    Login,
    Role,
    drop_sql,
    ensure_sql,
    is_right,
    read_sql,
)
from ansible_collections.portside.stack.plugins.module_utils._schema import SUPERUSER, in_container, servers
from ansible_collections.portside.stack.plugins.module_utils._scram import SALT_BYTES, verifier
from ansible_collections.portside.stack.plugins.module_utils._secrets import secret_path

_INTERVAL = 1.0
# psql's own: there is no connection, as with a server that starts or stops at this moment.
_NO_CONNECTION = 2
_PSQL = SUPERUSER + 'exec psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U "$user" -d template1\n'


class Outcome(t.NamedTuple):
    """What became, or in check mode would become, of one login."""

    service: str
    name: str
    secret: str
    action: str  # created, altered, unchanged, dropped, disabled or left
    depended: bool = False


class DatabaseLogins:
    """The logins of one release of a stack, and those that nobody can use any more.

    ``secrets`` is the directory of the stack's secrets, ``services`` are further ones to look at where they run.
    """

    def __init__(
        self,
        stack: str,
        secrets: str,
        logins: t.List[Login],
        services: t.Iterable[str],
        engine: EngineClient,
        run: Run,
        clock: Clock,
        tell: t.Callable[[str], None],
        wait_timeout: float,
        salt: t.Callable[[int], bytes],
    ) -> None:
        self.stack = stack
        self._secrets, self._logins, self._engine, self._run = secrets, logins, engine, run
        self._clock, self._tell, self._timeout, self._salt = clock, tell, wait_timeout, salt
        self.services = sorted({login.service for login in logins}.union(services))
        self.outcomes: t.List[Outcome] = []

    def plan(self) -> None:
        """Find out what would be done. A server that does not run has no logins yet."""
        try:
            running = dict(servers(self._engine, self.stack))
        except EngineUnavailable:
            running = {}
        for service in self.services:
            own = self._of(service)
            roles = self._roles(service, running[service], own) if service in running else None
            for login in own:
                known = (roles or {}).get(login.name)
                path = self._path(login.secret, login.version)
                if known:
                    self._refuse_foreign(login, known)
                right = os.path.exists(path) and is_right(login, known, self._password(login))
                self._note(login, "unchanged" if right else "altered" if known else "created")
            for role in self._stale(roles or {}):
                self._note_drop(service, role)

    def carry_out(self) -> None:
        """Do it. The services have been started."""
        for service in self.services:
            own = self._of(service)
            container = dict(servers(self._engine, self.stack)).get(service)
            if container is None and not own:
                continue
            if container is None:
                raise self._error(
                    service,
                    "no PostgreSQL server runs as this service",
                    "name the service that runs the image postgres, or one made from it, under login of the secret",
                )
            roles = self._roles(service, container, own)
            for login in own:
                self._ensure(service, container, login, roles)
            for role in self._stale(roles):
                self._note_drop(service, role)
                if self.outcomes[-1].action != "left":
                    self._do(service, container, drop_sql(role))
                    self._tell("{0}: login {1} {2}".format(service, role.name, self.outcomes[-1].action))

    def _ensure(self, service: str, container: str, login: Login, roles: t.Dict[str, Role]) -> None:
        known = roles.get(login.name)
        if login.role not in roles:
            raise self._error(
                service,
                "there is no role {0}, which login {1} of secret {2} is to act as".format(login.role, login.name, login.secret),
                "name the role that owns the application's tables, as a rule POSTGRES_USER of the service; "
                "or make it there first (CREATE ROLE {0})".format(login.role),
            )
        if known:
            self._refuse_foreign(login, known)
        password = self._password(login)
        if is_right(login, known, password):
            self._note(login, "unchanged")
            return
        self._do(service, container, ensure_sql(login, known is not None, verifier(password, self._salt(SALT_BYTES))))
        self._note(login, "altered" if known else "created")
        self._tell("{0}: login {1} {2}".format(service, login.name, self.outcomes[-1].action))

    def _refuse_foreign(self, login: Login, known: Role) -> None:
        """A role of that name may be somebody else's."""
        if known.mark != login.mark:
            raise self._error(
                login.service,
                "there already is a role {0}, and it was not made for secret {1}".format(login.name, login.secret),
                'rename it (ALTER ROLE "{0}" RENAME TO ...), or give the secret another name'.format(login.name),
            )

    def _stale(self, roles: t.Dict[str, Role]) -> t.List[Role]:
        """The logins made here whose password is not on the host any more, so that nobody has it."""
        wanted = {login.name for login in self._logins}
        made = (role for _name, role in sorted(roles.items()) if role.version_of and role.name not in wanted)
        return [role for role in made if not os.path.exists(self._path(*role.version_of))]

    def _roles(self, service: str, container: str, logins: t.List[Login]) -> t.Dict[str, Role]:
        """The roles of a server that matter, once it is up for good."""
        until = self._clock.monotonic() + self._timeout
        told = False
        while True:
            code, out, err = self._psql(container, read_sql(logins))
            if not code:
                found = json.loads(out)
                # While the image prepares a new server, that listens nowhere, and will be stopped again.
                if found["listens"] or self._clock.monotonic() >= until:
                    return {role["name"]: Role(**role) for role in found["roles"]}
            elif code != _NO_CONNECTION or self._clock.monotonic() >= until:
                raise self._failed(service, code, err)
            if not told:
                self._tell("{0}: waits for the server to answer".format(service))
                told = True
            self._clock.sleep(_INTERVAL)

    def _do(self, service: str, container: str, sql: str) -> None:
        code, _out, err = self._psql(container, sql)
        if code:
            raise self._failed(service, code, err)

    def _psql(self, container: str, sql: str) -> t.Tuple[int, str, str]:
        return self._run(in_container(container, "sh", "-c", _PSQL), sql)

    def _password(self, login: Login) -> bytes:
        path = self._path(login.secret, login.version)
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise self._error(
                login.service,
                "version {0.version} of secret {0.secret}, the password of login {0.name}, is not on the host".format(login),
                "deploy again, which writes it anew",
            ) from None

    def _path(self, secret: str, version: int) -> str:
        return secret_path(self._secrets, secret, version)

    def _of(self, service: str) -> t.List[Login]:
        return [login for login in self._logins if login.service == service]

    def _note(self, login: Login, action: str) -> None:
        self.outcomes.append(Outcome(login.service, login.name, login.secret, action))

    def _note_drop(self, service: str, role: Role) -> None:
        action = "dropped" if not role.depended else "disabled" if role.can_login else "left"
        self.outcomes.append(Outcome(service, role.name, role.version_of[0], action, role.depended))

    def _failed(self, service: str, code: int, err: str) -> StackError:
        said = last_lines(err).replace("\n", " / ") or "psql ended with exit code {0}".format(code)
        return self._error(
            service,
            "the logins of its PostgreSQL server could not be seen to: {0}".format(said),
            "see that the superuser of the image may connect over the container's own socket without a password "
            "(pg_hba.conf: local all all trust), and the service's log",
        )

    def _error(self, service: str, why: str, remedy: str) -> StackError:
        return StackError("stack {0}: service {1}: {2}. Remedy: {3}.".format(self.stack, service, why, remedy))
