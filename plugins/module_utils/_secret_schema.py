# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the module secret_files: how each secret is made, its value, and who reads it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._secret_env_file import VARIABLE_RE
from ansible_collections.portside.stack.plugins.module_utils._secret_templates import template_problems

SECRET_NAME_RE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
)  # use fullmatch: it is part of a path and of Compose names
MODE_RE = re.compile(r"0?[0-7]{3}")
# With _v and a version it is still a name that PostgreSQL does not cut.
ROLE_RE = re.compile(r"[a-z_][a-z0-9_]{0,40}")
GENERATE_MINIMUM, GENERATE_MAXIMUM = 16, 4096
KEYS = ("files", "generate", "login", "template")


class Reader(NamedTuple):
    """Who reads a file of a secret; with a variable it is not the bare value but a line for Compose's env_file."""

    uid: int
    gid: int
    mode: int
    variable: str = ""


ROOT = Reader(0, 0, 0o400)


class Secret(NamedTuple):
    name: str
    generate: int | None
    template: str | None
    role: str | None  # of its logins
    readers: list[Reader]
    value: bytes | None
    rotate: bool


def parse(secrets, values=None, rotate=()):
    """The declaration, checked; all problems at once. Values of other names are of no interest here."""
    values = values or {}
    problems = []
    parsed = [_secret(str(name), entry, secrets, values, name in rotate, problems) for name, entry in sorted(secrets.items())]
    for name in sorted(set(rotate) - set(secrets)):
        known = ", ".join(one.name for one in parsed if one.generate and one.value is None) or "none is generated"
        problems.append(
            "secret %r: cannot be rotated: no service uses a secret of this name; to choose from: %s" % (name, known)
        )
    if problems:
        raise StackError("\n".join(problems))
    return parsed


def _secret(name, entry, secrets, values, rotate, problems):
    where = "secret %r" % name
    if not SECRET_NAME_RE.fullmatch(name):
        problems.append(
            "%s: a name is made of letters, digits, '.', '_' and '-', starts with a letter or digit, and has at most 64"
            % where
        )
    entry = {} if entry is None else entry
    if not isinstance(entry, dict):
        problems.append("%s: must be a mapping of %s; values go to another option" % (where, ", ".join(KEYS)))
        entry = {"generate": GENERATE_MINIMUM}
    for key in sorted(set(entry) - set(KEYS), key=str):
        problems.append("%s: unknown key %r: known are %s" % (where, key, ", ".join(KEYS)))
    generate, template = entry.get("generate"), entry.get("template")
    value = _value(where, values.get(name), problems)
    if generate is not None:
        _generate_problems(where, generate, problems)
    if template is not None:
        _template_problems(where, entry, secrets, values.get(name) is not None, problems)
    elif generate is None and values.get(name) is None:
        problems.append(
            "%s: has no value: give it one (in a play: stack_secrets), or let the host make it with generate: 64"
            % where
        )
    if rotate:
        _rotate_problems(where, generate, template, values.get(name) is not None, problems)
    role = _role(where, name, entry.get("login"), problems)
    files = entry.get("files") or []
    if not isinstance(files, list):
        problems.append("%s: files must be a list of mappings of uid, gid, mode and variable" % where)
        files = []
    readers = [_reader(where, one, problems) for one in files]
    return Secret(name, generate, template, role, sorted(set(readers)), value, rotate)


def _generate_problems(where, generate, problems):
    length = isinstance(generate, int) and not isinstance(generate, bool)
    if not length or not GENERATE_MINIMUM <= generate <= GENERATE_MAXIMUM:
        problems.append(
            "%s: generate %r: must be a length from %d to %d" % (where, generate, GENERATE_MINIMUM, GENERATE_MAXIMUM)
        )


def _template_problems(where, entry, secrets, has_value, problems):
    problems += ["%s: %s" % (where, text) for text in template_problems(entry["template"], secrets)]
    others = [key for key in ("generate", "login") if entry.get(key) is not None] + ["a value"] * has_value
    if others:
        problems.append("%s: has a template and %s: keep one of them" % (where, " and ".join(others)))


def _rotate_problems(where, generate, template, has_value, problems):
    if template is not None:
        problems.append("%s: cannot be rotated: it is composed from others: rotate those its template names" % where)
    elif has_value or generate is None:
        problems.append("%s: cannot be rotated: its value is given: change its value in stack_secrets" % where)


def _role(where, name, login, problems):
    if login is None:
        return None
    if not ROLE_RE.fullmatch(name):
        problems.append("%s: is the name of its logins too: use a-z, 0-9 and _, at most 41" % where)
    role = login.get("role") if isinstance(login, dict) and set(login) <= {"service", "role"} else None
    if not isinstance(role, str) or not ROLE_RE.fullmatch(role):
        problems.append(
            "%s: login must be a mapping of service and role, the role a name of a-z, 0-9 and _, at most 41 long" % where
        )
        return None
    return role


def _reader(where, entry, problems):
    if not isinstance(entry, dict) or set(entry) - set(Reader._fields):
        problems.append("%s: each entry of files is a mapping of uid, gid, mode and variable" % where)
        return ROOT
    mode = entry.get("mode")
    mode = "0400" if mode is None else mode
    if not isinstance(mode, str) or not MODE_RE.fullmatch(mode):
        problems.append(
            "%s: mode %r is not an octal string: write it in digits and in quotes, for example mode: '0400'"
            % (where, mode)
        )
        mode = "0400"
    if int(mode, 8) & 0o007:
        problems.append(
            "%s: mode %s lets everybody on the host at it: give the uid or gid that reads it, and mode '0400' or '0440'"
            % (where, mode)
        )
    variable = entry.get("variable") or ""
    if variable and not (isinstance(variable, str) and VARIABLE_RE.fullmatch(variable)):
        problems.append("%s: variable %r is not a name: use letters, digits and _" % (where, variable))
        variable = ""
    uid = _owner_number(where, "uid", entry.get("uid") or 0, problems)
    gid = _owner_number(where, "gid", entry.get("gid") or 0, problems)
    return Reader(uid, gid, int(mode, 8), variable)


def _owner_number(where, key, value, problems):
    if isinstance(value, str) and re.fullmatch(r"[0-9]+", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32 - 1:
        problems.append(
            "%s: %s %r is not a number: containers have no names for the host's accounts, give the number"
            % (where, key, value)
        )
        return 0
    return value


def _value(where, value, problems):
    """Never names the value."""
    if value is None:
        return None
    if not isinstance(value, str):
        problems.append("%s: its value is not text but %s: put it in quotes" % (where, type(value).__name__))
        return None
    if not value:
        problems.append("%s: its value is empty" % where)
    elif re.fullmatch(r"[0-9]{1,3}", value):
        # Ansible masks values wherever they occur in a result, there even in the version numbers.
        problems.append("%s: its value is too short to be kept secret: use a longer one" % where)
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        problems.append("%s: its value is not valid Unicode text" % where)
        return None
