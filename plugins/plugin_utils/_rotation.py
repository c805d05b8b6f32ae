# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets are to be made anew, as it is said on the command line: NAME, or STACK/NAME.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, did_you_mean
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import secret_environment
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import used_secrets

# What the official images read while their volume is empty, and never again.
_INITIAL = (
    *("POSTGRES_PASSWORD", "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "MARIADB_ROOT_PASSWORD", "MARIADB_PASSWORD"),
    "MONGO_INITDB_ROOT_PASSWORD",
)


def rotated_secrets(stacks: t.List[model.Mapping], rotate: t.Union[str, t.List[str]]) -> t.Dict[str, t.List[str]]:
    """The secrets to make anew, by stack. ``rotate`` is a list, or text with commas."""
    found: t.Dict[str, t.List[str]] = {}
    for wish in _wishes(rotate):
        for stack, name in _meant(stacks, wish):
            found.setdefault(str(stack.get("name")), []).append(name)
    return found


def rotation_problems(
    stacks: t.List[model.Mapping], rotate: t.Union[str, t.List[str]], secret_names: t.Mapping[str, t.Sequence[str]]
) -> t.List[str]:
    """What of that cannot be done. ``secret_names`` are the names that have a value, by stack."""
    problems: t.List[str] = []
    for wish in _wishes(rotate):
        meant = _meant(stacks, wish)
        if len(meant) != 1:
            declared = [one for one in stacks if isinstance(one, dict)]
            known = ["{0}/{1}".format(one.get("name"), name) for one in declared for name in model.sections(one, "secrets")]
            hint = did_you_mean(wish, known + [one.partition("/")[2] for one in known]) or "declared are {0}".format(", ".join(known) or "none")
            if meant:
                hint = "write one of {0}".format(", ".join("{0}/{1}".format(stack.get("name"), name) for stack, name in meant))
            what = "more than one" if meant else "no"
            problems.append("stack_rotate: {0!r} is {1} secret; {2}{3}".format(wish, what, hint, "" if hint.endswith("?") else "."))
        for stack, name in meant if len(meant) == 1 else ():
            reason = _reason(stack, name, secret_names.get(str(stack.get("name"))) or ())
            if reason:
                Report(stack.get("name"), problems).add("secrets.{0}".format(name), "it cannot be rotated, since {0}".format(reason))
    return problems


def _wishes(rotate: t.Union[str, t.List[str]]) -> t.List[str]:
    wishes = rotate if isinstance(rotate, list) else str(rotate).split(",")
    return [str(wish).strip() for wish in wishes if str(wish).strip()]


def _meant(stacks: t.List[model.Mapping], wish: str) -> t.List[t.Tuple[model.Mapping, str]]:
    of, slash, name = wish.rpartition("/")
    return [(one, name) for one in stacks if isinstance(one, dict) and name in model.sections(one, "secrets") and (not slash or one.get("name") == of)]


def _reason(stack: model.Mapping, name: str, valued: t.Sequence[str]) -> str:
    secret = model.sections(stack, "secrets")[name]
    if "template" in secret:
        return "it is composed of others; rotate one of those"
    if name not in used_secrets(stack):
        return "no service uses it"
    if name in valued:
        return "its value is in stack_secrets; change it there"
    for service, options in model.services_of(stack).items():
        given = model.pairs(options.get("environment"))
        # An application may be given its login under such a name too, and that is rotated in the database.
        read = {one.name for one in secret_environment(stack, service) if one.secret == name and "login" not in secret}
        read |= {key[: -len("_FILE")] for key, path in given.items() if key.endswith("_FILE") and _file(path) in _targets(options, name)}
        for variable in (one for one in _INITIAL if one in read):
            return (
                "service {0!r} reads it as {1}, which counts only while the volume is empty: the database would keep its old password. "
                "Give the application a secret with `login`, which is rotated in the database too".format(service, variable)
            )
    return ""


def _file(path: t.Any) -> str:
    return str(path or "").rpartition("/")[2]


def _targets(service: model.Mapping, secret: str) -> t.Set[str]:
    """The names of the files by which a service sees a secret."""
    found = [one for one in model.references(service, "secrets") if one["source"] == secret]
    return {_file(one.get("target", secret)) for one in found}
