# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be reached from outside: what the current releases of the host publish, and what the host itself may show.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import is_wildcard
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import Settings
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Opening
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore, released_stacks
from ansible_collections.portside.stack.plugins.module_utils._rendered_ports import rendered_ports


def own_openings(settings: Settings) -> t.List[Opening]:
    """The ports that the host itself may show."""
    return [Opening(one["protocol"], one["port"], one["port"], one["reason"], "", tuple(one["sources"])) for one in settings.open]


def published(stack: str, definition: t.Mapping[str, t.Any]) -> t.List[Opening]:
    """The ports of a rendered definition that are for others than this host.

    A port whose number the engine is to choose is none of them: nobody can know which one to let in.
    """
    found = []
    for name, service in sorted((definition.get("services") or {}).items()):
        for port in rendered_ports(service):
            if port.last and port.public:
                at = "" if is_wildcard(port.address) else port.address
                found.append(Opening(port.protocol, port.first, port.last, "{0} of {1}".format(name, stack), at))
    return found


def current_openings(stack_root: str) -> t.List[Opening]:
    """What the current release of each stack on the host publishes."""
    found: t.List[Opening] = []
    for name in released_stacks(stack_root):
        store = ReleaseStore("{0}/{1}".format(stack_root, name))
        found += published(name, store.read(store.current())["definition"])
    return found
