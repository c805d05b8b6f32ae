# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for what happens to the containers of a host, and has them looked at then, and every minute.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_STACK
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._engine_events import EventStream
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._heal_outbox import Outbox
from ansible_collections.portside.stack.plugins.module_utils._heal_work import Healer

# The runs of healthchecks themselves are not among them.
FILTERS = {"type": ["container"], "event": ["health_status", "start", "die", "oom"], "label": [LABEL_STACK]}
# An engine that is restarted is back soon.
_AGAIN = 2.0
# What happens at once is looked at together.
_TOGETHER = 0.5


def heal(
    healer: Healer,
    outbox: Outbox,
    engine_of: t.Callable[[], EngineClient],
    events_of: t.Callable[[EngineClient], EventStream],
    clock: Clock,
    tell: t.Callable[[str], None],
    renewed: t.Callable[[], bool],
) -> None:
    """Heal until the program itself is another one, whatever becomes of the engine meanwhile.

    Each time the engine is back it is asked anew which version it speaks: it may be another one.
    """
    told = ""
    while not renewed():
        try:
            engine = engine_of()
            # Before the first look, so that nothing happens between the two unseen.
            with contextlib.closing(events_of(engine)) as events:
                pause = healer.turn(engine)
                told = ""
                while not renewed():
                    outbox.send()
                    if _happened(events, pause, healer):
                        clock.sleep(_TOGETHER)
                    pause = healer.turn(engine)
        except StackError as error:
            if str(error) != told:
                told = str(error)
                tell("<5>heal: it is tried again until that is over: {0}".format(" ".join(told.split())))
            clock.sleep(_AGAIN)


def _happened(events: EventStream, pause: float, healer: Healer) -> bool:
    """Whether anything did within the pause."""
    happened = events.wait(pause)
    for one in happened:
        if one.get("Action") == "oom":
            healer.ran_out_of_memory((one.get("Actor") or {}).get("ID", ""))
    return bool(happened)
