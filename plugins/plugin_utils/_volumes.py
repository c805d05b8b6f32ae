# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owners of volumes and directories, as they are rendered.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model

OWNER_KEYS = ("uid", "gid", "mode")
_DIRECTORY = {"uid": 0, "gid": 0, "mode": "0755"}


def has_owner(options: model.Mapping) -> bool:
    """Whether a volume's options say whose it is."""
    return any(key in options for key in OWNER_KEYS)


def with_owner(options: model.Mapping) -> model.Mapping:
    """The options with what they say of the owner in one form, as numbers and four octal digits."""
    found = dict(options)
    for key in ("uid", "gid"):
        if key in found:
            found[key] = int(found[key])
    if "mode" in found:
        found["mode"] = "{0:04o}".format(int(str(found["mode"]), 8))
    return found


def uncopied_mounts(service: model.Mapping, owned: t.Container[str]) -> t.List[t.Any]:
    """The service's mounts, those of volumes with an owner without what the image has there.

    The engine would copy the image's directory into an empty volume, with the owner that it has in the image.
    """
    found = []
    for mount in service["volumes"]:
        if model.volume_source(mount) not in owned or isinstance(mount, dict) and mount.get("type") != "volume":
            found.append(mount)
        elif isinstance(mount, dict):
            found.append({**mount, "volume": {"nocopy": True, **model.mapping(mount.get("volume"))}})
        else:
            _source, _target, *options = mount.split(":")
            written = options[0].split(",") if options else []
            found.append(mount if "nocopy" in written else "{0}{1}nocopy".format(mount, "," if options else ":"))
    return found


def directories(stack: model.Mapping) -> t.Dict[str, model.Mapping]:
    """The directories that the services which run need, with owner and mode."""
    sources = [source for service in model.active_services(stack).values() for source in bind_sources(service)]
    declared = model.sections(stack, "directories")
    return {path: with_owner({**_DIRECTORY, **options}) for path, options in declared.items() if any(related(path, one) for one in sources)}


def bind_sources(service: model.Mapping) -> t.List[str]:
    """The paths of the host that a service mounts."""
    found = []
    for mount in model.sequence(service.get("volumes")):
        is_bind = not isinstance(mount, dict) or mount.get("type") == "bind"
        source = model.volume_source(mount)
        if is_bind and source.startswith("/"):
            found.append(source.rstrip("/") or "/")
    return found


def related(path: str, source: str) -> bool:
    """Whether one of them is the other, or lies in it."""
    return (path + "/").startswith(source.rstrip("/") + "/") or source.startswith(path + "/")
