# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release to roll back to, and whether the databases still fit it. Pure.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

Schema = t.Mapping[str, str]  # SERVICE/DATABASE, or command:STEP -> fingerprint
Entry = t.Mapping[str, t.Any]  # of the ledger of steps
Event = t.Mapping[str, t.Any]  # of the history


class Release(t.NamedTuple):
    """A complete release as its host knows it."""

    id: str
    verified: str  # when; empty if it never was
    schema: t.Optional[Schema]  # at that time; none if nothing could tell
    record: t.Mapping[str, t.Any]
    ledger: t.List[Entry]  # of its steps; dump is {path, service, database, user, taken}, or none when it is gone


class Verdict(t.NamedTuple):
    """Whether the schemas are those that a release was verified with: same, moved, or unknown."""

    schema: str
    databases: t.List[str]  # that moved, or of which nothing is known
    why: str
    dumps: t.List[Entry]  # the entries whose dumps bring all of them back; none if that cannot be
    dump_taken: str  # the oldest of them


def judge(target: Release, releases: t.Sequence[Release], now: t.Optional[Schema]) -> Verdict:
    """Compare the schemas a release was verified with to those of now, or to the last ones known."""
    if target.schema is None:
        return Verdict("unknown", [], "which schemas release {0} was verified with is not known".format(target.id), [], "")
    present = _present(target.schema, releases, now or {})
    unknown = sorted(name for name in target.schema if name not in present)
    moved = sorted(name for name, value in target.schema.items() if present.get(name, value) != value)
    if not moved and not unknown:
        untold = [] if target.schema else _untold(target, releases)
        return Verdict("unknown" if untold else "same", [], "; ".join(untold), [], "")
    reasons = [_moved_by(name, target, releases) for name in moved]
    reasons += ["the schema of {0} cannot be told now, and nothing recorded says it".format(name) for name in unknown]
    dumps = _fitting_dumps(moved + unknown, target.schema, releases)
    taken = min([entry["dump"]["taken"] for entry in dumps] or [""])
    return Verdict("moved" if moved else "unknown", moved + unknown, "; ".join(reasons), dumps, taken)


def previous_good(releases: t.Iterable[Release], current: str, history: t.Iterable[Event]) -> str:
    """The good release that was the current one before, and was not rolled back from; empty if there is none."""
    commits = [one for one in history if one.get("event") in ("deployed", "rolled_back")]
    was_current = [one.get("release") for one in commits]
    left_by = {one: after["event"] for one, after in zip(was_current, commits[1:]) if after.get("release") != one}
    good = {
        release.id: release.verified
        for release in releases
        if release.verified and release.id != current and left_by.get(release.id) != "rolled_back"
    }
    for release in reversed(was_current):
        if release in good:
            return release
    return max(good, key=lambda release: (good[release], release), default="")


def choose(
    stack: str, wanted: str, schema: str, releases: t.Sequence[Release], current: str, history: t.Iterable[Event]
) -> Release:
    """The release that is meant by its name or by "previous". Raises StackError unless it may be rolled back to."""
    good = {release.id: release for release in releases if release.verified}
    target = wanted if wanted not in ("", "previous") else previous_good(releases, current, history)
    others = ["{0} (verified {1})".format(one.id, one.verified) for one in _newest_first(good.values()) if one.id != current]
    remedy = "name one of: {0}".format(", ".join(others)) if others else "deploy a corrected declaration instead"
    if not target:
        raise StackError(
            "stack {0}: there is no release to roll back to: beside the current one ({1}) none on the host was ever "
            "verified{2}. Remedy: {3}.".format(
                stack, current or "none", " that was not rolled back from since" if others else "", remedy
            )
        )
    if target not in good:
        known = any(release.id == target for release in releases)
        raise StackError(
            "stack {0}: release {1} {2}, so it is not rolled back to. Remedy: {3}.".format(
                stack, target, "was never verified as healthy" if known else "is not on the host", remedy
            )
        )
    if target == current and schema != "restore":
        raise StackError(
            "stack {0}: release {1} is the current one. Remedy: {2}; or, to bring back its databases as they were "
            "before a migration failed, add -e schema=restore.".format(stack, target, remedy)
        )
    return good[target]


def restores(stack: str, target: Release, verdict: Verdict, schema: str, current: str) -> t.List[t.Dict[str, str]]:
    """The dumps to restore for a rollback. Raises StackError where the schema forbids it, and says what is possible."""
    if target.id == current and not verdict.databases:
        raise StackError(
            "stack {0}: release {1} is the current one, and its databases {2}, so there is nothing to restore. "
            "Remedy: name another release.".format(
                stack, target.id, "have the schemas it was verified with" if verdict.schema == "same" else "are not known"
            )
        )
    if verdict.schema == "same" or schema == "keep":
        return []
    if schema == "restore" and verdict.dumps:
        return [
            {key: entry["dump"][key] for key in ("path", "service", "database", "user", "taken")}
            for entry in verdict.dumps
        ]
    raise StackError(_refusal(stack, target, verdict, schema))


def _refusal(stack: str, target: Release, verdict: Verdict, schema: str) -> str:
    lines = [
        "stack {0}: release {1} (verified {2}) does not fit the databases as they are, as far as is known: {3}.".format(
            stack, target.id, target.verified, verdict.why
        )
        if verdict.schema == "unknown"
        else "stack {0}: release {1} (verified {2}) does not fit the databases as they are: {3}.".format(
            stack, target.id, target.verified, verdict.why
        ),
        "-e schema=keep runs its old code on the databases as they are now: right when the old code can work with the "
        "new schema.",
    ]
    if verdict.dumps:
        lines.append(
            "-e schema=restore brings back the dump of {0} ({1}). What was written since is not in it; today's database "
            "is not deleted, it is put aside as another database.".format(
                verdict.dump_taken,
                ", ".join("{service}/{database}".format(**entry["dump"]) for entry in verdict.dumps),
            )
        )
    else:
        lines.append(
            "schema=restore is not available: {0}.".format(
                "no dump on the host has the schema of {0} that the release was verified with".format(
                    ", ".join(verdict.databases)
                )
                if verdict.databases
                else "without knowing its schemas no dump can be told to fit"
            )
        )
    remedy = "choose one of the two" if verdict.dumps else "add -e schema=keep if that is right, or roll forward"
    return "\n".join(lines + ["Remedy: {0}. Nothing was changed.".format(remedy)])


def _present(names: t.Iterable[str], releases: t.Iterable[Release], now: Schema) -> t.Dict[str, str]:
    """The schemas of now: of a server that does not answer, as last known. One that answers tells of all it has."""
    answered = {name.partition("/")[0] for name in now}
    present = last_known(releases)
    present.update({name: "" for name in names if name.partition("/")[0] in answered})
    return dict(present, **now)


def last_known(releases: t.Iterable[Release]) -> t.Dict[str, str]:
    """The schemas as steps and verifications last saw them. A step whose end nobody saw may have moved any."""
    seen: t.List[t.Tuple[str, bool, Schema]] = []
    for release in releases:
        seen.append((release.verified, True, release.schema or {}))
        for entry in _standing(release):
            seen.append((entry.get("ended") or entry["started"], bool(entry.get("ended")), entry.get("schema_after") or {}))
    known: t.Dict[str, str] = {}
    for _time, ended, schema in sorted(seen, key=lambda one: one[:2]):
        known = dict(known, **schema) if ended else {}
    return known


def _moved_by(name: str, target: Release, releases: t.Iterable[Release]) -> str:
    movers = []
    for release in releases:
        for entry in _standing(release):
            before, after = ((entry.get(key) or {}).get(name) for key in ("schema_before", "schema_after"))
            if entry["started"] >= target.verified and before != after and (after or not entry.get("ended")):
                movers.append((entry["started"], entry["step"], release.id))
    by = ["step {1} of release {2} at {0}".format(*mover) for mover in sorted(movers)]
    return "the schema of {0} is another one since, {1}".format(
        name, "by " + ", ".join(by) if by else "and by no step that is recorded on the host"
    )


def _untold(target: Release, releases: t.Iterable[Release]) -> t.List[str]:
    """Steps since then of which nothing tells what they did to a database: there may be one that is not PostgreSQL."""
    return [
        "step {0} of release {1} ran at {2}, and no database could be asked what that did to it (for a step that "
        "touches no schema declare schema: none)".format(entry["step"], release.id, entry["started"])
        for release in releases
        for entry in _standing(release)
        if entry["started"] >= target.verified
        and entry.get("schema_before") is None
        and entry.get("schema_after") is None
        and any(step["name"] == entry["step"] and step.get("schema") != "none" for step in release.record.get("steps", []))
    ]


def _standing(release: Release) -> t.List[Entry]:
    """The entries of what no restored database has lost."""
    return [entry for entry in release.ledger if not entry.get("undone")]


def _fitting_dumps(names: t.Sequence[str], schema: Schema, releases: t.Iterable[Release]) -> t.List[Entry]:
    """The newest dump for each of the names that has its schema; none at all unless there is one for each."""

    def covers(entry: Entry, name: str) -> bool:
        return name in ("{service}/{database}".format(**entry["dump"]), "command:" + entry["step"])

    def fits(entry: Entry) -> bool:
        before = entry.get("schema_before") or {}
        return all(before.get(name) == schema[name] for name in names if covers(entry, name))

    dumped = [entry for release in releases for entry in release.ledger if entry.get("dump") and fits(entry)]
    dumped.sort(key=lambda entry: entry["dump"]["taken"], reverse=True)
    chosen: t.Dict[t.Tuple[str, str], Entry] = {}
    for name in names:
        entry = next((entry for entry in dumped if covers(entry, name)), None)
        if entry is None:
            return []
        chosen.setdefault((entry["dump"]["service"], entry["dump"]["database"]), entry)
    return list(chosen.values())


def _newest_first(releases: t.Iterable[Release]) -> t.List[Release]:
    return sorted(releases, key=lambda release: (release.verified, release.id), reverse=True)
