# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of a stack as a person reads them, with what there is to know about them.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._route_problems import stack_route_problems
from ansible_collections.portside.stack.plugins.plugin_utils._routes import parse_routes, route_table


def stack_route_table(stack: model.Mapping) -> t.List[str]:
    """The routes in their normal form, then the warnings; empty without routes."""
    routes = parse_routes(stack.get("routes"))[0]
    if not routes:
        return []
    warnings = ["warning: " + problem.message for problem in stack_route_problems(stack) if problem.level == "warning"]
    return ["stack {0}:".format(stack.get("name")), *("  " + line for line in route_table(routes) + warnings)]
