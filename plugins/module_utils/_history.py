# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to a stack: a file of events to which lines are only ever added.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

``history.jsonl`` in the stack's directory has one event a line, as JSON:

- time: when it was written, in UTC
- event: started, or how that ended: deployed, rolled_back, failed, interrupted; or removed, which has no start
- action: deploy, rollback or remove
- run: the token of the run's lock; the same for what one run writes, empty for a module used alone
- stack, release, previous: the names; previous is empty before the first release
- who, from: the user who started the run, and the host it was started on
- why: what the user gave as the reason, or the reason the software had
- stages: [{"stage", "seconds", "failed"}] so far; the seconds of one that was killed are null
- seconds: since the run took the lock; null where that is not known
- error: of failed and interrupted, what went wrong
- deleted_volumes: of removed, [{"name", "key", "size"}], the size in bytes or null; kept_volumes: the names of the others
- restored: of failed, the release that serves again; empty when there was none, null when it could not be brought back

An event has the keys that have something to say. A reader takes what it knows, and ignores the others.
"""

from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._lease import Lease, utc

Event = t.Dict[str, t.Any]

ENDS = ("deployed", "rolled_back", "failed", "interrupted", "removed")


class History:
    """The file of one stack. Readable by root only: errors quote what services logged."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "history.jsonl")

    def append(self, event: t.Mapping[str, t.Any]) -> None:
        """Add an event, so that it is on the disk when this returns."""
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            # A line that a power loss cut short stays alone on its line.
            torn = end and os.pread(descriptor, 1, end - 1) != b"\n"
            data = ("\n" if torn else "").encode() + line.encode("utf-8")
            # On a full disk a part of it may fit.
            if file.write(data) != len(data):
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
            os.fsync(descriptor)

    def read(self) -> t.List[Event]:
        """The events, oldest first, without lines that are torn."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.read().split("\n")
        except FileNotFoundError:
            return []
        return [event for event in map(_parsed, lines) if event]


def _parsed(line: str) -> t.Optional[Event]:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def event(kind: str, action: str, lease: t.Optional[Lease], now: float, **fields: t.Any) -> Event:
    """An event of the run that has the lease; ``fields`` are added, and win."""
    of_run: Event = {"run": "", "who": "", "from": "", "stages": [], "seconds": None}
    if lease:
        of_run = {
            "run": lease.token,
            "who": lease.who,
            "from": lease.origin,
            "stages": lease.stages,
            "seconds": round(now - lease.since, 1),
        }
    return {"time": utc(now), "event": kind, "action": action, **of_run, **fields}


def unfinished(events: t.Sequence[Event]) -> t.Optional[Event]:
    """The last start, if no end of the same run followed it."""
    ended = set()
    for one in reversed(events):
        if one["event"] in ENDS:
            ended.add(one.get("run"))
        elif one["event"] == "started":
            return None if one.get("run") in ended else one
    return None


def interrupted_event(started: Event, lease: t.Optional[Lease], now: float) -> Event:
    """The end that a run could not write itself; ``lease`` is the one it left behind, if that is still known."""
    lease = lease if lease and lease.token == started.get("run") else None
    stages = lease.stages if lease else []
    if not stages:
        where = ""
    elif stages[-1]["seconds"] is None:
        where = " in the stage {0}".format(stages[-1]["stage"])
    else:
        where = " after the stage {0}".format(stages[-1]["stage"])
    return {
        **started,
        "time": utc(now),
        "event": "interrupted",
        "stages": stages,
        # Until when it lived nobody knows.
        "seconds": None,
        "error": "the run was cut off{0}".format(where),
    }
