"""A cold start: from no container at all to everything healthy, in the declared order, as it was recorded."""

from __future__ import annotations

import pytest

SERVICES = {"db", "redis", "backend", "celery", "frontend", "proxy"}


def test_every_service_is_healthy_within_90_seconds(stack, start):
    assert {name: one["state"] for name, one in start.services.items()} == dict.fromkeys(SERVICES, "healthy")
    print(f"all of it was up after {max(one['up'] for one in start.services.values())} s")
    assert max(one["up"] for one in start.services.values()) <= start.seconds < 90
    assert {name: one["State"]["Health"]["Status"] for name, one in stack.containers().items()} == dict.fromkeys(SERVICES, "healthy")


@pytest.mark.parametrize(
    ("later", "earlier"),
    [("backend", "db"), ("backend", "redis"), ("celery", "db"), ("celery", "redis"), ("frontend", "backend"), ("proxy", "frontend"), ("proxy", "backend")],
)
def test_none_is_begun_before_what_it_needs_is_healthy(start, later, earlier):
    assert start.services[earlier]["up"] <= start.services[later]["begun"]


def test_independent_services_start_together(start):
    db, redis, backend, celery = (start.services[name] for name in ("db", "redis", "backend", "celery"))
    assert db["begun"] < redis["up"] and redis["begun"] < db["up"]
    assert backend["begun"] < celery["up"] and celery["begun"] < backend["up"]


def test_it_is_recorded_who_waited_for_whom(start):
    waited = {name: {(one["service"], one["condition"]) for one in told["waited_for"]} for name, told in start.services.items()}
    assert waited["db"] == waited["redis"] == set()
    assert waited["backend"] <= {("db", "service_healthy"), ("redis", "service_healthy")} and waited["backend"]
    assert ("backend", "service_healthy") in waited["frontend"]
    assert ("frontend", "service_healthy") in waited["proxy"]
