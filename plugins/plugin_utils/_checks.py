# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared checks of a stack, as a release records them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import typed
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model


def normalised_checks(stack: t.Any) -> t.List[model.Mapping]:
    """The checks of a stack without problems: the keys that are declared, each of its own type."""
    return [typed(check) for check in _declared(stack)]


def check_secrets(stack: t.Any) -> t.Set[str]:
    """The secrets that checks are made with."""
    return {str(check["password_secret"]) for check in _declared(stack) if "password_secret" in check}


def _declared(stack: t.Any) -> t.List[model.Mapping]:
    return [model.mapping(check) for check in model.sequence(model.mapping(stack).get("checks"))]
