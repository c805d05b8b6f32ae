# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which probe makes a check, by its kind.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure
from ansible_collections.portside.stack.plugins.module_utils._probe_command import probe_celery, probe_command
from ansible_collections.portside.stack.plugins.module_utils._probe_container import probe_container
from ansible_collections.portside.stack.plugins.module_utils._probe_events import probe_events
from ansible_collections.portside.stack.plugins.module_utils._probe_http import probe_http
from ansible_collections.portside.stack.plugins.module_utils._probe_postgresql import probe_postgresql
from ansible_collections.portside.stack.plugins.module_utils._probe_redis import probe_queue, probe_redis
from ansible_collections.portside.stack.plugins.module_utils._probe_tcp import probe_tcp
from ansible_collections.portside.stack.plugins.module_utils._probe_websocket import probe_websocket
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World, objection_of

# Each raises Objection unless the check passes until a moment of the network's clock.
PROBES: t.Dict[str, t.Callable[[Check, World, float], None]] = {
    "http": probe_http,
    "websocket": probe_websocket,
    "events": probe_events,
    "tcp": probe_tcp,
    "container": probe_container,
    "command": probe_command,
    "postgresql": probe_postgresql,
    "redis": probe_redis,
    "celery": probe_celery,
    "queue": probe_queue,
}


def attempt(check: Check, world: World, timeout: float) -> None:
    """One try of a check. Raises Objection unless it passes."""
    try:
        PROBES[check.kind](check, world, world.network.now() + timeout)
    except Objection:
        raise
    except Failure as error:
        raise objection_of(error, timeout) from error
    except Exception as error:  # whatever a server made of its answers: it is one more failing try; no text of it, it may quote a secret
        raise Objection("its answer could not be read ({0})".format(type(error).__name__)) from error
