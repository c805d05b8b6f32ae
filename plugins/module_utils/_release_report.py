# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a stack's releases and history, as data and as lines to read. Pure.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._history import ENDS
from ansible_collections.portside.stack.plugins.module_utils._release_rollback import Event, Release, Verdict

Listed = t.Dict[str, t.Any]


def folded(events: t.Iterable[Event]) -> t.List[Event]:
    """The history with one event for each run: its start is part of its end, and stands alone when there is none."""
    found: t.List[t.Dict[str, t.Any]] = []
    for one in events:
        if one["event"] == "started":
            found.append(dict(one))
        elif one["event"] in ENDS:
            # Runs of a module used alone all have the same, empty token.
            start = next((s for s in reversed(found) if s["event"] == "started" and _run(s) == _run(one)), None)
            if start is None:
                found.append(dict(one))
            else:
                found.remove(start)
                found.append(dict(one, started=start["time"]))
    return found


def listed(releases: t.Iterable[Release], current: str, history: t.Sequence[Event]) -> t.List[Listed]:
    """The releases with what happened to them, the newest first."""
    by_id = {release.id: release for release in releases}
    entries = []
    for release in by_id.values():
        last = next((one for one in reversed(history) if one.get("release") == release.id), {})
        entries.append(
            {
                "id": release.id,
                "state": _state(release, current, last),
                "verified": release.verified,
                "last_event": last.get("time", ""),
                "declaration_digest": release.record.get("declaration_digest", ""),
                "images": release.record.get("images", {}),
                "secrets": release.record.get("secrets", {}),
                "visible": release.record.get("visible", {}),
                "steps": [dict(step, runs=_runs(release, step["name"])) for step in release.record.get("steps", [])],
                "dumps": [entry["dump"] for entry in release.ledger if entry.get("dump")],
                "changes": changes(release, by_id[current]) if current in by_id else [],
            }
        )
    return sorted(entries, key=lambda one: (max(one["verified"], one["last_event"]), one["id"]), reverse=True)


def changes(release: Release, current: Release) -> t.List[t.Dict[str, str]]:
    """The services whose image is another one in the current release; an image is empty where there is no service."""
    here, there = _images(release), _images(current)
    return [
        {"service": name, "image": here.get(name, ""), "current": there.get(name, "")}
        for name in sorted(set(here) | set(there))
        if here.get(name) != there.get(name)
    ]


def text(
    stack: str,
    current: str,
    history: t.Sequence[Event],
    possible: t.Sequence[t.Tuple[Listed, Verdict]],
    left: t.Sequence[str] = (),
    visible: t.Optional[t.Mapping[str, t.Sequence[str]]] = None,
) -> t.List[str]:
    """What runs, since when and by whom, what it can be rolled back to, and what happened last.

    ``left`` are volumes that it does not mention, ``visible`` the variables by service that show a secret.
    """
    since = next(
        (one for one in reversed(history) if one.get("release") == current and one["event"] in ("deployed", "rolled_back")),
        None,
    )
    if not current:
        lines = ["{0}: no release is current".format(stack)]
    elif since is None:
        lines = ["{0}: release {1}".format(stack, current)]
    else:
        lines = ["{0}: release {1}, {2}".format(stack, current, _told(since))]
    if possible:
        rows = [("RELEASE", "VERIFIED", "DATABASES", "IMAGES THAT DIFFER")]
        rows += [(one["id"], one["verified"], _schema_text(verdict), _changes_text(one)) for one, verdict in possible]
        widths = [max(len(row[column]) for row in rows) for column in range(3)] + [0]
        lines.append("  can be rolled back to:")
        lines += ["    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    elif current:
        lines.append("  can be rolled back to nothing yet: no other release was verified here")
    if visible:
        shown = ["{0}: {1}".format(service, ", ".join(names)) for service, names in sorted(visible.items())]
        lines.append("  secrets that docker inspect shows, as was chosen: {0}".format("; ".join(shown)))
    if left:
        what = "volumes it does not mention any more" if current else "volumes"
        lines.append("  {0}: {1}".format(what, ", ".join(left)))
    if history:
        lines.append("  last:")
        lines += ["    {0} {1}".format(one.get("release", ""), _told(one)) for one in reversed(history[-5:])]
    return lines


def _run(event: Event) -> t.Tuple[t.Any, t.Any]:
    return event.get("run"), event.get("release")


def _state(release: Release, current: str, last: Event) -> str:
    if release.id == current:
        return "current"
    if release.verified:
        return "good"
    return {"failed": "failed", "started": "unfinished", "interrupted": "unfinished"}.get(last.get("event", ""), "written")


def _runs(release: Release, step: str) -> t.List[t.Dict[str, t.Any]]:
    keys = ("started", "ended", "exit_code", "undone")
    return [{key: entry.get(key) for key in keys} for entry in release.ledger if entry["step"] == step]


def _images(release: Release) -> t.Dict[str, str]:
    """The image of each service: as declared where only a digest follows, else with the pin."""
    references = {pin: reference for reference, pin in release.record.get("images", {}).items()}
    services = release.record.get("definition", {}).get("services", {})
    found = {}
    for name, service in services.items():
        pin = service.get("image", "")
        reference = references.get(pin, pin.partition("@")[0])
        digest = pin.rpartition("sha256:")[2][:12]
        found[name] = "{0} ({1})".format(reference, digest) if digest else pin
    return found


def _changes_text(release: Listed) -> str:
    return ", ".join("{0} {1}".format(one["service"], one["image"] or "is not in it") for one in release["changes"]) or "none"


def _schema_text(verdict: Verdict) -> str:
    if verdict.schema == "same":
        return "fit"
    dump = "dump of {0}".format(verdict.dump_taken) if verdict.dumps else "no dump"
    return "{0}, {1}".format(verdict.schema, dump)


def _told(event: Event) -> str:
    words = [event["event"].replace("_", " "), event["time"]]
    if event.get("who"):
        words.append("by {0} from {1}".format(event["who"], event.get("from") or "an unknown host"))
    if event.get("seconds") is not None:
        words.append("in {0:.0f} s".format(event["seconds"]))
    told = " ".join(words)
    if event.get("why"):
        told += ": {0}".format(event["why"])
    if event.get("error"):
        told += ": {0}".format(event["error"].strip().split("\n")[0][:160])
    return told
