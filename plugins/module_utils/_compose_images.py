# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a stack: which are on the host, and pulling those that are not.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Service
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient

_WORKERS = 3


def image_users(services: t.Iterable[Service]) -> t.Dict[t.Tuple[str, str], t.List[str]]:
    """Which services use an image, by reference and platform."""
    users: t.Dict[t.Tuple[str, str], t.List[str]] = {}
    for service in services:
        users.setdefault((service.image, service.platform), []).append(service.name)
    return users


def image_ids(engine: EngineClient, references: t.Iterable[str]) -> t.Dict[str, str]:
    """The ids of the images that are on the host, by reference."""
    found = {reference: engine.image(reference) for reference in set(references)}
    return {reference: image["Id"] for reference, image in found.items() if image}


def pull(
    stack: str,
    users: t.Mapping[t.Tuple[str, str], t.List[str]],
    run: Run,
    tell: t.Callable[[str], None],
) -> t.List[str]:
    """Pull all images, several at a time; answers every problem."""

    def one(image: t.Tuple[str, str]) -> str:
        reference, platform = image
        tell("pulling {0}".format(reference))
        chosen = ["--platform", platform] if platform else []
        code, out, err = run(["docker", "pull", "--quiet", *chosen, reference], None)
        if code:
            return _problem(stack, users[image], reference, last_lines(err) or out)
        tell("pulled {0}".format(reference))
        return ""

    pool = concurrent.futures.ThreadPoolExecutor(_WORKERS)
    jobs = [pool.submit(one, image) for image in users]
    try:
        return [problem for problem in [job.result() for job in jobs] if problem]
    finally:
        for job in jobs:
            job.cancel()
        pool.shutdown()


def _problem(stack: str, services: t.List[str], reference: str, said: str) -> str:
    reason = said.strip().rstrip(".").replace("Error response from daemon: ", "")
    return (
        "stack {0}: service {1}: image {2} is not to be had: {3}. Remedy: check its name and tag "
        "(stacks: {0}.services.{4}.image), that the registry is reached and logged in to, or load the image on the "
        "host (docker load)."
    ).format(stack, ", ".join(services), reference, reason, services[0])
