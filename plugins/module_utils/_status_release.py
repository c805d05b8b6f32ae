# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the history and the releases of a stack say of its status. Pure.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._lease import Lease, utc
from ansible_collections.portside.stack.plugins.module_utils._release_report import folded, listed
from ansible_collections.portside.stack.plugins.module_utils._release_rollback import Event, Release, Schema, judge

Found = t.Dict[str, t.Any]

# An error quotes what services logged: its first line is told, and no more.
HISTORY, _ERROR = 20, 160
_KEYS = ("time", "event", "release", "who", "from", "why", "seconds")


def release_entry(current: str, releases: t.Sequence[Release], events: t.Sequence[Event], now: t.Optional[Schema]) -> Found:
    """Which release is current, since when and by whom, and what it can be rolled back to; ``now`` are the schemas of its databases."""
    known = folded(events)
    since = next((one for one in reversed(known) if one.get("release") == current and one["event"] in ("deployed", "rolled_back")), {})
    by_id = {release.id: release for release in releases}
    record = by_id[current].record if current in by_id else {}
    entries = [one for one in listed(releases, current, events) if one["verified"] and one["id"] != current]
    return {
        "release": current,
        "since": since.get("time", ""),
        "by": "{0} from {1}".format(since["who"], since.get("from") or "an unknown host") if since.get("who") else "",
        "visible": record.get("visible") or {},
        "history": [_told(one) for one in known[-HISTORY:]],
        "can_roll_back_to": [_possible(one, by_id[one["id"]], releases, now) for one in entries],
    }


def at_work(lease: t.Optional[Lease]) -> t.Optional[Found]:
    """Who has the stack's lock at this moment."""
    if lease is None:
        return None
    stage = lease.stages[-1]["stage"] if lease.stages else ""
    return {"purpose": lease.purpose, "who": lease.holder, "since": utc(lease.since), "after_stage": stage}


def _possible(entry: Found, release: Release, releases: t.Sequence[Release], now: t.Optional[Schema]) -> Found:
    verdict = judge(release, releases, now)
    kept = {key: entry[key] for key in ("id", "verified", "changes")}
    return dict(kept, **{key: getattr(verdict, key) for key in ("schema", "databases", "why", "dump_taken")})


def _told(event: Event) -> Found:
    told = {key: event[key] for key in _KEYS if event.get(key) not in (None, "")}
    error = (event.get("error") or "").strip().split("\n")[0][:_ERROR]
    return dict(told, **({"error": error} if error else {}))
