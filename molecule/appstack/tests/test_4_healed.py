"""A container that is unhealthy is restarted by nobody's hand, and not for ever."""

from __future__ import annotations

import json

import pytest
from system3 import eventually

HEALTH = "/api/v1/health/"
JOURNAL = "journalctl --unit portside-heal.service --no-pager --output {0} --since @{1}"


def events(stack, since: str) -> list[tuple[str, str]]:
    """What befell the backend's container since then: the event, and the exit code of a health check."""
    said = stack.sh(f"docker events --since {since} --until $(date +%s) --filter container=appstack-backend-1 --format '{{{{json .}}}}'")
    told = [json.loads(line) for line in said.splitlines()]
    return [(one["Action"], one["Actor"]["Attributes"].get("exitCode", "")) for one in told]


def healing(stack) -> dict:
    """What the healer says of the backend."""
    return json.loads(stack.sh("cat /run/portside/heal.json")).get("appstack/backend", {})


def test_after_the_third_failure_it_is_restarted_and_serves_again(stack):
    before, since = stack.started(), stack.sh("date +%s")
    stack.sh("docker exec appstack-backend-1 touch /dev/shm/sick")
    assert stack.ask(HEALTH).status == 503
    eventually("served again", lambda: stack.ask(HEALTH).status == 200, 60)
    eventually("healthy again", lambda: stack.containers()["backend"]["State"]["Health"]["Status"] == "healthy", 30)

    after = stack.started()
    assert after["backend"][0] == before["backend"][0] and after["backend"][1] > before["backend"][1]
    assert {name for name in after if after[name] != before[name]} == {"backend"}
    seen = events(stack, since)
    died = next(index for index, (event, _code) in enumerate(seen) if event in ("kill", "die"))
    assert [code for event, code in seen[:died] if event == "exec_die" and code != "0"] == ["22"] * 3, seen
    assert healing(stack)["restarts"] == 1
    assert "stack appstack: service backend:" in stack.sh(JOURNAL.format("cat", since))


def restarts(stack, since: str) -> list[float]:
    """When the backend was restarted since then, by the journal."""
    lines = stack.sh(JOURNAL.format("short-unix", since)).splitlines()
    return [float(line.split()[0]) for line in lines if "service backend" in line and "It was restarted (" in line]


@pytest.mark.slow
def test_one_that_keeps_failing_waits_longer_each_time_and_is_told_of(stack):
    since = stack.sh("date +%s")
    stack.sh("docker exec appstack-backend-1 touch /tmp/sick")
    try:
        eventually("three restarts", lambda: len(restarts(stack, since)) >= 3, 240)
        first, second, third = restarts(stack, since)[:3]
        # It takes as long to fail each time, and then waits twice as long as before.
        assert third - second > second - first + 10
        told = eventually("the next one is put off", lambda: healing(stack)["next"] and healing(stack), 60)
        assert not told["given_up"] and told["next"] > told["last"]
        assert "the next try is at" in stack.sh(JOURNAL.format("cat", since))
    finally:
        stack.sh("docker exec appstack-backend-1 rm -f /tmp/sick")
    eventually("served again", lambda: stack.ask(HEALTH).status == 200, 30)
