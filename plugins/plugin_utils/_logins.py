# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database logins of a stack: the versions of its secrets that a PostgreSQL server lets in with.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model


def normalised_logins(stack: t.Any, versions: t.Mapping[str, int]) -> t.List[model.Mapping]:
    """The logins of a stack without problems, as a release records them and the module database_logins takes them."""
    declared = _declared(model.mapping(stack))
    return [
        {"secret": name, "version": versions[name], "service": str(login["service"]), "role": str(login["role"])}
        for name, login in sorted(declared.items())
        if name in versions
    ]


def _declared(stack: model.Mapping) -> t.Dict[str, model.Mapping]:
    found = {name: model.mapping(secret.get("login")) for name, secret in model.sections(stack, "secrets").items()}
    return {name: login for name, login in found.items() if login}
