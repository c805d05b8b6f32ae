# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes and directories of a stack whose owner or mode is declared: which are not as they are to be.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._owned_directory import Owner, have, look, owner_of
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import Definition, Volumes, bind_sources


class Place(t.NamedTuple):
    """What is to be set right: a volume or a directory, and how it was found; none when it is yet to be made."""

    kind: str
    name: str
    wanted: Owner
    found: t.Optional[Owner]

    def lines(self) -> t.Tuple[str, str]:
        """The two sides of a diff."""
        about = "{0} {1}: ".format(self.kind, self.name)
        if self.found is None:
            made = "" if self.kind == "volume" else "created, "
            return "", "{0}{1}{2}\n".format(about, made, self.wanted)
        return "{0}{1}\n".format(about, self.found), "{0}{1}\n".format(about, self.wanted.over(self.found))


def wrong_places(stack: str, definition: Definition, volumes: Volumes) -> t.Tuple[t.List[Place], t.List[str]]:
    """Volumes and directories that are not as declared, and why others cannot be."""
    made = definition.get("x-portside") or {}
    wanted = [("volume", name, owner_of(body or {})) for name, body in (made.get("volumes") or {}).items()]
    wanted += [("directory", path, owner_of(body)) for path, body in (made.get("directories") or {}).items()]
    places, problems = [], []
    for kind, name, owner in wanted:
        if owner == Owner():
            continue
        try:
            found = _found(kind, name, volumes)
        except StackError as error:
            problems.append(_problem(stack, kind, name, error))
            continue
        if found is None or owner.over(found) != found:
            places.append(Place(kind, name, owner, found))
    return places, problems


def set_right(stack: str, engine: EngineClient, place: Place) -> None:
    """Have a place as it is wanted; a volume is there by now."""
    try:
        if place.kind == "directory":
            have(place.name, place.wanted)
            return
        path = _path_of(engine.get("/volumes/{0}".format(place.name)))
        if look(path) is None:
            raise StackError(_nowhere(path))
        have(path, place.wanted)
    except StackError as error:
        raise StackError(_problem(stack, place.kind, place.name, error)) from error
    except OSError as error:
        raise StackError(
            _problem(stack, place.kind, place.name, "{0}. Remedy: mend that on the host".format(error.strerror))
        ) from error


def absent_sources(stack: str, definition: Definition) -> t.List[str]:
    """What services mount of the host and is not there: the engine would make an empty directory of root's of it."""
    made = (definition.get("x-portside") or {}).get("directories") or {}
    return [
        "stack {0}, service {1!r}, key 'volumes': {2} is not on the host. Remedy: have it made, directories: {{{2}: "
        "{{uid: 0, gid: 0, mode: \"0755\"}}}} with the user of the container; or put it there first.".format(
            stack, "', '".join(services), source
        )
        for source, services in bind_sources(definition).items()
        if source not in made and not os.path.lexists(source)
    ]


def _found(kind: str, name: str, volumes: Volumes) -> t.Optional[Owner]:
    if kind == "directory":
        return look(name)
    if name not in volumes:
        return None
    path = _path_of(volumes[name])
    found = look(path)
    if found is None:
        raise StackError(_nowhere(path))
    return found


def _path_of(volume: t.Mapping[str, t.Any]) -> str:
    """The engine's directories are root's, so that links on the way to one are its administrator's."""
    home, _slash, last = (volume.get("Mountpoint") or "").rpartition("/")
    return "{0}/{1}".format(os.path.realpath(home or "/"), last)


def _nowhere(path: str) -> str:
    return (
        "the engine keeps it in {0}, which is not on this host, so its owner cannot be set here. Remedy: leave uid, "
        "gid and mode out, and have a service set them"
    ).format(path)


def _problem(stack: str, kind: str, name: str, why: t.Any) -> str:
    section = "volumes" if kind == "volume" else "directories"
    return "stack {0}, key '{1}': {2} {3} cannot be made as declared: {4}.".format(stack, section, kind, name, why)
