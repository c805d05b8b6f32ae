# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volumes a removal was asked to delete, by name each: none but the stack's own. Pure.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_STACK
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import (
    Definition,
    Volumes,
    names_of,
    own_names,
)

Containers = t.Sequence[t.Mapping[str, t.Any]]


class StackVolumes:
    """The volumes of one stack on a host: those it was made, and those that its releases say are its own.

    ``current`` is the definition of the current release, empty without one, ``others`` are those of the other releases,
    ``gone`` is what earlier removals have deleted, by name or key. What is external now is not the stack's any more.
    """

    def __init__(
        self,
        stack: str,
        current: Definition,
        others: t.Iterable[Definition],
        volumes: Volumes,
        gone: t.Container[str] = (),
    ) -> None:
        self._stack, self._all, self._gone = stack, volumes, gone
        self._keys: t.Dict[str, str] = {}
        self._externals: t.Dict[str, str] = {}
        for name, volume in volumes.items():
            if (volume.get("Labels") or {}).get(LABEL_STACK) == stack:
                prefix = stack + "_"
                self._keys[name] = name[len(prefix) :] if name.startswith(prefix) else name
        for definition in (*others, current):
            own = own_names(definition)
            self._keys.update(own)
            self._externals.update((name, key) for key, name in names_of(definition).items() if name not in own)
        for name in set(names_of(current).values()).difference(own_names(current)):
            self._keys.pop(name, None)

    @property
    def present(self) -> t.List[str]:
        """Those that are on the host."""
        return sorted(name for name in self._keys if name in self._all)

    def key_of(self, name: str) -> str:
        """The key of one of them in the declaration, as far as that is known."""
        return self._keys[name]

    def chosen(self, wanted: t.Iterable[str]) -> t.Tuple[t.List[str], t.List[str]]:
        """The volumes on the host that are meant, and every name that means none of them, with the reason."""
        found: t.Set[str] = set()
        problems = []
        for given in wanted:
            names = {given} if given in self._keys else {name for name, key in self._keys.items() if key == given}
            there = sorted(names.intersection(self._all))
            if len(there) > 1:
                problems.append(
                    self._problem(given, "it stands for {0}".format(" and ".join(there)), "give the name of each")
                )
            elif names or given in self._gone:
                # One that is not there was deleted before.
                found.update(there)
            else:
                problems.append(self._unknown(given))
        return sorted(found), problems

    def used_by_others(self, names: t.Iterable[str], containers: Containers) -> t.List[str]:
        """Why some cannot be deleted: containers that are not the stack's own mount them."""
        users: t.Dict[str, t.List[str]] = {}
        for container in containers:
            for mount in container.get("Mounts") or ():
                users.setdefault(mount.get("Name") or "", []).append(container["Names"][0].lstrip("/"))
        return [
            self._problem(name, "container {0} uses it".format(", ".join(sorted(users[name]))), "remove that first")
            for name in names
            if name in users
        ]

    def claimed_by_others(self, names: t.Iterable[str], others: t.Mapping[str, Definition]) -> t.List[str]:
        """Why some cannot be deleted: the current release of another stack mentions them."""
        return [
            self._problem(name, "stack {0} mounts it too".format(other), "have that stack do without it first")
            for name in names
            for other, definition in others.items()
            if name in names_of(definition).values()
        ]

    def _unknown(self, given: str) -> str:
        owner = (self._all.get(given, {}).get("Labels") or {}).get(LABEL_STACK)
        if given in self._externals or given in self._externals.values():
            why = "it is external, so it is not this stack's to delete"
            remedy = "delete it where it was made, or by hand (docker volume rm)"
        elif given in self._all:
            why = "it is {0}".format("of stack {0}".format(owner) if owner else "not of this stack")
            remedy = "delete it by hand, if nobody needs it (docker volume rm {0})".format(given)
        else:
            near = difflib.get_close_matches(given, {*self._keys, *self._keys.values()}, 1, 0.6)
            why = "there is no such volume{0}".format("; did you mean {0}?".format(near[0]) if near else "")
            remedy = "name one of the stack's own: {0}".format(", ".join(self.present) or "it has none")
        return self._problem(given, why, remedy)

    def _problem(self, name: str, why: str, remedy: str) -> str:
        mark = "" if why.endswith("?") else "."
        return "stack {0}, option delete_volumes: {1}: {2}{3} Remedy: {4}.".format(self._stack, name, why, mark, remedy)
