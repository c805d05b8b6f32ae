# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regex of a route: in the one spelling that both programs read alike, or why it is refused.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._route_backtracking import too_many_ways
from ansible_collections.portside.stack.plugins.plugin_utils._route_language import TooCostly, counts_characters, explore, tree_node
from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import parse_regex, regex_size, regex_text
from ansible_collections.portside.stack.plugins.plugin_utils._route_values import RESERVED, written

# Written out characters of one regex.
LARGEST_REGEX = 500
_QUERY = re.compile(r"\\\?[\w.-]+=")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
# /api/* and /ws* are what people write in routing tables.
_GLOB = re.compile(r"\^?(/[A-Za-z0-9/_~@%-]*)\*\$?")


def normal_regex(given: str) -> str:
    """The pattern in its normal form; raises StackError, or TooCostly where it cannot be judged."""
    found = _judged(given)
    if isinstance(found, Exception):
        # Without the frames of those who were told before.
        raise found.with_traceback(None)
    return found


@lru_cache(maxsize=4096)
def _judged(given: str) -> t.Union[str, Exception]:
    """Lists are read many times in a run, and each pattern takes a while, also one that is refused."""
    try:
        return _normal(given)
    except (StackError, TooCostly) as error:
        return error


def _normal(given: str) -> str:
    if _QUERY.search(given):
        raise StackError("{0} has a query, by which nothing is routed; leave out \\? and what follows".format(written(given)))
    encoded = _ENCODED.search(given)
    if encoded:
        text = "{0} has {1}, and paths are compared decoded; write the character itself, a blank as \\x20, what is not ASCII as [^/]+"
        raise StackError(text.format(written(given), encoded.group()))
    glob = _GLOB.fullmatch(given)
    if glob:
        text = "{0} says as a regular expression that its last character is there any number of times; write path: {1}, or .* for whatever follows"
        raise StackError(text.format(written(given), written(glob.group(1) + "*")))
    node = parse_regex(given)
    if regex_size(node) > LARGEST_REGEX:
        raise TooCostly
    reached = explore([node] + [tree_node(place + "/") for place in RESERVED])
    if not any(0 in one.patterns for one in reached):
        hint = "it is the whole path that is matched, so begin it with /, as in '/.*\\.jpg', without backslashes and without empty, . and .. segments"
        raise StackError("{0} matches no path that a request can have; {1}".format(written(given), hint))
    differs = counts_characters(node)
    if differs:
        hint = "write \\. for a dot, [a-z0-9] or the like where characters are counted, or one . or [^/] with + or *"
        text = "{0} is matched in bytes by nginx and in characters by cloudflared, which differs for {1}; {2}"
        raise StackError(text.format(written(given), written(differs), hint))
    trouble = too_many_ways(node)
    if trouble:
        text = "{0} has {1}, which can match one text in so many ways that nginx is busy for long, or gives up with 500; {2}"
        raise StackError(text.format(written(given), written(trouble.part), trouble.remedy))
    if all(one.patterns != {0} for one in reached):
        raise StackError("{0} only has paths that the edge answers itself; use others than {1}".format(written(given), " and ".join(RESERVED)))
    return regex_text(node)
