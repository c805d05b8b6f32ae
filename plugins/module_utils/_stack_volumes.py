# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes of a stack: which are its own, who mounts them where, and which a new declaration would leave behind.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_STACK
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._image_names import is_image_id, repository

Definition = t.Mapping[str, t.Any]
# The engine's name of a volume -> what the engine says of it.
Volumes = t.Mapping[str, t.Mapping[str, t.Any]]


class Mount(t.NamedTuple):
    """A named volume in a service, by the engine's name."""

    service: str
    repository: str
    volume: str
    target: str


def own_names(definition: Definition) -> t.Dict[str, str]:
    """The engine's names of the volumes that the stack makes, and the key of each in the declaration."""
    made = (definition.get("x-portside") or {}).get("volumes") or {}
    return {name: key for key, name in names_of(definition).items() if name in made}


def orphaned(stack: str, definition: Definition, volumes: Volumes) -> t.List[str]:
    """The volumes on the host that were made for the stack, and that it does not mention any more."""
    mentioned = set(names_of(definition).values())
    ours = {name for name, volume in volumes.items() if (volume.get("Labels") or {}).get(LABEL_STACK) == stack}
    return sorted(ours - mentioned)


def orphaned_on(engine: EngineClient, stack: str, definition: Definition) -> t.List[str]:
    """The same, asked of the engine."""
    volumes = engine.get("/volumes").get("Volumes") or ()
    return orphaned(stack, definition, {volume["Name"]: volume for volume in volumes})


def orphan_text(stack: str, names: t.Iterable[str]) -> str:
    """What a deploy says of them."""
    return (
        "stack {0}: not mentioned any more, and kept with all that is in them: volume {1}. Remedy: declare them again, "
        "or delete what nobody needs by hand (docker volume rm NAME).".format(stack, ", volume ".join(names))
    )


def of_renamed_stacks(stack: str, definition: Definition, volumes: Volumes) -> t.Dict[str, t.Dict[str, str]]:
    """Other stacks that have a volume of the key of one that is not there: by stack, the keys and their volumes."""
    found: t.Dict[str, t.Dict[str, str]] = {}
    missing = [key for name, key in own_names(definition).items() if name not in volumes]
    for name, volume in sorted(volumes.items()):
        other = (volume.get("Labels") or {}).get(LABEL_STACK, stack)
        for key in missing:
            if other != stack and name == "{0}_{1}".format(other, key):
                found.setdefault(other, {})[key] = name
    return found


def renamed_stack_text(stack: str, other: str, volumes: t.Mapping[str, str]) -> str:
    """What the first deploy of a stack says of another one's volumes."""
    kept = ", ".join("{0}: {{name: {1}}}".format(key, name) for key, name in sorted(volumes.items()))
    return (
        "stack {0}: its volumes are not on the host and are created empty, while those of the stack {1} are, of which "
        "nothing runs here any more. Remedy, if this is that stack under a new name: give it the data, volumes: "
        "{{{2}}}."
    ).format(stack, other, kept)


def renamed(stack: str, new: Definition, record: t.Mapping[str, t.Any], volumes: Volumes) -> t.List[str]:
    """Why services would come up without the data they have now, each with a remedy; ``record`` is the current release.

    A volume that is not there would be created empty, and mounted where a service has another volume until now.
    """
    old = record.get("definition") or {}
    references = {pin: reference for reference, pin in (record.get("images") or {}).items()}
    own, kept = own_names(new), set(names_of(new).values())
    keys = {name: key for key, name in names_of(old).items()}
    left = [mount for mount in _mounts(old, references) if mount.volume in volumes and mount.volume not in kept]
    found: t.Dict[t.Tuple[str, str], str] = {}
    for mount in _mounts(new, {}):
        if mount.volume not in own or mount.volume in volumes:
            continue
        for before in left:
            same_image = mount.repository and mount.repository == before.repository
            if (mount.service == before.service or same_image) and mount.target == before.target:
                found.setdefault(
                    (mount.volume, before.volume),
                    _renamed_text(stack, mount, before, own[mount.volume], keys[before.volume]),
                )
    return [found[pair] for pair in sorted(found)]


def _renamed_text(stack: str, mount: Mount, before: Mount, key: str, old_key: str) -> str:
    return (
        "stack {0}, service {1!r}, key 'volumes.{2}': volume {3} is not on the host, so it would be created empty, and "
        "mounted at {4} in place of volume {5} with its data. Remedy: keep the key {6!r}; or give the data the new "
        "key, volumes: {{{2}: {{name: {5}}}}}; or, if starting empty is what you want, create it first: docker volume "
        "create --label {7}={0} {3}."
    ).format(stack, mount.service, key, mount.volume, mount.target, before.volume, old_key, LABEL_STACK)


def names_of(definition: Definition) -> t.Dict[str, str]:
    """What the engine calls the volumes that a document mentions, by their keys."""
    return {key: (body or {}).get("name", key) for key, body in (definition.get("volumes") or {}).items()}


def _mounts(definition: Definition, references: t.Mapping[str, str]) -> t.List[Mount]:
    """The mounts of named volumes. ``references`` are what pinned images are called."""
    names = names_of(definition)
    found = []
    for service, body in (definition.get("services") or {}).items():
        pin = body.get("image") or ""
        name = references.get(pin, pin)
        image = "" if is_image_id(name) else repository(name)
        for mount in body.get("volumes") or ():
            source, target = mounted(mount)
            if source in names:
                found.append(Mount(service, image, names[source], target.rstrip("/")))
    return found


def mounted(mount: t.Any) -> t.Tuple[str, str]:
    """Source and target of a service's mount; an anonymous volume has no source."""
    if isinstance(mount, str):
        source, colon, rest = mount.partition(":")
        return (source, rest.partition(":")[0]) if colon else ("", mount)
    return str(mount.get("source", mount.get("src")) or ""), str(mount.get("target", mount.get("dst")) or "")


def bind_sources(definition: Definition) -> t.Dict[str, t.List[str]]:
    """The paths of the host that services mount, and the services."""
    found: t.Dict[str, t.List[str]] = {}
    for service, body in (definition.get("services") or {}).items():
        for mount in body.get("volumes") or ():
            is_bind = mount.get("type") == "bind" if isinstance(mount, dict) else True
            source = mounted(mount)[0]
            if is_bind and source.startswith("/"):
                users = found.setdefault(source.rstrip("/") or "/", [])
                users += [service] if service not in users else []
    return found
