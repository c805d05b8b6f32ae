# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is clean, drifted or broken, from all that was looked at; and the report of it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

Mapping = t.Mapping[str, t.Any]

CLEAN, DRIFTED, BROKEN = "clean", "drifted", "broken"
_WORDS = {
    CLEAN: "what runs is what was released, is well, and is reached by whom it was declared for",
    DRIFTED: "it serves, and is not what was declared",
    BROKEN: "users are affected, or nobody can tell",
}
# A declared port that is not reached is somebody's outage; one that is reached and was not declared is not.
_OUTAGES = ("missing", "not_reachable_from_outside")


class Finding(t.NamedTuple):
    """One thing to put right."""

    broken: bool
    subject: str
    what: str
    remedy: str

    def lines(self) -> t.List[str]:
        return ["  [{0}] {1}: {2}".format(BROKEN if self.broken else "differs", self.subject, self.what), "    Remedy: {0}".format(self.remedy)]


class Verdict(t.NamedTuple):
    """``name`` is clean, drifted or broken; ``lines`` is the whole report."""

    name: str
    summary: str
    findings: t.List[Finding]
    lines: t.List[str]


def verdict(host: str, drift: Mapping, checks: t.Sequence[Mapping], exposure: Mapping, probed: Mapping) -> Verdict:
    """The verdict on a host from the results of stack_drift, of health_check by stack, of port_exposure_info and of port_probe.

    One that has not what it is asked for failed: what nobody knows of the stacks themselves counts as broken.
    """
    findings = [*_of_drift(drift), *_of_checks(checks), *_of_exposure(exposure), *_of_probe(probed)]
    findings.sort(key=lambda one: not one.broken)
    broken = sum(one.broken for one in findings)
    name = BROKEN if broken else DRIFTED if findings else CLEAN
    counts = "{0} broken, {1} other differences".format(broken, len(findings) - broken) if findings else "no difference"
    summary = "{0}: {1}: {2} ({3})".format(host, name.upper(), _WORDS[name], counts)
    lines = [summary]
    for finding in findings:
        lines += finding.lines()
    for stack in drift.get("stacks") or ():
        lines.append("stack {0}: release {1}, {2}".format(stack["name"], stack["release"] or "none", _checked(stack, checks)))
        if stack["under_way"]:
            lines.append("  Somebody works on it at this moment ({0}), so that it may differ for now.".format(stack["under_way"]))
    lines += ["", *str(exposure.get("text") or "").splitlines(), *str(probed.get("text") or "").splitlines()]
    return Verdict(name, summary, findings, lines)


def _of_drift(drift: Mapping) -> t.Iterator[Finding]:
    if "differences" not in drift:
        yield Finding(True, "host", "what differs could not be looked at: {0}".format(_reason(drift)), "mend that, and verify again")
    for one in drift.get("differences") or ():
        named = filter(None, (one["stack"] and "stack " + one["stack"], one["service"] and "service " + one["service"]))
        yield Finding(one["broken"], ": ".join(named) or "host", one["what"], one["remedy"])


def _of_checks(checks: t.Sequence[Mapping]) -> t.Iterator[Finding]:
    for result in checks:
        subject = "stack {0}".format(result["item"])
        if "not_passed" not in result:
            yield Finding(True, subject, "its checks could not be made: {0}".format(_reason(result)), "mend that, and verify again")
        for one in result.get("not_passed") or ():
            yield Finding(True, subject, "check {0}: {1}".format(one["name"], one["what"]), one["remedy"])


def _of_exposure(exposure: Mapping) -> t.Iterator[Finding]:
    if "violations" not in exposure:
        yield Finding(False, "host", "who is reachable could not be judged: {0}".format(_reason(exposure)), "mend that, and verify again")
    for one in exposure.get("violations") or ():
        yield _violation(one, one["rule"] in _OUTAGES)


def _of_probe(probed: Mapping) -> t.Iterator[Finding]:
    # It is not tried where nobody knows what is to be tried.
    if "violations" not in probed and not probed.get("skipped"):
        yield Finding(False, "host", "its ports could not be tried from here: {0}".format(_reason(probed)), "mend that, and verify again")
    for one in probed.get("violations") or ():
        yield _violation(one, one["rule"] in _OUTAGES)


def _violation(one: Mapping, broken: bool) -> Finding:
    return Finding(broken, "exposure", "{0} {1}".format(one["what"], one["why"]), one["remedy"])


def _checked(stack: Mapping, checks: t.Sequence[Mapping]) -> str:
    if not stack["checks"]:
        return "no checks are declared"
    wrong = [len(one.get("not_passed") or ()) for one in checks if one["item"] == stack["name"] and "not_passed" in one]
    return "{0} of {1} checks pass".format(stack["checks"] - wrong[0], stack["checks"]) if wrong else "its checks were not made"


def _reason(result: Mapping) -> str:
    return str(result.get("msg") or "no reason was given").strip().rstrip(".")
