# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks by a program in a service's container: any command, or Celery's own question to its workers.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ansible_collections.portside.stack.plugins.module_utils._check_model import Check
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

# How long Celery waits for answers: always as long, for it does not know how many will come.
_CELERY_WAITS = "1"
_PONG = re.compile(r"\"ok\": *\"pong\"")


def probe_command(check: Check, world: World, until: float) -> None:
    """Raises Objection unless the command ends well, and writes what is asked for."""
    options = check.options
    ran = world.containers.execute(options["service"], options["command"], until)
    if ran.code:
        raise Objection("exit code {0}, output".format(ran.code), _end(ran.output))
    if "output" in options and not re.search(options["output"], ran.output):
        raise Objection("the output does not match {0!r}".format(options["output"]), _end(ran.output))


def probe_celery(check: Check, world: World, until: float) -> None:
    """Raises Objection unless enough workers answer."""
    service, wanted = check.options["celery"], check.options["workers"]
    argv = ["celery", "-A", check.options["app"], "inspect", "ping", "--timeout", _CELERY_WAITS, "--json"]
    ran = world.containers.execute(service, argv, until)
    answered = len(_PONG.findall(ran.output))
    if answered >= wanted:
        return
    remedy = "see the logs of {0}, and whether its workers reach the broker".format(service)
    if answered:
        raise Objection("{0} of {1} workers answer".format(answered, wanted), remedy=remedy)
    raise Objection("no worker answers, exit code {0}, output".format(ran.code), _end(ran.output), remedy)


def _end(output: str) -> str:
    """The last lines: what went wrong is said at the end."""
    return "\n".join(output.strip().splitlines()[-3:])
