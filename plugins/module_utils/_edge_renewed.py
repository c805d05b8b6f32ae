# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has an edge serve the certificate that certbot has renewed.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, read_containers
from ansible_collections.portside.stack.plugins.module_utils._edge_activate import Edge
from ansible_collections.portside.stack.plugins.module_utils._edge_server import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._reconcile import when_free
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore


def serve_renewed(
    store: ReleaseStore,
    lock: StackLock,
    engine: EngineClient,
    run: Run,
    clock: Clock,
    network: HostNetwork,
    tell: t.Callable[[str], None],
) -> None:
    """Once no run is at work: what is current then is what counts. Raises StackError."""
    when_free(
        store,
        lock,
        engine,
        clock,
        "certificate",
        tell,
        lambda: _serve(store, engine, run, clock, network, tell),
    )


def _serve(
    store: ReleaseStore,
    engine: EngineClient,
    run: Run,
    clock: Clock,
    network: HostNetwork,
    tell: t.Callable[[str], None],
) -> None:
    current = store.current()
    definition = store.read(current)["definition"] if current else {}
    tls = ((definition.get("x-portside") or {}).get("edge") or {}).get("tls") or {}
    if tls.get("kind") != "acme":
        tell("stack {0}: its current release has no certificate that certbot renews".format(store.stack))
        return
    edge = Edge(definition, store.compose_file(current), store.directory, engine, run, clock, network, tell)
    renewed = edge.renewed(read_containers(engine, store.stack, clock.time()))
    tell("stack {0}: release {1}: {2}".format(store.stack, current, "serves the new certificate" if renewed else "all is well"))
