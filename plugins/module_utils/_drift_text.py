# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences for people.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._drift_look import Stack
from ansible_collections.portside.stack.plugins.module_utils._drift_model import Drift


def text_of(stacks: t.Iterable[Stack], found: t.Sequence[Drift]) -> str:
    """A page: each stack with its differences, those of the host first."""
    lines = []
    for stack in stacks:
        lines.append("stack {0}: release {1}".format(stack.name, stack.release or "none"))
        if stack.under_way:
            lines.append("  Somebody works on it at this moment ({0}), so that it may differ for now.".format(stack.under_way))
    lines += ["What is on the host is what the releases say."] if not found else []
    for drift in sorted(found, key=lambda one: (not one.broken, one.stack, one.service)):
        lines.append("  [{0}] {1}: {2}".format("broken" if drift.broken else "differs", drift.subject, drift.what))
        lines.append("    Remedy: {0}".format(drift.remedy))
    return "\n".join(lines) + "\n"
