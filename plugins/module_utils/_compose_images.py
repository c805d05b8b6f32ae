# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a stack: each pinned to what it is now, on the host, and made for the host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A pin says for ever what a reference, whose tag may move, says today: ``REFERENCE@sha256:…`` for an image of a
registry, ``sha256:…`` (the image's id) for one that was loaded from an archive or built.
"""

from __future__ import annotations

import concurrent.futures
import math
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Service
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._image_names import (
    canonical_platform,
    host_platform,
    image_platform,
    is_image_id,
    is_pinned,
    pin_of,
    runs_on,
)
from ansible_collections.portside.stack.plugins.module_utils._time_limit import run_limited

_WORKERS = 3
_DIGEST = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)
_OTHER_PLATFORM = re.compile(r"no matching manifest|does not match the specified platform")


class Resolution(t.NamedTuple):
    """The pins by reference, the references that were pulled (in check mode: would be), and every problem."""

    images: t.Dict[str, str]
    pulled: t.List[str]
    problems: t.List[str]


class _Image(t.NamedTuple):
    """A reference, the services that use it, and what is known of it before anything is pulled."""

    reference: str
    services: t.List[str]
    wanted: str
    pin: str
    source: str
    here: t.Optional[t.Dict[str, t.Any]]


def limit(services: t.Iterable[Service], timeout: int) -> int:
    """The seconds that it takes at most to pull all their images, when one pull ends after ``timeout``."""
    return math.ceil(len({service.image for service in services}) / _WORKERS) * timeout


def resolve(
    stack: str,
    services: t.Iterable[Service],
    engine: EngineClient,
    run: Run,
    clock: Clock,
    tell: t.Callable[[str], None],
    known: t.Mapping[str, str],
    given: t.Mapping[str, str],
    refresh: bool,
    check: bool,
    host_architecture: str,
    timeout: int = 900,
) -> Resolution:
    """Have every image on the host, and tell what each one is pinned to.

    ``given`` are the pins to use as they are (of a promotion, a rollback or a build), ``known`` those of the current
    release, which stay until a refresh is asked for. A pull ends after ``timeout`` seconds.
    """
    host = host_platform(host_architecture)
    resolver = _Resolver(stack, engine, run, clock, tell, host, timeout, check)
    images, missing, problems = {}, [], []
    for reference, users in _users(services, host).items():
        if len(users) > 1:
            problems.append(_conflict(stack, reference, users))
            continue
        image = resolver.look(reference, *users.popitem(), known, given, refresh)
        if resolver.is_ready(image, refresh):
            images[reference] = image.pin or pin_of(reference, image.here)
            problems += resolver.misfit(image, image.here)
        elif is_image_id(image.pin):
            problems.append(resolver.lost(image))
        else:
            missing.append(image)
    if check:
        images.update((image.reference, image.pin) for image in missing if image.pin)
        absent = [image for image in missing if not image.here]
        # What is to be built has its tag for a pin, which no registry knows.
        asked = [image.reference for image in absent if not image.pin or is_pinned(image.pin)]
        return Resolution(images, sorted(asked), problems)
    pulled = []
    for image, (pin, problem) in zip(missing, _at_once(resolver.pull, missing)):
        now = None if problem else engine.image(pin)
        if problem or not now:
            problems.append(problem or resolver.refused(image, "it was gone as soon as it was pulled"))
            continue
        images[image.reference] = pin
        problems += resolver.misfit(image, now)
        if not image.here or image.here["Id"] != now["Id"]:
            pulled.append(image.reference)
    return Resolution(images, sorted(pulled), problems)


def _users(services: t.Iterable[Service], host: str) -> t.Dict[str, t.Dict[str, t.List[str]]]:
    """Which services use an image reference, by the platform they want."""
    users: t.Dict[str, t.Dict[str, t.List[str]]] = {}
    for service in services:
        wanted = canonical_platform(service.platform) or host
        users.setdefault(service.image, {}).setdefault(wanted, []).append(service.name)
    return users


def _conflict(stack: str, reference: str, users: t.Mapping[str, t.List[str]]) -> str:
    wishes = ["{0} (service {1})".format(platform, ", ".join(names)) for platform, names in sorted(users.items())]
    return (
        "stack {0}: image {1} is wanted for {2}, and the engine keeps one image under a name. "
        "Remedy: name it by a tag or digest of its own for each platform."
    ).format(stack, reference, " and for ".join(wishes))


class _Resolver:
    def __init__(
        self,
        stack: str,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        tell: t.Callable[[str], None],
        host: str,
        timeout: int,
        check: bool,
    ) -> None:
        self._stack, self._engine, self._run, self._clock, self._tell = stack, engine, run, clock, tell
        self._host, self._timeout, self._check = host, timeout, check

    def look(
        self,
        reference: str,
        wanted: str,
        services: t.List[str],
        known: t.Mapping[str, str],
        given: t.Mapping[str, str],
        refresh: bool,
    ) -> _Image:
        """What decides about the image: a pin, or else what the reference means on the host."""
        pin, source = "", ""
        if reference in given:
            pin, source = given[reference], "given"
        elif is_pinned(reference):
            pin = reference
        elif not refresh and reference in known:
            pin, source = known[reference], "known"
        here = self._on_host(pin or reference)
        if source == "known" and is_image_id(pin) and not here:
            # What was loaded or built is gone: whatever the reference means now is all there is.
            pin, here = "", self._on_host(reference)
        return _Image(reference, services, wanted, pin, source, here)

    def is_ready(self, image: _Image, refresh: bool) -> bool:
        """Whether no registry has to be asked."""
        if not image.here:
            return False
        if is_image_id(image.pin or pin_of(image.reference, image.here)):
            return True
        return runs_on(image_platform(image.here), image.wanted) and (bool(image.pin) or not refresh)

    def pull(self, image: _Image) -> t.Tuple[str, str]:
        """Pull one image: its pin, or what went wrong."""
        name = image.pin or image.reference
        self._tell("pulling {0}".format(name))
        chosen = ["--platform", image.wanted] if image.wanted != self._host else []
        ended = run_limited(self._run, self._clock, ["docker", "pull", *chosen, name], self._timeout)
        if ended.code:
            said = last_lines(ended.err) or last_lines(ended.out) or "exit code {0}".format(ended.code)
            late = "pulling it did not end within {0} seconds: ".format(self._timeout) if ended.ran_out else ""
            return "", self.refused(image, late + said)
        self._tell("pulled {0}".format(name))
        told = _DIGEST.search(ended.out)
        if image.pin:
            return image.pin, ""
        if told:
            return "{0}@{1}".format(image.reference, told.group(1)), ""
        found = self._engine.image(image.reference)
        return (pin_of(image.reference, found), "") if found else ("", self.refused(image, "it is not there after its pull"))

    def misfit(self, image: _Image, found: t.Mapping[str, t.Any]) -> t.List[str]:
        """The problem of an image that is made for another processor."""
        made_for = image_platform(found)
        return [] if runs_on(made_for, image.wanted) else [self._foreign(image, "is made for {0}".format(made_for))]

    def lost(self, image: _Image) -> str:
        """The problem of an image that no registry has."""
        return (
            "{0} {1} was loaded from an archive or built on the host it came from, and is not on this one. "
            "Remedy: load that archive here (docker load), or build it here.".format(self._subject(image), image.pin)
        )

    def refused(self, image: _Image, said: str) -> str:
        """The problem of an image that could not be pulled, in the words of whoever refused it."""
        reason = said.strip().rstrip(".").replace("Error response from daemon: ", "")
        if _OTHER_PLATFORM.search(reason):
            return self._foreign(image, "is not to be had for {0} ({1})".format(image.wanted, reason))
        if "no space left on device" in reason:
            remedy = "make room on the host; docker system df tells what the engine itself holds"
        else:
            remedy = (
                "check its name and tag (stacks: {0}.services.{1}.image), that the registry is reached and logged in "
                "to, or load the image on the host (docker load)"
            ).format(self._stack, image.services[0])
            if image.source == "known":
                remedy += "; to take what the tag means now instead, deploy with -e refresh=true"
        return "{0} is not to be had: {1}. Remedy: {2}.".format(self._subject(image), reason, remedy)

    def _foreign(self, image: _Image, what: str) -> str:
        if image.wanted == self._host:
            why = 'this host is {0}, so it would end with "exec format error"'
            remedy = "to have this host emulate another processor, say so at the service (platform)"
        else:
            why, remedy = "the service asks for platform {0}", "correct the service's platform"
        return "{0} {1}, and {2}. Remedy: build and push it for {3} too (docker buildx build --platform), or {4}.".format(
            self._subject(image), what, why.format(image.wanted), image.wanted, remedy
        )

    def _subject(self, image: _Image) -> str:
        return "stack {0}: service {1}: image {2}".format(self._stack, ", ".join(image.services), image.reference)

    def _on_host(self, reference: str) -> t.Optional[t.Dict[str, t.Any]]:
        try:
            return self._engine.image(reference)
        except EngineUnavailable:
            # The plan for a host that is to get its engine.
            if self._check:
                return None
            raise


def _at_once(
    pull: t.Callable[[_Image], t.Tuple[str, str]], images: t.Sequence[_Image]
) -> t.List[t.Tuple[str, str]]:
    pool = concurrent.futures.ThreadPoolExecutor(_WORKERS)
    jobs = [pool.submit(pull, image) for image in images]
    try:
        return [job.result() for job in jobs]
    finally:
        for job in jobs:
            job.cancel()
        pool.shutdown()
