# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What images are called, what they are pinned to, and which processors they are made for.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

_ID = re.compile(r"sha256:[0-9a-f]{64}\Z")
# As kernels call themselves and as distributions do -> as images do.
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
    "arm": "arm/v7",
    "armhf": "arm/v7",
    "armv7l": "arm/v7",
    "armv8l": "arm/v7",
    "armel": "arm/v6",
    "armv6l": "arm/v6",
}


def is_image_id(name: str) -> bool:
    """Whether it names an image by its id, which no registry knows."""
    return bool(_ID.match(name))


def is_pinned(name: str) -> bool:
    """Whether it names one image for ever."""
    return is_image_id(name) or bool(_ID.match(name.partition("@")[2]))


def repository(reference: str) -> str:
    """The repository in full: ``nginx:1.28`` is of ``docker.io/library/nginx``."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name = head
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = "docker.io/" + name
    domain, _slash, path = name.partition("/")
    if domain in ("docker.io", "index.docker.io"):
        return "docker.io/" + (path if "/" in path else "library/" + path)
    return name


def pin_of(reference: str, image: t.Mapping[str, t.Any]) -> str:
    """What pins a reference to an inspected image: its digest in the registry, or else its id."""
    digests = [name for name in image.get("RepoDigests") or () if repository(name) == repository(reference)]
    # Several name the same content; the choice only has to be the same each time.
    return "{0}@{1}".format(reference, min(digests).partition("@")[2]) if digests else image["Id"]


def canonical_platform(platform: str) -> str:
    """A platform in one spelling, ``linux/arm/v7``; empty for none."""
    parts = [part for part in platform.lower().split("/") if part]
    if not parts:
        return ""
    if len(parts) == 1:
        parts.insert(0, "linux")
    system, machine, variant = parts[0], parts[1], "/".join(parts[2:])
    machine = machine if machine == "arm" and variant else _ARCHITECTURES.get(machine, machine)
    # There is one arm64, and what an amd64 lacks ends with another error.
    return "/".join(part for part in (system, machine, "" if machine in ("amd64", "arm64") else variant) if part)


def host_platform(machine: str) -> str:
    """The platform of a host whose engine calls its architecture so."""
    return canonical_platform("linux/" + machine)


def image_platform(image: t.Mapping[str, t.Any]) -> str:
    """The platform of an inspected image; empty when it does not say."""
    machine = image.get("Architecture") or ""
    parts = (image.get("Os") or "linux", machine, image.get("Variant") or "")
    return canonical_platform("/".join(parts)) if machine else ""


def runs_on(platform: str, wanted: str) -> bool:
    """Whether what is made for a platform runs where another is wanted: on itself, and old ARM code on newer."""
    arm = platform.startswith("linux/arm/v") and wanted.startswith("linux/arm/v")
    return platform in ("", wanted) or arm and platform <= wanted
