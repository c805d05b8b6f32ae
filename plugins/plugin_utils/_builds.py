# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a stack is built: Compose's key `build`, as the module image_build takes it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model

BUILD_KEYS = ("context", "dockerfile", "args", "target")
# No registry can be called so: nobody else's image is ever taken for one that was built here.
_OWN = "portside.stack/build/"
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")


def image_reference(stack_name: str, service_name: str, service: model.Mapping) -> t.Any:
    """The image a service names, before anything is pinned; for one that is only built, the name of what is built."""
    return service.get("image") or own_name(stack_name, service_name)


def own_name(stack_name: str, service_name: str) -> str:
    """The repository, on the host alone, of what is built for a service."""
    name = "{0}-{1}".format(stack_name, service_name)
    if _PATH.fullmatch(name):
        return _OWN + name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return "{0}{1}-{2}".format(_OWN, plain, hashlib.sha256(name.encode("utf-8")).hexdigest()[:6])


def stack_builds(stack: model.Mapping) -> t.List[model.Mapping]:
    """The builds of a stack's running services, as the module image_build takes them."""
    found = []
    for name, service in model.active_services(stack).items():
        if "build" in service:
            given = build_of(service)
            kept = {key: _plain(given[key]) for key in ("context", "dockerfile", "target") if key in given}
            found.append(
                {
                    "service": name,
                    "image": image_reference(stack["name"], name, service),
                    "name": own_name(stack["name"], name),
                    "args": {key: _plain(str(value)) for key, value in model.pairs(given.get("args")).items()},
                    **kept,
                    **({"platform": service["platform"]} if "platform" in service else {}),
                }
            )
    return found


def build_of(service: model.Mapping) -> model.Mapping:
    """A service's `build` in the long form."""
    build = service.get("build")
    return {"context": build} if isinstance(build, str) else model.mapping(build)


def _plain(text: str) -> str:
    """Compose's $$ as what it means; no other $ is let through."""
    return text.replace("$$", "$")
