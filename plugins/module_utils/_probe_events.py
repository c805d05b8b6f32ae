# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of a stream of server-sent events: its first event that is asked for.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure
from ansible_collections.portside.stack.plugins.module_utils._probe_connection import asked
from ansible_collections.portside.stack.plugins.module_utils._probe_http import read_body
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

_TYPE = "text/event-stream"
# Of a line or an event that never ends.
_LONGEST = 1 << 20


class EventReader:
    """The data of each event, from the bytes of a stream in whatever pieces they come."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: t.List[bytes] = []
        self._begun = self._returned = False

    def feed(self, data: bytes) -> t.List[str]:
        """The events that are complete with these bytes."""
        if not data:
            return []
        if self._returned and data[:1] == b"\n":
            # The other half of the end of a line, which ended with its first.
            data = data[1:]
        self._returned = data.endswith(b"\r")
        lines = re.split(rb"\r\n|\r|\n", self._rest + data)
        self._rest = lines.pop()
        events = []
        for line in lines:
            if not self._begun:
                self._begun = True
                line = line[3:] if line.startswith(b"\xef\xbb\xbf") else line
            if not line and self._data:
                events.append(b"\n".join(self._data).decode("utf-8", "replace"))
                self._data = []
            name, _colon, value = line.partition(b":")
            if name == b"data":
                self._data.append(value[1:] if value[:1] == b" " else value)
        return events

    @property
    def held(self) -> int:
        """How many bytes wait for their end."""
        return len(self._rest) + sum(len(line) for line in self._data)


def probe_events(check: Check, world: World, until: float) -> None:
    """Raises Objection unless an event comes whose data match."""
    with asked(check, world, until, "GET", {"Accept": _TYPE, **check.options["headers"]}) as answer:
        if answer.status != 200:
            raise Objection("status {0} instead of 200, body".format(answer.status), read_body(answer))
        if answer.headers.get_content_type() != _TYPE:
            raise Objection("it is {0}, and no {1}".format(answer.headers.get_content_type(), _TYPE))
        reader, seen, last = EventReader(), 0, ""
        try:
            while reader.held <= _LONGEST:
                data = answer.read1(65536)
                if not data:
                    break
                for event in reader.feed(data):
                    if re.search(check.options["event"], event):
                        return
                    seen, last = seen + 1, event
        except Failure as error:
            if error.outcome != "timeout":
                raise
            ended = "within {0:.1f} s".format(check.timeout)
        else:
            ended = "before the stream ended" if reader.held <= _LONGEST else "before a line that is too long"
    if not seen:
        raise Objection("the stream is there, but no event came {0}".format(ended))
    raise Objection("none of {0} that came {1} matches {2!r}, the last".format(seen, ended, check.options["event"]), last)
