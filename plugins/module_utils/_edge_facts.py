# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the image of an edge says of its nginx: its version, and the OpenSSL that it runs with.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._throw_away import NotRun, run_once

Facts = t.Dict[str, t.Any]

_NGINX = re.compile(r"^nginx version: \S+?/(\d+(?:\.\d+)*)", re.MULTILINE)
# What it runs with is told where that is not what it was built with.
_OPENSSL = re.compile(r"\brunning with OpenSSL (\d+(?:\.\d+)*)"), re.compile(r"\bbuilt with OpenSSL (\d+(?:\.\d+)*)")


def edge_facts(
    stack: str,
    definition: t.Mapping[str, t.Any],
    images: t.Mapping[str, str],
    known: t.Mapping[str, t.Mapping[str, t.Any]],
    engine: EngineClient,
    check: bool,
) -> t.Tuple[t.Dict[str, Facts], t.List[str]]:
    """The facts of an nginx edge by its service's name, and why its image is none for it.

    ``images`` are the pins by reference. ``known`` are the facts of the current release, which hold on for the same pin.
    In check mode an image that is not here has none.
    """
    edge = (definition.get("x-portside") or {}).get("edge") or {}
    name = edge.get("service", "")
    service = definition["services"].get(name)
    if edge.get("kind") != "nginx" or service is None:
        return {}, []
    pin, user = images.get(service["image"], ""), str(service.get("user") or "")
    old = known.get(name) or {}
    if pin and old.get("image") == pin and old.get("nginx"):
        return {name: {"image": pin, "user": user, "nginx": old["nginx"], "openssl": old.get("openssl", "")}}, []
    subject = "stack {0}: service {1}: image {2}".format(stack, name, service["image"])
    image = engine.image(pin) if pin else None
    if image is None:
        # Why there is no pin is told elsewhere.
        gone = "{0} is not on the host any more. Remedy: run again, it is pulled then.".format(subject)
        return {}, [gone] if pin and not check else []
    try:
        code, lines = run_once(
            engine,
            stack,
            "edge-facts",
            image["Id"],
            ["nginx", "-V"],
            name="{0}-edge-facts".format(stack),
            platform=service.get("platform") or "",
        )
    except NotRun as error:
        code, lines = 127, [str(error)]
    text = "\n".join(lines)
    nginx = _NGINX.search(text)
    if code or not nginx:
        said = " ".join(text.split())[:300] or "exit code {0}".format(code)
        return {}, [
            "{0} has no nginx that says its version: {1}. Remedy: give services.{2} an image with nginx in it, or "
            "leave its key image out.".format(subject, said.rstrip("."), name)
        ]
    openssl = next(filter(None, (pattern.search(text) for pattern in _OPENSSL)), None)
    facts = {"image": pin, "user": user, "nginx": nginx.group(1), "openssl": openssl.group(1) if openssl else ""}
    return {name: facts}, []
