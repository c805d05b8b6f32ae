# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an audit: what was read of a host in, what is to be told out.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._audit_findings import container_findings, waived
from ansible_collections.portside.stack.plugins.plugin_utils._audit_html import index_page, page
from ansible_collections.portside.stack.plugins.plugin_utils._audit_reachable import RANKS, host_findings, reach_findings, rows
from ansible_collections.portside.stack.plugins.plugin_utils._audit_routes import route_findings
from ansible_collections.portside.stack.plugins.plugin_utils._audit_text import as_text

Mapping = t.Mapping[str, t.Any]
Report = t.Dict[str, t.Any]

SEVERITIES = RANKS[:3]
# Of a container, what a report has.
_CONTAINER = ("name", "stack", "service", "image", "tag", "running", "status", "health", "restarts", "memory", "privileged", "sockets", "secrets")


def audit_report(facts: t.Any) -> Report:
    """The report as data, and as it is read: on a terminal, by programs, in a browser."""
    for key in ("host", "when", "exposure", "audit"):
        if not isinstance(facts, dict) or not facts.get(key):
            raise StackError("audit_report wants a mapping with {0!r}. Remedy: see ansible-doc -t filter portside.stack.audit_report.".format(key))
    report = build(facts)
    return {"report": report, "text": as_text(report), "json": json.dumps(report, indent=2, sort_keys=True) + "\n", "html": page(report)}


def audit_index(reports: t.Any) -> str:
    """The page that leads to those of several hosts; each report has the name of its page."""
    return index_page(sorted(reports, key=lambda one: one["report"]["host"]))


def build(facts: Mapping) -> Report:
    """The report as data, in an order that does not change with what it was read from."""
    exposure, audit, probe = facts["exposure"], facts["audit"], facts.get("probe") or {}
    reachable = rows(exposure, probe)
    of_routes, routes, unseen = route_findings(audit)
    every = [*reach_findings(reachable), *host_findings(exposure), *container_findings(audit["containers"]), *of_routes]
    kept, accepted = waived(every, exposure.get("waived") or ())
    findings = sorted(kept, key=_order)
    probed = list(probe.get("not_checked") or ()) if probe else ["From outside nothing was tried."]
    return {
        "host": facts["host"],
        "when": facts["when"],
        "summary": {severity: sum(one["severity"] == severity for one in findings) for severity in SEVERITIES},
        "engine": exposure["engine"]["version"],
        "addresses": [one for family in ("ipv4", "ipv6") for one in exposure["addresses"][family]],
        "reachable": reachable,
        "findings": findings,
        "routes": sorted(routes, key=lambda one: one["place"]),
        "containers": sorted(({key: one[key] for key in _CONTAINER} for one in audit["containers"]), key=lambda one: one["name"]),
        "waived": sorted(accepted, key=_order),
        "not_seen": list(dict.fromkeys([*exposure["unseen"], *audit["unseen"], *unseen, *probed, *(facts.get("not_seen") or ())])),
    }


def _order(one: Mapping) -> t.Tuple[t.Any, ...]:
    section = _SECTIONS.index(one["rule"]) if one["rule"] in _SECTIONS else len(_SECTIONS)
    return SEVERITIES.index(one["severity"]), section, one["rule"], one["subject"], one["what"]


# Within a severity: first what strangers reach, then what they could do from there, then what does not work.
_SECTIONS = tuple("open_admin open_database open_files open_metrics open_port docker_socket privileged host_control visible_secret dead_route".split())
