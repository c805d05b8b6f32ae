# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the images of a stack: each is tagged by what it is built from, and built when no image has that tag.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._build_context import read_context
from ansible_collections.portside.stack.plugins.module_utils._build_source import ASK_SECONDS, Git, git_source, is_git
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._time_limit import run_limited

_OUTPUT_LINES = 20


class Build(t.NamedTuple):
    """An image to build, as the module's option says it."""

    service: str
    image: str
    name: str
    context: str
    dockerfile: str
    args: t.Dict[str, str]
    target: str
    platform: str
    context_digest: str
    archive: str


class Result(t.NamedTuple):
    """Ids by image reference, the tags that were built (in check mode: would be), what is missing, and what is unknown.

    ``missing`` are the digests of the controller's directories that are to be sent. As long as there are any, nothing
    is built.
    """

    images: t.Dict[str, str]
    built: t.List[str]
    missing: t.List[str]
    unknown: t.List[str]


class _Planned(t.NamedTuple):
    build: Build
    key: str
    tag: str
    commit: str
    here: t.Optional[t.Dict[str, t.Any]]


def content_key(build: Build, content: str) -> str:
    """What tells two images of a service apart: 16 hex digits over everything that is declared to go into one."""
    parts = (content, build.dockerfile, sorted(build.args.items()), build.target, build.platform)
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def limit(contexts: t.Iterable[str], timeout: int) -> int:
    """The seconds that it takes at most to build from these, when one build or one fetch ends after ``timeout``."""
    return sum(ASK_SECONDS + 2 * timeout if is_git(context) else timeout for context in contexts)


class ImageBuilder:
    """The builds of one stack on one host.

    A build ends after ``timeout`` seconds, and so does the fetch of a repository; ``workspace`` is its own directory.
    ``redact`` takes secrets out of what a failed build said.
    """

    def __init__(
        self,
        stack: str,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        tell: t.Callable[[str], None],
        timeout: int,
        workspace: str,
        check: bool,
        redact: t.Callable[[str], str] = str,
    ) -> None:
        self._stack, self._engine, self._run, self._clock, self._tell = stack, engine, run, clock, tell
        self._timeout, self._workspace, self._check = timeout, workspace, check
        self._git, self._redact = Git(run, clock, timeout), redact

    def build_all(self, builds: t.Iterable[Build]) -> Result:
        """Have all images on the host. A failed build ends the work there, and what was built before stays."""
        planned, problems = [], []
        for build in builds:
            try:
                planned.append(self._plan(build))
            except StackError as error:
                problems.append(self._problem(build, str(error)))
        if problems and not self._check:
            raise StackError("\n".join(problems))
        images = {one.build.image: one.here["Id"] for one in planned if one.here}
        ids = {one.key: one.here["Id"] for one in planned if one.here}
        absent = [one for one in planned if not one.here]
        if self._check:
            images.update((one.build.image, one.tag) for one in absent)
            return Result(images, [one.tag for one in absent], [], problems)
        sent = {one.build.context_digest for one in absent if _is_sent(one.build) and one.key not in ids}
        missing = sorted(sent - {one.build.context_digest for one in absent if one.build.archive})
        if missing:
            return Result(images, [], missing, [])
        for one in absent:
            if one.key in ids:
                # Another service is built from the very same.
                self._engine.post("/images/{0}/tag".format(ids[one.key]), repo=one.build.name, tag=one.key)
            else:
                ids[one.key] = self._build(one)
            images[one.build.image] = ids[one.key]
        return Result(images, [one.tag for one in absent], [], [])

    def _plan(self, build: Build) -> _Planned:
        commit = ""
        if is_git(build.context):
            source = git_source(build.context)
            commit = self._git.commit(source)
            content = "git {0} {1}".format(commit, source.directory)
        elif _is_sent(build):
            content = build.context_digest
        else:
            content = read_context(build.context, build.dockerfile)
        key = content_key(build, content)
        tag = "{0}:{1}".format(build.name, key)
        try:
            here = self._engine.image(tag)
        except EngineUnavailable:
            # The plan for a host that is to get its engine.
            if not self._check:
                raise
            here = None
        return _Planned(build, key, tag, commit, here)

    def _build(self, one: _Planned) -> str:
        build = one.build
        self._tell("building {0} from {1}".format(build.service, build.context))
        try:
            if _is_sent(build):
                return self._run_build(one, build.archive)
            with tempfile.TemporaryDirectory(dir=self._workspace) as directory:
                return self._run_build(one, self._archive(one, directory))
        except StackError as error:
            raise StackError(self._problem(build, str(error))) from error

    def _archive(self, one: _Planned, directory: str) -> str:
        """The archive that is built from, made in a directory of its own."""
        build, source = one.build, one.build.context
        if one.commit:
            source = self._git.fetch(git_source(source), one.commit, os.path.join(directory, "repository"))
        path = os.path.join(directory, "context.tar")
        with open(path, "wb") as file:
            content = read_context(source, build.dockerfile, file)
        if not one.commit and content_key(build, content) != one.key:
            raise StackError("it changed while it was read. Remedy: run again when nobody writes there.")
        return path

    def _run_build(self, one: _Planned, archive: str) -> str:
        # The archive is its standard input, whatever its size.
        reading = ["sh", "-c", 'exec "$@" < "$0"', archive, *build_argv(one.build, one.tag)]
        ended = run_limited(self._run, self._clock, reading, self._timeout)
        if ended.code:
            what, remedy = "the build failed, and nothing else was changed", "correct what they name, and deploy again"
            if ended.ran_out:
                what, remedy = "building did not end within {0} seconds".format(self._timeout), "raise timeout"
            said = self._redact(ended.out + "\n" + ended.err)
            lines = [line.rstrip() for line in said.splitlines() if line.strip()]
            last = lines[-_OUTPUT_LINES:] or ["exit code {0}".format(ended.code)]
            raise StackError("{0}. Its last lines:\n{1}\nRemedy: {2}.".format(what, "\n".join(last), remedy))
        made = self._engine.image(one.tag)
        if not made:
            raise StackError(
                "the build ended well, but its image {0} is not on the host. Remedy: have docker build on the host's own "
                "engine (docker buildx use default).".format(one.tag)
            )
        self._tell("built {0}".format(one.build.service))
        return made["Id"]

    def _problem(self, build: Build, what: str) -> str:
        return "stack {0}: service {1}: build {2}: {3}".format(self._stack, build.service, build.context, what)


def build_argv(build: Build, tag: str) -> t.List[str]:
    """Docker's command for a build from an archive on its standard input."""
    chosen = {"--file": build.dockerfile, "--target": build.target, "--platform": build.platform}
    options = [word for option, value in chosen.items() if value for word in (option, value)]
    arguments = [word for name, value in sorted(build.args.items()) for word in ("--build-arg", name + "=" + value)]
    # Else the older builder leaves the container of a step that failed.
    return ["docker", "build", "--force-rm", "--tag", tag, *options, *arguments, "-"]


def _is_sent(build: Build) -> bool:
    """Whether it is a directory of the controller."""
    return not is_git(build.context) and not build.context.startswith("/")
