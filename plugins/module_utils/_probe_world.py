# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probes of checks act on, and how they say that a check did not pass.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure, Network

_NOBODY = "see whether the service runs and listens there, and its logs"
_SOMEBODY = "something answers there: see the service's logs, and whether the check asks for the right thing"


class Objection(Exception):
    """A try that did not pass: what is wrong, an excerpt of what was ``seen``, what to do, and whether it was just too ``late``."""

    def __init__(self, said: str, seen: t.Optional[str] = None, remedy: str = _SOMEBODY, late: bool = False) -> None:
        super().__init__(said)
        self.said, self.seen, self.remedy, self.late = said, seen, remedy, late


def objection_of(failure: Failure, timeout: float) -> Objection:
    """What a connection that failed is to a check, whose try could take so many seconds."""
    if failure.outcome == "refused":
        return Objection("connection refused", remedy=_NOBODY)
    if failure.outcome == "dns":
        return Objection("its name is not found: {0}".format(failure.said), remedy=_NOBODY)
    if failure.outcome == "timeout":
        return Objection("{0} ({1:.1f} s)".format(failure.said, timeout), remedy=_NOBODY, late=True)
    return Objection(failure.said, remedy=_NOBODY if failure.outcome == "unreachable" else _SOMEBODY)


class Ran(t.NamedTuple):
    """How a command in a container ended, and what it wrote."""

    code: int
    output: str


class Containers(t.Protocol):
    """The containers of one stack. All raise Objection where there are none that can be used."""

    def of(self, service: str, until: float) -> t.List[t.Dict[str, t.Any]]:
        """The inspections of a service's containers, by their numbers."""

    def addresses(self, service: str, until: float) -> t.List[str]:
        """Where its running containers are reached."""

    def execute(self, service: str, argv: t.Sequence[str], until: float) -> Ran:
        """Run a command in the first of its running containers."""


class World(t.NamedTuple):
    """``secret`` is the value of one; ``nonce`` makes so many bytes that nobody foresees; ``today`` is the time of day."""

    network: Network
    containers: Containers
    secret: t.Callable[[str], str]
    nonce: t.Callable[[int], bytes]
    today: t.Callable[[], float]
