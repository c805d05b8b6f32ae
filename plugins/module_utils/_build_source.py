# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an image is built from, and fetching that from a git repository.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._time_limit import Ended, run_limited

_GIT = re.compile(r"(?:https?|git|ssh|file)://|[\w.-]+@[\w.-]+:")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
# How long a repository has to say what commit a ref is.
ASK_SECONDS = 60


class GitSource(t.NamedTuple):
    """A directory of a git repository; without a ref its default branch."""

    url: str
    ref: str
    directory: str


def is_git(context: str) -> bool:
    """Whether a context is a git URL; otherwise it is a path, of the host if it is absolute, else of the controller."""
    return bool(_GIT.match(context))


def git_source(context: str) -> GitSource:
    """The parts of ``URL#REF:DIRECTORY``."""
    url, _mark, fragment = context.partition("#")
    ref, _colon, directory = fragment.partition(":")
    return GitSource(url, ref, directory.strip("/"))


class Git:
    """Git on the host. It never asks for a password: it ends instead. A fetch ends after ``timeout`` seconds."""

    def __init__(self, run: Run, clock: Clock, timeout: int) -> None:
        self._run, self._clock, self._timeout = run, clock, timeout

    def commit(self, source: GitSource) -> str:
        """The commit that a ref is now. A commit is itself, and nobody is asked."""
        if _COMMIT.match(source.ref):
            return source.ref
        names = [form.format(source.ref) for form in ("refs/tags/{0}^{{}}", "refs/tags/{0}", "refs/heads/{0}", "{0}")]
        if not source.ref:
            names = ["HEAD"]
        ended = self._git(ASK_SECONDS, "ls-remote", "--", source.url, *names)
        if ended.code:
            raise StackError(_refusal(source, ended))
        found = {name: commit for commit, _tab, name in (line.partition("\t") for line in ended.out.splitlines())}
        for name in names:
            if name in found:
                return found[name]
        raise StackError(
            "{0} has no branch or tag {1!r}. Remedy: correct what stands behind the #; "
            "a commit is named by all of its 40 digits.".format(source.url, source.ref or "HEAD")
        )

    def fetch(self, source: GitSource, commit: str, directory: str) -> str:
        """Have the files of a commit in a new directory; answers where the source's own directory is in it."""
        ends = self._clock.monotonic() + self._timeout

        def git(*arguments: str) -> Ended:
            # A limit of 0 would be none.
            return self._git(max(1, ends - self._clock.monotonic()), *arguments)

        def must(*arguments: str) -> None:
            ended = git(*arguments)
            if ended.code:
                raise StackError(_refusal(source, ended))

        must("init", "--quiet", directory)
        if git("-C", directory, "fetch", "--quiet", "--depth", "1", "--", source.url, commit).code:
            # Old servers give no commit by its name: so everything, and the commit with it.
            every = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            must("-C", directory, "fetch", "--quiet", "--", source.url, *every)
        must("-C", directory, "checkout", "--quiet", "--detach", commit)
        if os.path.exists(os.path.join(directory, ".gitmodules")):
            must("-C", directory, "submodule", "--quiet", "update", "--init", "--recursive")
        return os.path.join(directory, source.directory)

    def _git(self, seconds: float, *arguments: str) -> Ended:
        quiet = ("env", "GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND=ssh -o BatchMode=yes")
        return run_limited(self._run, self._clock, [*quiet, "git", *arguments], seconds)


def _refusal(source: GitSource, ended: Ended) -> str:
    if ended.code == 127:
        return "there is no git on the host to fetch {0}. Remedy: install it (apt-get install git).".format(source.url)
    said = last_lines(ended.err or ended.out).rstrip(".") or "exit code {0}".format(ended.code)
    return (
        "{0} is not to be had: {1}{2}. Remedy: check the address, that the host reaches it, and that git on the host may "
        "read it (a deploy key or a credential helper of root).".format(
            source.url, "it did not answer in time: " if ended.ran_out else "", said
        )
    )
