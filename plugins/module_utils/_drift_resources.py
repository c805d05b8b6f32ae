# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks and volumes of a stack, as they are on its host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation
from ansible_collections.portside.stack.plugins.module_utils._drift_model import Drift

Mapping = t.Mapping[str, t.Any]

# Compose's key, the engine's, and what leaving the key out means.
_KEYS = {
    "network": (("driver", "Driver", "bridge"), ("internal", "Internal", False), ("enable_ipv6", "EnableIPv6", False)),
    "volume": (("driver", "Driver", "local"),),
}
# No deploy alters one: what is on it would go.
_REMEDIES = {
    "network": "declare it as it is; or take the stack off its host (playbooks/remove.yml, volumes stay) and run site.yml",
    "volume": "declare it as it is; or give the volume another name and move the data",
}


def resource_drift(found: Situation) -> t.List[Drift]:
    """What is missing, has other options, or another owner than the one declared."""
    made = found.definition.get("x-portside") or {}
    drift: t.List[Drift] = []
    for kind, present in (("network", found.networks), ("volume", found.volumes)):
        for name, body in (made.get(kind + "s") or {}).items():
            if name in present:
                drift += _options(found.stack, kind, name, body or {}, present[name])
            else:
                drift.append(Drift(found.stack, "", kind, "{0} {1} is missing".format(kind, name), name, "none", broken=True))
    for name, problem in found.absent_externals.items():
        kind = "network" if " network {0} ".format(name) in problem else "volume"
        what = "{0} {1}, which is declared external, is missing".format(kind, name)
        drift.append(Drift(found.stack, "", kind, what, name, "none", problem.partition("Remedy: ")[2].rstrip("."), True))
    for place in found.places:
        if place.found is not None:
            texts = str(place.wanted), str(place.found)
            what = "{0} {1} has {3} instead of {2}".format(place.kind, place.name, *texts)
            drift.append(Drift(found.stack, "", "volume" if place.kind == "volume" else "file", what, *texts))
        elif place.kind != "volume":
            drift.append(Drift(found.stack, "", "file", "directory {0} is missing".format(place.name), str(place.wanted), "none"))
    return drift


def _options(stack: str, kind: str, name: str, body: Mapping, present: Mapping) -> t.List[Drift]:
    pairs = [(key, body.get(key) or default, present.get(theirs) or default) for key, theirs, default in _KEYS[kind]]
    there = present.get("Options") or {}
    # The engine adds some of its own.
    pairs += [(key, str(value), there.get(key, "none")) for key, value in (body.get("driver_opts") or {}).items()]
    return [
        Drift(
            stack,
            "",
            kind,
            "{0} {1} has {2} {4} instead of {3}".format(kind, name, key, declared, found),
            str(declared),
            str(found),
            _REMEDIES[kind],
        )
        for key, declared, found in pairs
        if declared != found
    ]
