# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of healing: lines of the journal, entries for the webhook, and the file that others read.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, put
from ansible_collections.portside.stack.plugins.module_utils._heal_rules import (
    GIVEN_UP,
    HEALED,
    LOOP_OVER,
    LOOPS,
    WAITS,
    Memory,
    Seen,
)
from ansible_collections.portside.stack.plugins.module_utils._lease_model import utc

STATE = "/run/portside/heal.json"
RESTARTED, REFUSED, FOLLOWED = "restarted", "refused", "followed"
# How the journal of systemd reads the priority of a line.
_ERROR, _WARNING, _NOTICE = "<3>", "<4>", "<5>"
_BY_HAND = "It is left alone from now on. Remedy: see docker logs {0.name}, mend the cause, and deploy again or restart it by hand."
_TEXTS = {
    RESTARTED: (_WARNING, "{1.why}. It was restarted ({1.restarts} of {0.attempts}); should it fail again, the next restart is {2:.0f} s after that."),
    REFUSED: (_ERROR, "{1.why}. It could not be restarted ({1.restarts} of {0.attempts}), and is tried again."),
    FOLLOWED: (_WARNING, "it was restarted with {1.why}, which it shares a network with or depends on."),
    WAITS: (_WARNING, "{1.why}. It was restarted {1.restarts} of {0.attempts} times; the next try is at {3}."),
    GIVEN_UP: (_ERROR, "{1.why}. It was restarted {1.restarts} times, and did not stay healthy. " + _BY_HAND),
    HEALED: (_NOTICE, "it is healthy again."),
    LOOPS: (_ERROR, "{1.why}. It exits again and again by itself. " + _BY_HAND),
    LOOP_OVER: (_NOTICE, "it does not exit again and again any more."),
}

Known = t.Mapping[str, t.Tuple[Seen, Memory]]


def journal_line(kind: str, seen: Seen, memory: Memory, pause: float) -> str:
    """What happened, as one line; ``pause`` is what comes before the next restart."""
    priority, text = _TEXTS[kind]
    said = text.format(seen, memory, pause, _time(memory.next))
    return "{0}heal: stack {1.stack}: service {1.service}: container {1.name}: {2}".format(priority, seen, " ".join(said.split()))


def entry(kind: str, seen: Seen, memory: Memory) -> t.Dict[str, t.Any]:
    """The same for programs."""
    return {
        "stack": seen.stack,
        "service": seen.service,
        "container": seen.name,
        "what": kind,
        "why": memory.why,
        "restarts": memory.restarts,
        "attempts": seen.attempts,
        "last": _time(memory.last),
        "next": _time(memory.next),
    }


def state(known: Known) -> t.Dict[str, t.Any]:
    """What is to be known of the services, by STACK/SERVICE; one with several containers is as badly off as its worst."""
    found: t.Dict[str, t.Dict[str, t.Any]] = {}
    for identifier, (seen, memory) in sorted(known.items()):
        if not memory.noteworthy:
            continue
        told = found.setdefault(
            "{0.stack}/{0.service}".format(seen),
            {"restarts": 0, "last": None, "next": None, "given_up": False, "why": "", "containers": {}},
        )
        told["restarts"] = max(told["restarts"], memory.restarts)
        told["last"] = max(filter(None, (told["last"], _time(memory.last))), default=None)
        told["next"] = min(filter(None, (told["next"], _time(memory.next))), default=None)
        told["given_up"] = told["given_up"] or memory.given_up or memory.looping
        told["why"] = told["why"] or memory.why
        told["containers"][identifier] = memory._asdict()
    return found


class StateFile:
    """The file in which that is kept, until the host's next start."""

    def __init__(self, fs: FileSystem, root: str = "") -> None:
        self._fs, self._path = fs, root + STATE

    def write(self, known: Known) -> None:
        put(self._fs, self._path, (json.dumps(state(known), indent=1, sort_keys=True) + "\n").encode("utf-8"))

    def read(self) -> t.Dict[str, Memory]:
        """What was known of each container, by its id."""
        try:
            told = json.loads(self._fs.read(self._path).decode("utf-8")) if self._fs.lstat(self._path) else {}
            return {key: Memory(**value) for one in told.values() for key, value in one["containers"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}  # another version wrote it


def _time(seconds: t.Optional[float]) -> t.Optional[str]:
    return None if seconds is None else utc(seconds)
