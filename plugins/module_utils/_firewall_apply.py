# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the rules on the host follow what is declared there.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import Settings, read_settings
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, put
from ansible_collections.portside.stack.plugins.module_utils._firewall_bridges import uplink_bridges
from ansible_collections.portside.stack.plugins.module_utils._firewall_declared import (
    current_openings,
    own_openings,
    published,
)
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Opening, Wanted, ruleset
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import (
    DELETE,
    LIST,
    LISTED,
    PENDING,
    RULES,
    RUN,
    docker_rules_gone,
    in_place,
)
from ansible_collections.portside.stack.plugins.module_utils._run_directory import STACK_NAME

# What a release that is being activated publishes is let in for as long as the activation may take.
_ACTIVATION = 3600.0
_ACTIVATIONS = RUN + "/firewall.activations"
# What was told last of Docker's rules: said once, and not twice a minute.
_TOLD = RUN + "/firewall.told"


class Firewall:
    """The firewall of a host. Where it is not switched on, nothing is done."""

    def __init__(self, fs: FileSystem, run: Run, now: t.Callable[[], float], root: str = "") -> None:
        self.fs, self.run, self.now, self.root = fs, run, now, root

    def wanted(self, exposure: t.Optional[Settings] = None) -> Wanted:
        """What the rules are to say, by what is declared on the host, or would be by another file for it."""
        own = exposure or read_settings(self.fs, self.root)
        openings = own_openings(own) + current_openings(self.root + own.stack_root) + self._activated()
        return Wanted(own.ssh_ports, own.trusted_interfaces, uplink_bridges(self.fs, self.root), openings)

    def follow(self) -> str:
        """Have the rules say what is declared; answers why they did not, in words, or nothing when they did."""
        with self.alone():
            return self._follow()

    def activate(self, stack: str, definition: t.Mapping[str, t.Any]) -> str:
        """Let in what a release publishes too, from before it is brought up; as follow answers."""
        if not STACK_NAME.match(stack):
            raise StackError("{0!r} is not the name of a stack.".format(stack))
        openings = published(stack, definition)
        return self._announce(stack, {"until": self.now() + _ACTIVATION, "openings": openings})

    def activated(self, stack: str) -> str:
        """Let in only what the current release publishes, now that one is; as follow answers."""
        return self._announce(stack, None)

    def settle(self, stack: str, warn: t.Callable[[str], None]) -> None:
        """As activated, where there is no way back: what fails is warned of."""
        try:
            self.activated(stack)
        except StackError as error:
            warn("stack {0}: {1} What the stack published before may still be let in.".format(stack, error))

    def judge(self, text: str) -> None:
        """Refuse rules that nft does not take."""
        self._nft(text, "would not be", "-c")

    def load(self, text: str) -> None:
        """Put rules in the place of those of before, in one transaction, and remember how nft shows them."""
        self._nft(text, "were not")
        code, out, err = self.run(list(LIST), None)
        if code:
            raise StackError("{0} failed: {1}".format(" ".join(LIST), err.strip()))
        put(self.fs, self.root + LISTED, out.encode("utf-8"))

    def save(self, text: str) -> None:
        """Have a boot load these rules."""
        put(self.fs, self.root + RULES, text.encode("utf-8"))

    def saved(self) -> str:
        """The rules that a boot loads; empty where there are none."""
        path = self.root + RULES
        return self.fs.read(path).decode("utf-8") if self.fs.lstat(path) else ""

    def pending(self) -> t.Optional[t.Dict[str, t.Any]]:
        """The rules that wait for a fresh connection; none when none do."""
        path = self.root + PENDING
        if not self.fs.lstat(path):
            return None
        found = json.loads(self.fs.read(path).decode("utf-8"))
        return found if self.now() < found["until"] else None

    def remove(self) -> None:
        """Take the table away, with all that was kept of it."""
        if not self.run(list(LIST), None)[0]:
            self._nft(DELETE, "cannot be taken away: they were not")
        for path in (RULES, LISTED, PENDING, _ACTIVATIONS, _TOLD):
            if self.fs.lstat(self.root + path):
                self.fs.unlink(self.root + path)

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Nobody else changes the rules meanwhile: a deploy, the timer and the role may all want to."""
        os.makedirs(self.root + RUN, mode=0o755, exist_ok=True)
        with open(self.root + RUN + "/firewall.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def docker_trouble(self) -> str:
        """Why Docker's own rules are not there, when that has not been told yet."""
        why = docker_rules_gone(self.run, self.fs, self.root)
        new = put(self.fs, self.root + _TOLD, why.encode("utf-8"))
        return why if new else ""

    def _follow(self) -> str:
        if not read_settings(self.fs, self.root).firewall or self.pending():
            return ""
        text = ruleset(self.wanted())
        why = in_place(self.run, self.fs, self.root)
        if text != self.saved():
            why = (why + ", and " if why else "") + "something else is declared by now"
        # The host itself should have taken them back by now.
        left = self.fs.lstat(self.root + PENDING)
        if left:
            why = "rules were in place that no fresh connection had confirmed"
        if why:
            self.judge(text)
            self.load(text)
            self.save(text)
        if left:
            self.fs.unlink(self.root + PENDING)
        return why

    def _announce(self, stack: str, activation: t.Optional[t.Dict[str, t.Any]]) -> str:
        if not read_settings(self.fs, self.root).firewall:
            return ""
        with self.alone():
            found = self._activations()
            found.pop(stack, None)
            if activation:
                found[stack] = activation
            put(self.fs, self.root + _ACTIVATIONS, json.dumps(found).encode("utf-8"))
            return self._follow()

    def _activations(self) -> t.Dict[str, t.Any]:
        path = self.root + _ACTIVATIONS
        found = json.loads(self.fs.read(path).decode("utf-8")) if self.fs.lstat(path) else {}
        return {stack: one for stack, one in found.items() if self.now() < one["until"]}

    def _activated(self) -> t.List[Opening]:
        rows = [row for one in self._activations().values() for row in one["openings"]]
        return [Opening(*row[:5], tuple(row[5])) for row in rows]

    def _nft(self, text: str, verb: str, *options: str) -> None:
        code, out, err = self.run(["nft", *options, "-f", "-"], text)
        if code:
            raise StackError(
                "firewall: the rules {0} loaded, as nft refuses them: {1}. What was in place is untouched.".format(
                    verb, (err or out).strip()
                )
            )


def watch(firewall: Firewall, tell: t.Callable[[str], None]) -> None:
    """What the timer does: what is not as declared is put right, and told."""
    why = firewall.follow()
    if why:
        tell("firewall: {0}. It lets in again what is declared, and nothing else.".format(why))
    if read_settings(firewall.fs, firewall.root).firewall:
        trouble = firewall.docker_trouble()
        if trouble:
            tell("firewall: {0}.".format(trouble))
