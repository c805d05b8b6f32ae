# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host knows of its stacks as text for Prometheus, in its exposition format 0.0.4.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._metrics_requests import BUCKETS, Counted


class ServiceFacts(t.NamedTuple):
    """A service that is to run, as its worst container is."""

    stack: str
    service: str
    up: bool
    restarts: int


class CertificateFacts(t.NamedTuple):
    """A certificate that an edge serves."""

    stack: str
    names: t.Tuple[str, ...]
    until: float


class HostFacts(t.NamedTuple):
    """All that is told. ``healing`` is what the host's healer wrote, by STACK/SERVICE; ``requests`` too."""

    services: t.Sequence[ServiceFacts] = ()
    certificates: t.Sequence[CertificateFacts] = ()
    deploying: t.Mapping[str, bool] = {}
    healing: t.Mapping[str, t.Mapping[str, t.Any]] = {}
    requests: t.Mapping[str, Counted] = {}


_Labels = t.Mapping[str, str]
_Sample = t.Tuple[str, _Labels, float]


def metrics_text(facts: HostFacts) -> str:
    """The whole text."""
    families = (
        ("portside_service_up", "gauge", "1 when all containers of a service run and are healthy", _services(facts, "up")),
        ("portside_service_restarts_total", "counter", "Restarts of a service's containers by the engine", _services(facts, "restarts")),
        ("portside_healing_restarts_total", "counter", "Restarts of a service by self-healing", _healing(facts, "restarts")),
        ("portside_healing_given_up", "gauge", "1 when self-healing gave up on a service", _healing(facts, "given_up")),
        ("portside_certificate_expiry_timestamp_seconds", "gauge", "When a certificate of an edge ends", _certificates(facts)),
        ("portside_deploying", "gauge", "1 while a run is at work on a stack", _deploying(facts)),
        ("portside_http_responses_total", "counter", "Answers of an nginx, by the first digit of their status", _responses(facts)),
        ("portside_http_request_seconds", "histogram", "How long an edge took to answer", _durations(facts)),
    )
    lines = []
    for name, kind, meaning, samples in families:
        lines += ["# HELP {0} {1}".format(name, meaning), "# TYPE {0} {1}".format(name, kind)]
        lines += ["{0}{1}{2} {3}".format(name, suffix, _labels(labels), _number(value)) for suffix, labels, value in samples]
    return "\n".join(lines) + "\n"


def _services(facts: HostFacts, what: str) -> t.Iterator[_Sample]:
    for one in facts.services:
        yield "", {"stack": one.stack, "service": one.service}, getattr(one, what)


def _healing(facts: HostFacts, what: str) -> t.Iterator[_Sample]:
    for name, one in sorted(facts.healing.items()):
        yield "", _of(name), one.get(what) or 0


def _certificates(facts: HostFacts) -> t.Iterator[_Sample]:
    for one in facts.certificates:
        yield "", {"stack": one.stack, "names": " ".join(one.names)}, one.until


def _deploying(facts: HostFacts) -> t.Iterator[_Sample]:
    for stack, busy in sorted(facts.deploying.items()):
        yield "", {"stack": stack}, busy


def _responses(facts: HostFacts) -> t.Iterator[_Sample]:
    for name, counted in sorted(facts.requests.items()):
        for digit, number in sorted(counted.answers.items()):
            yield "", dict(_of(name), code=digit + "xx"), number


def _durations(facts: HostFacts) -> t.Iterator[_Sample]:
    for name, counted in sorted(facts.requests.items()):
        if not counted.timed:
            continue
        for bound, number in zip(BUCKETS, counted.within):
            yield "_bucket", dict(_of(name), le=str(bound)), number
        yield "_bucket", dict(_of(name), le="+Inf"), counted.timed
        yield "_sum", _of(name), counted.seconds
        yield "_count", _of(name), counted.timed


def _of(name: str) -> t.Dict[str, str]:
    stack, _slash, service = name.partition("/")
    return {"stack": stack, "service": service}


def _labels(labels: _Labels) -> str:
    written = ('{0}="{1}"'.format(name, _escaped(value)) for name, value in labels.items())
    return "{" + ",".join(written) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(float(value), 6))
