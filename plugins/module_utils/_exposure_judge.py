# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging who is reachable on a host: facts and declarations in, findings out.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _exposure_engine_rules as of_engine
from ansible_collections.portside.stack.plugins.module_utils import _exposure_network_rules as of_networks
from ansible_collections.portside.stack.plugins.module_utils import _exposure_port_rules as of_ports
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import Declared
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import LOW, RULES, SEVERITIES, Facts, Finding
from ansible_collections.portside.stack.plugins.module_utils._exposure_reach import Situation

_JUDGES: t.Dict[str, t.Callable[[Situation], t.Iterator[Finding]]] = {
    rule: next(getattr(module, rule) for module in (of_ports, of_networks, of_engine) if hasattr(module, rule)) for rule in RULES
}


class Judgement(t.NamedTuple):
    """What came of judging: what has to be mended, what to know, and what somebody took on."""

    violations: t.List[Finding]
    notices: t.List[Finding]
    waived: t.List[Finding]


def findings(facts: Facts, declared: Declared) -> t.List[Finding]:
    """All that the rules have to say, in their order."""
    at = Situation(facts, declared)
    return [found for judge in _JUDGES.values() for found in judge(at)]


def judge(facts: Facts, declared: Declared) -> Judgement:
    """What is blocked by the firewall, or only perhaps wrong, is a warning."""
    judgement = Judgement([], [], [])
    for found in findings(facts, declared):
        reason = waiver_reason(found, declared.waivers)
        if reason:
            judgement.waived.append(dict(found, reason=reason))
        elif found["blocked"] or found["severity"] == LOW:
            judgement.notices.append(found)
        else:
            judgement.violations.append(found)
    for some in judgement:
        some.sort(key=lambda found: SEVERITIES.index(found["severity"]))
    return judgement


def waiver_reason(found: Finding, waivers: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Why a finding is accepted; empty when nobody said so.

    A stack waives for its own services alone. The host waives for a container or a process by name, or as a whole.
    """
    for waiver in waivers:
        named = [key for key in ("service", "container", "process") if key in waiver]
        of_stack = waiver["stack"]
        if (
            waiver["rule"] == found["rule"]
            and (not of_stack or of_stack == found["stack"])
            and all(waiver[key] == found[key] for key in named)
        ):
            return waiver.get("reason") or "no reason given"
    return ""
