# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared checks of a stack, as a release records them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model

_OPTIONS: t.Dict[str, t.Callable[[t.Any], t.Any]] = {
    "name": str,
    "url": str,
    "status": int,
    "timeout": float,
    "interval": float,
    "headers": lambda headers: {str(name): str(value) for name, value in model.mapping(headers).items()},
    "body": str,
}


def normalised_checks(stack: t.Any) -> t.List[model.Mapping]:
    """The checks of a stack without problems: the keys that are declared, each of its own type."""
    checks = [model.mapping(check) for check in model.sequence(model.mapping(stack).get("checks"))]
    return [{key: typed(check[key]) for key, typed in _OPTIONS.items() if key in check} for check in checks]
