# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All the ways in which nginx comes to a location: what a path must match for it, and what it must not.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location_list import Location, exact


class Region(t.NamedTuple):
    """The paths that all of `takes` match and none of `leaves`, and who answers them."""

    takes: t.Tuple[Location, ...]
    leaves: t.Tuple[Location, ...]
    answer: t.Optional[Location]
    final: bool  # nothing outside is asked any more

    def further(self, takes: t.Iterable[Location], leaves: t.Iterable[Location]) -> "Region":
        return self._replace(takes=self.takes + tuple(takes), leaves=self.leaves + tuple(leaves))


def regions(locations: t.Sequence[Location]) -> t.Iterator[Region]:
    """The regions of one level, disjoint, which together are all paths."""
    expressions = [location for location in locations if location.kind == "regex"]
    for region, stops in _fixed(locations):
        if region.final or stops:
            yield region
            continue
        for number, expression in enumerate(expressions):
            for inner in regions(expression.inner):
                yield inner.further(region.takes + (expression,), region.leaves + tuple(expressions[:number]))._replace(
                    answer=inner.answer or expression, final=True
                )
        yield region.further((), expressions)


def _fixed(locations: t.Sequence[Location]) -> t.Iterator[t.Tuple[Region, bool]]:
    """By the locations that are no regular expressions, and whether those are not asked behind it."""
    fixed = [location for location in locations if location.kind in ("exact", "prefix")]
    names = {location.name for location in fixed}
    # A redirect is decided like an exact location, which is none of the list.
    fixed += [exact(location.name[:-1]) for location in fixed if location.passes and location.name[:-1] not in names]
    for location in fixed:
        if location.kind == "exact":
            yield Region((location,), (), location, True), True
            continue
        longer = [other for other in fixed if other is not location and other.name.startswith(location.name)]
        for inner in regions(location.inner):
            yield inner.further((location,), longer)._replace(answer=inner.answer or location), location.stops
    yield Region((), tuple(fixed), None, False), False
