# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what becomes reachable between deploys, and what is so no more: each of it once, until the next boot.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import HIGH, Finding
from ansible_collections.portside.stack.plugins.module_utils._exposure_text import since
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, write_json
from ansible_collections.portside.stack.plugins.module_utils._webhook import read_webhook

TOLD = "/run/portside/exposure.told"
# How the journal of systemd reads the priority of a line.
_ERROR, _WARNING, _NOTICE = "<3>", "<4>", "<5>"

Findings = t.Dict[str, Finding]


class Seen(t.NamedTuple):
    """What a look at the host came to. ``engine`` tells whether one answered."""

    engine: bool
    violations: t.List[Finding]


class Watch(t.NamedTuple):
    """What is asked and told. ``busy`` are the stacks that a run is at work on."""

    fs: FileSystem
    look: t.Callable[[], Seen]
    busy: t.Callable[[], t.Set[str]]
    tell: t.Callable[[str], None]
    post: t.Callable[[str, t.Any], None]
    host: str
    root: str = ""


class State(t.NamedTuple):
    """What was told so far. The webhook has its own, as it may not have been reached."""

    engine: bool = False
    journal: Findings = {}
    webhook: Findings = {}


def report(watch: Watch) -> None:
    """Look once, and tell what changed since the last time."""
    before = _read(watch)
    # Before and after: a run may begin or end meanwhile.
    busy = watch.busy()
    seen = watch.look()
    busy |= watch.busy()
    if before.engine and not seen.engine:
        # It is restarted perhaps. Without it nobody knows which sockets are a container's.
        watch.tell(_WARNING + "exposure: the engine does not answer any more; what is reachable is judged without it the next time.")
        _write(watch, before, before._replace(engine=False))
        return
    found = {identity(one): one for one in seen.violations}
    now = State(seen.engine, _settled(found, before.journal, busy), before.webhook)
    for line in _lines(*_changes(now.journal, before.journal)):
        watch.tell(line)
    # At once: whatever becomes of the webhook, the journal has it.
    _write(watch, before, now)
    _write(watch, now, now._replace(webhook=_posted(watch, _settled(found, before.webhook, busy), before.webhook)))


def identity(found: Finding) -> str:
    """What stays the same of a violation from look to look: a process that was started again is no other one."""
    return "{0}: {1}".format(found["rule"], re.sub(r"\(pid \d+", "(pid", found["what"]))


def _settled(found: Findings, known: Findings, busy: t.Container[str]) -> Findings:
    """What counts: of a stack that a run is at work on, what was known before, as that run is not over."""
    counting = {key: one for key, one in found.items() if one["stack"] not in busy}
    counting.update({key: one for key, one in known.items() if one["stack"] in busy})
    return counting


def _changes(now: Findings, known: Findings) -> t.Tuple[t.List[Finding], t.List[Finding]]:
    """What is new, and what is gone."""
    return [now[key] for key in now if key not in known], [known[key] for key in known if key not in now]


def _lines(new: t.Iterable[Finding], gone: t.Iterable[Finding]) -> t.Iterator[str]:
    """A line for each; processes choose their names, and there may be line breaks in them."""
    for one in new:
        priority = _ERROR if one["severity"] == HIGH else _WARNING
        text = "{0}: {1}{2} Why: {3} Remedy: {4}".format(one["rule"], one["what"], since(one), one["why"], one["remedy"])
        yield priority + "exposure: " + " ".join(text.split())
    for one in gone:
        yield _NOTICE + "exposure: no more: " + " ".join("{0}: {1}".format(one["rule"], one["what"]).split())


def _posted(watch: Watch, now: Findings, known: Findings) -> Findings:
    """What the webhook knows by now; what it was not told, it is told the next time."""
    url = read_webhook(watch.fs, watch.root)
    if not url:
        return {}
    new, gone = _changes(now, known)
    if new or gone:
        try:
            watch.post(url, {"host": watch.host, "violations": new, "gone": gone})
        except StackError as error:
            watch.tell("{0}exposure: {1}. It is told again the next time.".format(_WARNING, error))
            return known
    return now


def _read(watch: Watch) -> State:
    path = watch.root + TOLD
    try:
        return State(**json.loads(watch.fs.read(path).decode("utf-8"))) if watch.fs.lstat(path) else State()
    except (ValueError, TypeError):
        return State()  # another version wrote it


def _write(watch: Watch, before: State, now: State) -> None:
    if now != before:
        os.makedirs(os.path.dirname(watch.root + TOLD), mode=0o755, exist_ok=True)
        write_json(watch.fs, watch.root + TOLD, now._asdict())
