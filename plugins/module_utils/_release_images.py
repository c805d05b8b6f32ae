# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of releases: kept on the host for as long as a release needs them, by a tag of our own.

An image that was pulled by digest has no tag, and `docker image prune` removes such images when no container uses them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from urllib.parse import quote

from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._image_names import repository

Images = t.Mapping[str, str]  # reference -> pin, as a record has them

_KEEP = "portside.stack/"
# What is deeper down are images that were built here: names of releases for them, like any other.
_KEEP_TAG = re.compile(re.escape(_KEEP) + "[^/]+\\Z")
_BUILT = _KEEP + "build/"
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*\Z")


class Image(t.NamedTuple):
    """An image on the host."""

    id: str
    tags: t.List[str]


class ImagesPruned(t.NamedTuple):
    """What was done about images that no release needs."""

    removed: t.List[str]  # references
    kept: t.Dict[str, str]  # why those that were left were, by keep tag
    names: t.Dict[str, t.List[str]]  # the references to take from them one day, by image


class Drop(t.NamedTuple):
    """References to take from an image, in this order: our own last, so that a kill leaves what finds it again."""

    image: str
    references: t.List[str]


def keep_repository(stack: str) -> str:
    """The repository of a stack's keep tags: not every name of a stack may be one."""
    if _REPOSITORY.match(stack):
        return _KEEP + stack
    name = re.sub("[^a-z0-9]+", "-", stack).strip("-")
    return "{0}{1}-{2}".format(_KEEP, name, hashlib.sha256(stack.encode("utf-8")).hexdigest()[:8])


def keep_images(engine: EngineClient, stack: str, release: str, images: Images, check_mode: bool) -> t.List[str]:
    """Tag the images of a release, so that no pruning takes them; answers the tags that were missing.

    Raises StackError if an image is not on the host; in check mode it may be yet to come.
    """
    found = {pin: engine.image(pin) for pin in sorted(set(images.values()))}
    missing = sorted(reference for reference, pin in images.items() if not found[pin])
    if missing and not check_mode:
        raise StackError(
            "stack {0}: release {1}: not on the host: image {2}. "
            "Remedy: have its images pulled first (compose_stack with state: pulled).".format(
                stack, release, ", image ".join("{0} ({1})".format(name, images[name]) for name in missing)
            )
        )
    made = []
    for image in found.values():
        if not image:
            continue
        tag = "{0}:{1}".format(keep_repository(stack), _short(image["Id"]))
        if tag not in (image.get("RepoTags") or ()) and tag not in made:
            if not check_mode:
                repo, _colon, name = tag.rpartition(":")
                engine.post("/images/{0}/tag".format(quote(image["Id"], safe=":")), repo=repo, tag=name)
            made.append(tag)
    return made


def plan_images(
    stack: str,
    images: t.Iterable[Image],
    wanted: t.AbstractSet[str],
    held: t.Mapping[str, str],
    named: t.Mapping[str, t.AbstractSet[str]],
) -> t.Tuple[t.List[Drop], t.Dict[str, str]]:
    """What to take from which image, and why others that no release needs are left as they are.

    ``wanted`` are the images of the releases that stay, ``held`` says why others stay too, ``named`` what the releases
    that go call an image. An image that was built here has tags besides, which no release knows. Only images that have
    a keep tag of the stack are considered.
    """
    drops, left = [], {}
    ours = keep_repository(stack) + ":"
    for image in images:
        keep_tags = sorted(tag for tag in image.tags if tag.startswith(ours))
        if not keep_tags or image.id in wanted:
            continue
        others = sorted(tag for tag in image.tags if _KEEP_TAG.match(tag) and not tag.startswith(ours))
        if image.id in held:
            left[keep_tags[0]] = held[image.id]
        elif others:
            left[keep_tags[0]] = "{0} keeps it".format(others[0])
            drops.append(Drop(image.id, keep_tags))
        else:
            built = {tag for tag in image.tags if tag.startswith(_BUILT)}
            drops.append(Drop(image.id, sorted(built.union(named.get(image.id, ()))) + keep_tags))
    return drops, left


def prune_images(
    engine: EngineClient,
    stack: str,
    containers: t.Iterable[t.Mapping[str, t.Any]],
    kept: t.Iterable[Images],
    dropped: t.Iterable[Images],
    names: t.Mapping[str, t.Iterable[str]],
) -> ImagesPruned:
    """Take the references from images that no kept release pins; ``names`` are those that were left the last time.

    Nothing is forced: the engine removes an image with its last reference, and refuses where a container uses it.
    """
    ids = _Ids(engine)
    kept = list(kept)
    wanted = {ids.of(pin) for images in kept for pin in images.values()} - {""}
    in_use = {name for images in kept for name in _names(images)}
    named: t.Dict[str, t.Set[str]] = {}
    for name in {name for found in (*map(_names, dropped), *names.values()) for name in found}:
        named.setdefault(ids.of(name), set()).add(name)
    held = {
        image: "a release that stays calls an image {0}".format(min(found & in_use))
        for image, found in named.items()
        if found & in_use and image not in wanted
    }
    held.update((one.get("ImageID", ""), "container {0} uses it".format(_container_name(one))) for one in containers)
    images = [Image(one["Id"], one.get("RepoTags") or []) for one in engine.get("/images/json")]
    drops, left = plan_images(stack, images, wanted, held, named)
    removed, unfinished = [], {image.id for image in images if image.id in held and image.id not in wanted}
    for drop in drops:
        try:
            for reference in drop.references:
                _untag(engine, reference)
                removed.append(reference)
        except EngineError as error:
            left[drop.references[-1]] = str(error)
            unfinished.add(drop.image)
    names_left = {image: found for image, found in named.items() if image in unfinished}
    names_left.update((image, found - in_use) for image, found in named.items() if image in wanted and found - in_use)
    return ImagesPruned(removed, left, {image: sorted(found) for image, found in sorted(names_left.items())})


def _names(images: Images) -> t.List[str]:
    """What a record calls its images: by tag, and by digest where the registry gave one."""
    digests = [(reference, pin.partition("@")[2]) for reference, pin in images.items()]
    return [*images, *("{0}@{1}".format(repository(reference), digest) for reference, digest in digests if digest)]


class _Ids:
    """The images that names stand for on this host; empty for none."""

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine
        self._known: t.Dict[str, str] = {}

    def of(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = (self._engine.image(name) or {}).get("Id", "")
        return self._known[name]


def _untag(engine: EngineClient, reference: str) -> None:
    try:
        engine.delete("/images/{0}".format(quote(reference, safe="/:@")))
    except EngineError as error:
        if error.status != 404:
            raise


def _container_name(container: t.Mapping[str, t.Any]) -> str:
    names = container.get("Names") or [container.get("Id", "")[:12]]
    return names[0].lstrip("/")


def _short(image: str) -> str:
    return image.partition(":")[2][:12]
