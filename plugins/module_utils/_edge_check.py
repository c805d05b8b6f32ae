# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge's configuration, judged by the program that is to read it, in the very image.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl
from ansible_collections.portside.stack.plugins.module_utils._edge_places import CONFIG, MOUNT
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._secrets import secret_path
from ansible_collections.portside.stack.plugins.module_utils._throw_away import NotRun, remove_leftovers, run_once

PURPOSE = "edge-check"
_COMMANDS = {
    "nginx": ("nginx", "-t", "-c", "{0}"),
    "cloudflared": ("cloudflared", "tunnel", "--config", "{0}", "ingress", "validate"),
}
_MAIN = {"nginx": CONFIG, "cloudflared": "config.yml"}
_AROUND = 2
_SAID = 12
_PLACE = re.compile(r" in {0}/(?P<file>[^\s:]+):(?P<line>[0-9]+)|\bline (?P<yaml>[0-9]+)".format(MOUNT))
_NOISE = re.compile(r"^(?:nginx: configuration file .* test (?:failed|is successful)|OK|Validating rules from .*|$)")


class Refused(StackError):
    """The program does not take a file."""


class EdgeCheck:
    """One edge of a stack and its image, which is on the host."""

    def __init__(self, stack: str, service: str, kind: str, image: str, engine: EngineClient, run: Run, now: float) -> None:
        self._stack, self._service, self._kind, self._image = stack, service, kind, image
        self._engine, self._run, self._now = engine, run, now

    def carry_out(self, files: t.Mapping[str, str], certificates: t.Sequence[str]) -> t.List[str]:
        """Have all files judged that the program may be started with; answers which. Raises Refused."""
        remove_leftovers(self._engine, self._stack, PURPOSE, self._now)
        judged = [name for name in sorted(files) if name.endswith(".conf")] if self._kind == "nginx" else [_MAIN[self._kind]]
        if _MAIN[self._kind] not in files:
            raise StackError(
                "stack {0}: service {1}: option files: {2} is not given. Remedy: give what the filter release_files makes.".format(
                    self._stack, self._service, _MAIN[self._kind]
                )
            )
        there = {"{0}/{1}".format(MOUNT, name): text.encode("utf-8") for name, text in files.items()}
        if certificates:
            pair = OpenSsl(self._run).self_signed(["portside.invalid"])
            there.update(("{0}/{1}".format(MOUNT, name), pair) for name in certificates)
        for name in judged:
            self._judge(name, files[name], there)
        return judged

    def judge_brought(self, pairs: t.Iterable[t.Mapping[str, t.Any]], values: t.Mapping[str, str], secrets: str) -> None:
        """Judge certificates with their keys: as they are given, or else as ``secrets``, a directory, has them of before."""
        for one in pairs:
            name, path = one["secret"], secret_path(secrets, one["secret"], one["version"])
            if name in values:
                key = values[name].encode("utf-8")
            elif os.path.exists(path):
                with open(path, "rb") as handle:
                    key = handle.read()
            else:
                # That it is to be had somewhere is seen to by who writes secrets.
                continue
            where = "stack {0}: service {1}: certificate {2}".format(self._stack, self._service, one["file"])
            OpenSsl(self._run).judge(where, name, key, one["certificate"].encode("utf-8"))

    def _judge(self, name: str, text: str, there: t.Mapping[str, bytes]) -> None:
        argv = [word.format("{0}/{1}".format(MOUNT, name)) for word in _COMMANDS[self._kind]]
        try:
            code, lines = run_once(self._engine, self._stack, PURPOSE, self._image, argv, there)
        except NotRun as error:
            raise StackError(
                "stack {0}: service {1}: {2} cannot be run in image {3}: {4}. Remedy: give the service an image of "
                "{2}.".format(self._stack, self._service, argv[0], self._image, str(error).rstrip("."))
            ) from error
        # It runs with rules that it did not understand, and only warns of them.
        warned = self._kind == "cloudflared" and any(re.search(r"unused keys|\bwarn", line, re.IGNORECASE) for line in lines)
        if code or warned:
            said = [line.rstrip() for line in lines if not _NOISE.match(line.strip())][:_SAID]
            raise Refused(self._refusal(argv[0], name, text, said or ["exit code {0}".format(code)]))

    def _refusal(self, program: str, name: str, text: str, said: t.Sequence[str]) -> str:
        lines = ["stack {0}: service {1}: {2} refuses {3}:".format(self._stack, self._service, program, name)]
        lines += ["  " + line for line in said]
        shown = around(text, name, said)
        if shown:
            lines += ["There it says:", *shown]
        lines.append(
            "Nothing was changed. Remedy: correct what these lines are made from under routes or edge of the stack; where "
            "they are as declared, this version of {0} does not know them: give services.{1} a newer image.".format(
                program, self._service
            )
        )
        return "\n".join(lines)


def around(text: str, name: str, said: t.Iterable[str]) -> t.List[str]:
    """The lines around the first place in a file that a program complains of."""
    for line in said:
        found = _PLACE.search(line)
        if found and found.group("file") in (None, name):
            number = int(found.group("line") or found.group("yaml"))
            rows = text.splitlines()
            first, last = max(1, number - _AROUND), min(len(rows), number + _AROUND)
            return ["{0} {1:4d}  {2}".format(">" if at == number else " ", at, rows[at - 1]) for at in range(first, last + 1)]
    return []
