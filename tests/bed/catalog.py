# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/images/images.toml: what is built, from what, under which name."""

from __future__ import annotations

import dataclasses

import tomllib
from shell import CHECKOUT, BedError

IMAGES = CHECKOUT / "tests" / "images"


@dataclasses.dataclass(frozen=True)
class Image:
    """One entry of the catalog."""

    key: str
    context: str                    # directory, from the checkout's root
    base: str                       # another entry's key, or "root:SUITE"
    sets: tuple[str, ...] = ()
    name: str = ""                  # what stacks call it; empty: used by the bed only, never pushed
    built_only: bool = False        # there is no upstream image: always built
    on_demand: bool = False         # made only when asked for
    args: tuple[tuple[str, str], ...] = ()


def load() -> dict[str, Image]:
    """The catalog, by key."""
    with open(IMAGES / "images.toml", "rb") as handle:
        entries = tomllib.load(handle)
    images = {}
    for key, entry in entries.items():
        known = {field.name for field in dataclasses.fields(Image)} - {"key"}
        if set(entry) - known:
            raise BedError(f"images.toml, {key}: unknown keys {sorted(set(entry) - known)}; known are {sorted(known)}")
        images[key] = Image(key=key, **{**entry, "sets": tuple(entry.get("sets", ())),
                                        "args": tuple(sorted(entry.get("args", {}).items()))})
    return images


def chosen(images: dict[str, Image], names: list[str], one_set: str | None) -> list[Image]:
    """The images somebody asked for, by key, by image name or by set; everything that has a name, and is not on demand, otherwise."""
    if not names and not one_set:
        return [image for image in images.values() if image.name and not image.on_demand]
    found = [image for image in images.values()
             if image.key in names or image.name in names or (one_set and one_set in image.sets)]
    unknown = set(names) - {image.key for image in found} - {image.name for image in found}
    if unknown or not found:
        sets = sorted({one for image in images.values() for one in image.sets})
        raise BedError(f"no such image or set: {', '.join(sorted(unknown)) or one_set}. "
                       f"Images: {', '.join(images)}. Sets: {', '.join(sets)}.")
    return found


def repository(name: str) -> tuple[str, str]:
    """(path, tag) under which an image is kept in the registry; Docker Hub's short names get their `library/`."""
    path, _, tag = name.rpartition(":")
    first, _, rest = path.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return rest, tag
    return (path if rest else f"library/{path}"), tag
