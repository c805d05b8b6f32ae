# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a release elsewhere, to run the very same ones here.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._builds import image_reference

FORMAT = 1


def promoted_images(exported: t.Any, stack: model.Mapping) -> t.Dict[str, str]:
    """The pin of every image reference of the stack, from what was exported elsewhere; empty without an export.

    Refuses, all at once, services whose image the export does not have: they would run what was never tried.
    """
    if not exported:
        return {}
    name = stack["name"]
    stacks = model.mapping(model.mapping(exported).get("stacks"))
    if model.mapping(exported).get("format") != FORMAT or not stacks:
        raise StackError(
            "stack '{0}': the file to promote from is no export of releases. Remedy: make one where the release runs: "
            "playbooks/status.yml -e export=FILE.".format(name)
        )
    if name not in stacks:
        raise StackError(
            "stack '{0}': the file to promote from has no release of it, it has {1}. Remedy: export it where it runs, "
            "or leave the promotion out.".format(name, ", ".join(sorted(stacks)))
        )
    pins = model.mapping(model.mapping(stacks[name]).get("images"))
    problems = []
    for service_name, service in model.active_services(stack).items():
        reference = image_reference(name, service_name, service)
        if "build" in service:
            problems.append(
                "stack '{0}', service '{1}', key 'build': what is built here is not the image that ran there. Remedy: build "
                "and push it once, and name it in `image`; or leave the promotion out.".format(name, service_name)
            )
        elif reference not in pins and "@sha256:" not in reference:
            problems.append(
                "stack '{0}', service '{1}', key 'image': {2} is not what was exported, so it was never tried there; "
                "exported are {3}. Remedy: declare the image that is to be promoted, or export again.".format(
                    name, service_name, reference, ", ".join(sorted(pins))
                )
            )
    if problems:
        raise StackError("\n".join(problems))
    return pins


def exported_releases(infos: t.Iterable[t.Mapping[str, t.Any]]) -> model.Mapping:
    """What another host needs to run the same images: the current release of each stack, as release_info tells it."""
    return {
        "format": FORMAT,
        "stacks": {
            info["stack"]: {"release": release["id"], "declaration_digest": release["declaration_digest"], "images": release["images"]}
            for info in infos
            for release in info["releases"]
            if release["id"] == info["current"]
        },
    }
