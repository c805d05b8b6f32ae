# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the webhook of a host is told of healing. Whatever becomes of that, nobody waits for it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

AGAIN = 60.0
# Should it not be reached for days.
_MOST = 200

Entry = t.Dict[str, t.Any]


class Outbox:
    """The entries that the webhook was not told yet. ``begin`` has work done beside this."""

    def __init__(
        self,
        host: str,
        url: t.Callable[[], str],
        post: t.Callable[[str, t.Any], None],
        clock: Clock,
        tell: t.Callable[[str], None],
        begin: t.Callable[[t.Callable[[], None]], None],
    ) -> None:
        self._host, self._url, self._post, self._clock, self._tell, self._begin = host, url, post, clock, tell, begin
        # Also what is posted beside this is put back here.
        self._waiting: t.Deque[Entry] = collections.deque(maxlen=_MOST)
        self._posting = False
        self._not_before = 0.0
        self._told = ""

    def add(self, entry: Entry) -> None:
        self._waiting.append(entry)

    def send(self) -> None:
        """Have it told what waits, unless that is just being tried, or was a moment ago."""
        if not self._waiting or self._posting or self._clock.monotonic() < self._not_before:
            return
        try:
            url = self._url()
        except StackError as error:
            self._failed(str(error))
            return
        entries = list(self._waiting)
        self._waiting.clear()
        if url:
            self._posting = True
            self._begin(lambda: self._posted(url, entries))

    def _posted(self, url: str, entries: t.List[Entry]) -> None:
        try:
            self._post(url, {"host": self._host, "healing": entries})
            self._told = ""
        except StackError as error:
            self._waiting.extendleft(reversed(entries))
            self._failed(str(error))
        finally:
            self._posting = False

    def _failed(self, why: str) -> None:
        self._not_before = self._clock.monotonic() + AGAIN
        if why != self._told:
            self._told = why
            self._tell("<4>heal: {0}. It is told again later.".format(why.rstrip(".")))
