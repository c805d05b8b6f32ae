"""Every careless thing is found, and nothing else; a careful host has no findings."""

from __future__ import annotations

import pytest

PLANTED = [
    ("high", "open_database", "container cache"),
    ("high", "open_database", "container db"),
    ("high", "docker_socket", "container agent"),
    ("medium", "visible_secret", "container app"),
    ("medium", "dead_route", "container web"),
]
LIMIT = "docker run --detach --memory 256m --name "


def told(report: dict) -> list[tuple[str, str, str]]:
    return [(one["severity"], one["rule"], one["subject"]) for one in report["findings"]]


@pytest.fixture
def root(host):
    with host.sudo():
        yield host


def test_what_was_planted_is_found_and_nothing_else(audit):
    report, everything = audit()
    assert told(report) == PLANTED, everything
    assert report["summary"] == {"high": 3, "medium": 2, "low": 0}
    seen = {one["port"]: (one["rank"], one["service"], one["seen"]) for one in report["reachable"]}
    assert seen == {
        22: ("listed", "ssh", "answers"),
        80: ("listed", "web", "answers"),
        5432: ("high", "PostgreSQL", "answers"),
        6379: ("high", "Redis", "answers"),
    }
    secret, route = report["findings"][3]["what"], report["findings"][4]["what"]
    assert "PAYMENT_API_KEY" in secret and "LOG_LEVEL" not in secret
    assert "^/api/v[0-9]{1,2}/stream$" in route and "^~ /api/" in route


def test_no_value_is_in_anything_that_it_says(audit):
    assert "s3ntinel" not in audit("-vvv")[1]


def test_a_plan_is_the_same(audit):
    report, again = audit()[0], audit("--check", "--diff")[0]
    assert dict(report, when="") == dict(again, when="")


def test_nothing_is_written_on_the_host(audit, root):
    root.check_output("touch /run/before && sleep 1")
    before = root.check_output("docker ps --all --no-trunc --format '{{.ID}} {{.State}}'")
    audit()
    changed = root.check_output("find /etc /home /opt /root /srv /usr -xdev -newer /run/before -type f")
    assert changed == ""
    assert root.check_output("docker ps --all --no-trunc --format '{{.ID}} {{.State}}'") == before


def test_a_careful_host_has_no_findings(audit, root):
    root.check_output("docker rm --force db cache web agent app")
    root.check_output(LIMIT + "db --env POSTGRES_HOST_AUTH_METHOD=trust postgres:17")
    root.check_output(LIMIT + "cache redis:8.0")
    root.check_output(LIMIT + "app --env PAYMENT_API_KEY_FILE=/run/secrets/key redis:8.0 sleep infinity")
    root.check_output(LIMIT + "web --publish 80:80 --volume /srv/careful.conf:/etc/nginx/conf.d/default.conf:ro nginx:1.26")
    report, everything = audit()
    assert told(report) == [], everything
    assert "Nothing was found." in everything


def test_the_rest_of_what_an_audit_finds(audit, root):
    root.check_output(LIMIT + "strong --privileged --volume /var/run:/host:ro redis:8.0 sleep infinity")
    root.check_output("docker tag redis:8.0 redis:latest")
    root.check_output("docker run --detach --name careless redis:latest sleep infinity")
    root.check_output(LIMIT + "sick --health-cmd false --health-interval 1s --health-retries 1 redis:8.0 sleep infinity")
    root.check_output("sh -c 'until docker ps | grep sick | grep -q unhealthy; do sleep 1; done'")
    report, everything = audit()
    assert told(report) == [
        ("high", "docker_socket", "container strong"),
        ("high", "privileged", "container strong"),
        ("medium", "unhealthy", "container sick"),
        ("low", "floating_image", "container careless"),
        ("low", "unlimited_memory", "container careless"),
    ], everything
