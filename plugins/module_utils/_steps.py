# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step of a release is, whether it is to run, and what to say when it fails.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._schema import Comparison

Entry = t.Mapping[str, t.Any]

# From here on it was a signal, but for 255, which programs use as well. Which one an engine that stops sends, or a host
# that reboots, is the image's choice; these are what a process does to itself: ILL, TRAP, ABRT, BUS, FPE, SEGV.
_BY_SIGNAL = 129
_OWN_FAULT = (132, 133, 134, 135, 136, 139)
_LOST = 255


class Dump(t.NamedTuple):
    """The database to dump before a step."""

    service: str
    database: str
    user: str


class Step(t.NamedTuple):
    """One command of a release; times are seconds."""

    name: str
    service: str
    command: t.List[str]
    when: str
    timeout: int
    rerun: bool
    check: t.Optional[t.List[str]]
    once: bool
    dump: t.Optional[Dump]
    schema: str
    schema_command: t.Optional[t.List[str]]


def step_of(data: t.Mapping[str, t.Any]) -> Step:
    """A step from the record of its release."""
    dump = data["dump"]
    return Step(**dict(data, dump=Dump(**dump) if dump else None))


def from_outside(code: int, watched: bool) -> bool:
    """Whether something ended a process with this exit code, rather than it itself.

    An engine answers 255 for what it has lost sight of; when it was ``watched`` to the end, that was the program's own.
    """
    if code == _LOST:
        return not watched
    return code >= _BY_SIGNAL and code not in _OWN_FAULT


def limit(steps: t.Sequence[Step], wait: int) -> int:
    """The seconds that steps may take: what they need, checks, dumps, schema commands, and one that is still running."""
    own = sum(wait + s.timeout * (1 + bool(s.check) + bool(s.dump) + 2 * bool(s.schema_command)) for s in steps)
    return own + max((s.timeout * (1 + bool(s.schema_command)) for s in steps), default=wait)


class Verdict(t.NamedTuple):
    """What to do about a step: run, ask (its check), refuse, already_ran or left_to_leader; and why."""

    action: str
    reason: str


def verdict(step: Step, own: t.Optional[Entry], latest: t.Optional[Entry], leader: bool) -> Verdict:
    """Judge a step by the last entry of its release, and by the last of any release of the stack.

    An entry without an end is one nobody saw end. It counts in whatever release it was: the step of a newer release
    works on what that one left.
    """
    if step.once and not leader:
        return Verdict("left_to_leader", "runs on the first host of the play alone")
    # What all hosts share another one may have worked on already, when it was the first.
    run = "ask" if step.once and step.check else "run"
    if own and own["ended"] and own["exit_code"] == 0:
        return Verdict("already_ran", "ran at {0}".format(own["ended"]))
    if latest and not latest["ended"]:
        why = "how it ended is not known, it was started at {0}".format(latest["started"])
        if step.rerun:
            return Verdict(run, why + "; it may run again")
        return Verdict("ask" if step.check else "refuse", why)
    if own:
        return Verdict(run, "failed at {0} with exit code {1}".format(own["ended"], own["exit_code"]))
    return Verdict(run, "has not run yet")


def unknown_text(stack: str, step: Step, entry: Entry) -> str:
    """The refusal of a step whose outcome nobody knows."""
    if entry["exit_code"] is None:
        known = "nothing is left of its container"
    else:
        known = "its container was ended from outside (exit code {0})".format(entry["exit_code"])
    return "\n".join(
        [
            "stack {0}: how the step {1} ended is not known. An earlier run started it in service "
            "{2} at {3}, and {4}.".format(stack, step.name, step.service, entry["started"], known),
            *_quoted("The last it said", entry["output"]),
            "Running it twice may do harm, so it is left to you, and was not started.",
            "Remedy: look at what it works on. If it may run again, run with -e rerun={0} this once, or declare "
            "rerun: true for it; or declare a command that exits with 0 when it is not needed any more (check: ...).".format(
                step.name
            ),
        ]
    )


def failure_text(
    stack: str, release: str, current: str, step: Step, what: str, entry: Entry, schema: Comparison
) -> str:
    """The error of a step that failed. ``what`` happened, ``current`` is the release that was good before."""
    lines = [
        "stack {0}: step {1} in service {2} {3}.".format(stack, step.name, step.service, what),
        *(_quoted("Its last output", entry["output"]) or ["It wrote nothing."]),
        _schema_text(step, schema),
    ]
    if entry["dump"]:
        lines.append("A dump from before it is kept: {0}".format(entry["dump"]))
    if step.when == "before" and current:
        lines.append("Release {0} serves on, its services were left as they were.".format(current))
    elif step.when == "after":
        lines.append("The services of release {0} run already.".format(release))
    lines.append("Remedy: correct the cause and deploy again; the step then runs again.")
    return "\n".join(lines)


def _schema_text(step: Step, schema: Comparison) -> str:
    if step.schema == "none":
        return "It is declared to leave every schema as it is."
    if schema.verdict == "moved":
        return "It left its mark: the schema of {0} is not what it was before.".format(", ".join(schema.names))
    if schema.verdict == "same":
        return "The schemas are as they were before ({0}).".format(", ".join(schema.names))
    return "Whether it moved a schema is not known: no database could be asked before and after it."


def _quoted(title: str, lines: t.Sequence[str]) -> t.List[str]:
    return [title + ":", *("  " + line for line in lines)] if lines else []
