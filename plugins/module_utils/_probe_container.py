# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of what the engine says of a service's containers.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._compose_model import container_of
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World


def probe_container(check: Check, world: World, until: float) -> None:
    """Raises Objection unless every container runs, and is healthy where it has a healthcheck."""
    service = check.options["container"]
    for data in world.containers.of(service, until):
        container = container_of(data, world.today())
        remedy = "see its log (docker logs {0})".format(container.name)
        if container.state != "running":
            restarts = ", after {0} restarts".format(container.restarts) if container.restarts else ""
            said = "container {0} is {1} with exit code {2}{3}".format(container.name, container.state, container.exit_code, restarts)
            raise Objection(said, container.error or None, remedy)
        if container.health == "starting":
            raise Objection("container {0} is not healthy yet".format(container.name), container.probe or None, remedy)
        if container.health not in (None, "healthy"):
            said = "container {0} is {1}, {2} times in a row".format(container.name, container.health, container.failed_probes)
            raise Objection(said, container.probe, remedy)
