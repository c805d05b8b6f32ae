# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order in a graph of names: cycles, and waves of what can start together.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A graph maps each name to the names it needs. Names that are needed but have no
entry of their own are taken as given. All answers depend on the names alone,
never on the order they come in.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

Graph = t.Mapping[str, t.Iterable[str]]


def find_cycle(graph: Graph) -> t.List[str]:
    """One cycle as the path a -> b -> a, or an empty list."""
    needs = {name: sorted(target for target in graph[name] if target in graph) for name in sorted(graph)}
    finished: t.Set[str] = set()
    for start in needs:
        path: t.List[str] = []
        ahead: t.List[t.Iterator[str]] = [iter([start])]
        while ahead:
            name = next(ahead[-1], None)
            if name is None:
                ahead.pop()
                if path:
                    finished.add(path.pop())
            elif name in path:
                return _from_smallest(path[path.index(name) :])
            elif name not in finished:
                path.append(name)
                ahead.append(iter(needs[name]))
    return []


def waves(graph: Graph) -> t.List[t.List[str]]:
    """The names in groups: each group needs only names of the groups before it."""
    left = {name: {target for target in graph[name] if target in graph} for name in graph}
    found = []
    while left:
        ready = sorted(name for name, targets in left.items() if not targets & left.keys())
        if not ready:
            raise StackError("waiting for each other: {0}".format(" -> ".join(find_cycle(graph))))
        found.append(ready)
        for name in ready:
            del left[name]
    return found


def topological_order(graph: Graph) -> t.List[str]:
    """All names, each after the names it needs."""
    return [name for wave in waves(graph) for name in wave]


def _from_smallest(cycle: t.List[str]) -> t.List[str]:
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[: first + 1]
