# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which location of an nginx server answers a request.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location_list import Location, Refusal, exact, read_locations, shown
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_path import nginx_path
from ansible_collections.portside.stack.plugins.plugin_utils._regex_backtrack import Backtracker
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import Effort, Machine, TooCostly

EFFORT = 3000000
Matches = t.Callable[[Location, bytes], bool]
Answer = t.Union[None, int, t.List[int]]


class _Chosen(t.NamedTuple):
    location: t.Optional[Location]
    final: bool  # nothing outside is asked any more
    redirect: bool = False


def nginx_location(locations: t.Any, request_target: t.Any, merge_slashes: bool = True) -> Answer:
    """The position of the location that answers; for a nested one, the positions from the outermost; None where nginx answers by itself."""
    if not isinstance(request_target, str):
        raise StackError("The request target is not a text, but {0!r}. Give what stands in the request line, such as '/api/v1?x=1'.".format(request_target))
    read, refusals = read_locations(locations)
    if refusals:
        raise StackError(refused_text(refusals[0]))
    path = nginx_path(request_target, merge_slashes)
    if path is None:
        return None
    answer = location_answering(read, path)
    return None if answer is None else answer_of(answer)


def location_answering(locations: t.Sequence[Location], path: bytes) -> t.Optional[Location]:
    """Likewise, of a path as nginx holds it; fails where that cannot be decided."""
    chosen = _choose(locations, path, _matches_exactly)
    return None if chosen.redirect else chosen.location


def answer_of(location: Location) -> t.Union[int, t.List[int]]:
    return location.place[0] if len(location.place) == 1 else list(location.place)


def refused_text(refusal: Refusal) -> str:
    return "{0}: {1}".format(shown(refusal.place) or "locations", refusal.message)


def location_taking(locations: t.Sequence[Location], path: bytes) -> t.Optional[Location]:
    """Likewise, but expressions that are not understood are taken to match nothing."""
    return _choose(locations, path, lambda location, path: not location.unknown and matches_node(location, path)).location


def matches_node(location: Location, path: bytes) -> bool:
    return Machine(location.node, Effort(EFFORT)).matches(path)


def _matches_exactly(location: Location, path: bytes) -> bool:
    precise = location.pattern.exact
    try:
        if not matches_node(location, path):
            return False
        if location.unknown and precise is None:
            raise StackError(_undecided(location, "cannot be decided here, because {0}".format(location.unknown)))
        return precise is None or Backtracker(precise, Effort(EFFORT)).matches(path)
    except TooCostly:
        raise StackError(_undecided(location, "takes too much work to match")) from None


def _undecided(location: Location, why: str) -> str:
    return "{0} ({1} {2}): whether it matches {3}. Write the expression without that, or ask nginx itself.".format(
        shown(location.place), location.modifier, location.name, why
    )


def _choose(locations: t.Sequence[Location], path: bytes, matches: Matches) -> _Chosen:
    """One level of locations, as ngx_http_core_find_location goes through them."""
    fixed = _longest(locations, path)
    if fixed.final:
        return fixed
    chosen = fixed.location
    if fixed.location is not None:
        inner = _choose(fixed.location.inner, path, matches)
        if inner.final:
            return inner
        chosen = inner.location or chosen
    if fixed.location is None or not fixed.location.stops:
        for location in locations:
            if location.kind == "regex" and matches(location, path):
                # A redirect from within is forgotten here, by nginx too.
                return _Chosen(_choose(location.inner, path, matches).location or location, True)
    return _Chosen(chosen, False)


def _is_fixed(location: Location) -> bool:
    return location.kind in ("exact", "prefix")


def _longest(locations: t.Sequence[Location], path: bytes) -> _Chosen:
    """Among the locations that are no regular expressions."""
    best: t.Optional[Location] = None
    for location in locations:
        name = location.name.encode("utf-8", "surrogateescape")
        if location.passes and name == path + b"/" and not any(_is_fixed(other) and other.name == location.name[:-1] for other in locations):
            return _Chosen(exact(location.name[:-1], location.place), True, redirect=True)
        if location.kind == "exact" and name == path:
            return _Chosen(location, True)
        if location.kind == "prefix" and path.startswith(name) and (best is None or len(location.name) > len(best.name)):
            best = location
    return _Chosen(best, False)
