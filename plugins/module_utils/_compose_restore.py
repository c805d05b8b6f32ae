# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An activation that leaves a stack either on the new release or on the one before, whoever watches.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_report import ActivationFailed, error_text
from ansible_collections.portside.stack.plugins.module_utils._compose_source import Source, of_release
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore

_NEITHER = "The stack is between two releases. Remedy: correct the cause, then deploy again or roll back."


class Outcome(t.NamedTuple):
    """How it went: the release that serves now, empty for nothing at all, none when neither came about.

    ``text`` says it, ``services`` are their states where anything was done about them.
    """

    release: t.Optional[str]
    text: str
    services: t.Optional[t.Dict[str, t.Any]] = None


def present_or_restored(
    stack: StackOnHost,
    source: Source,
    store: ReleaseStore,
    undisturbed: t.Callable[[Source], StackOnHost],
) -> t.Dict[str, t.Any]:
    """Activate a release; if that fails once it has begun, activate the current one again, then raise.

    ``undisturbed`` makes the stack of a definition on the same host, which heeds no signal any more.
    """
    try:
        return stack.present()
    except (StackError, OSError) as error:
        if not stack.began:
            raise
        outcome = _restored(source, store, undisturbed, stack.tell)
        raise _with(outcome, error, stack.stack) from error


def _restored(
    source: Source, store: ReleaseStore, undisturbed: t.Callable[[Source], StackOnHost], tell: t.Callable[[str], None]
) -> Outcome:
    try:
        current = store.current()
        previous = of_release(store, current) if current else source
    except (StackError, OSError) as error:
        return Outcome(None, "What served before could not be brought back: " + error_text(store.stack, error))
    if current == source.release:
        return Outcome(None, "")
    tell("failed; {0}, no signal is heeded meanwhile".format("back to " + current if current else "removes all of it"))
    try:
        stack = undisturbed(previous)
        return _brought_back(current, stack.present()) if current else _removed(stack)
    except (StackError, OSError) as error:
        what = "Release {0} could not be brought back".format(current) if current else "Not all of it could be removed"
        why = error.story if isinstance(error, ActivationFailed) else error_text(store.stack, error)
        return Outcome(None, "{0}: {1}\n{2}".format(what, why, _NEITHER), {})


def _brought_back(release: str, result: t.Mapping[str, t.Any]) -> Outcome:
    done = ", ".join("{service} ({action})".format(**action) for action in result["actions"])
    what = done or "nothing of it had to be changed"
    return Outcome(release, "Release {0} is active again: {1}.".format(release, what), result["services"])


def _removed(stack: StackOnHost) -> Outcome:
    stack.absent()
    volumes = stack.volumes()
    kept = "its volumes {0} stay".format(", ".join(volumes)) if volumes else "it has no volumes"
    return Outcome("", "Nothing of it runs any more, as there was no release before it; {0}.".format(kept), {})


def _with(outcome: Outcome, error: Exception, stack: str) -> ActivationFailed:
    """The error of the activation, complete as it was, and how the restoration went."""
    failed = error if isinstance(error, ActivationFailed) else ActivationFailed(error_text(stack, error), "")
    details = dict(failed.details, restored=outcome.release)
    aftermath = failed.aftermath
    if outcome.services is not None:
        # What the activation left is not there any more.
        details["services"] = outcome.services
        aftermath = "Remedy: correct the cause and deploy again." if failed.details else ""
    return ActivationFailed(failed.story, "\n".join(filter(None, (aftermath, outcome.text))), details)
