# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployed stack with metrics: all is scraped, what goes wrong is told, and nobody outside reads any of it.

In this order: the last tests break things, and mend them.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time
import urllib.parse

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
HOST = os.environ.get("METRICS_HOST", "metrics")
JOBS = {"prometheus", "node", "cadvisor", "postgres", "redis", "nginx", "celery"}
# Ports of Prometheus and of all that it asks.
PORTS = (9090, 9100, 8080, 9187, 9121, 9113, 5555)
# What is there once something was healed; rules on it are tested with promtool.
SELDOM = {"portside_healing_restarts_total", "portside_healing_given_up"}


class Server:
    """The host, by a shell of root, and its Prometheus, by its API."""

    def __init__(self) -> None:
        found = subprocess.check_output(["python3", "tests/bed", "up", HOST, "--json"], cwd=PROJECT, text=True)
        self.address = json.loads(found)["address"]

    def sh(self, script: str) -> str:
        """What a script says; it has to succeed."""
        done = subprocess.run(
            ["ssh", "-F", ".bed/ssh_config", HOST, "sudo", "sh", "-es"], cwd=PROJECT, input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def api(self, path: str) -> dict | list:
        """What Prometheus answers, asked in its container, as it publishes no port."""
        answer = json.loads(self.sh(f"docker exec metrics-prometheus-1 wget -qO- 'http://127.0.0.1:9090/api/v1/{path}'"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, text: str) -> list[dict]:
        return self.api("query?query=" + urllib.parse.quote(text))["result"]

    def firing(self) -> set[tuple[str, ...]]:
        """Alerts that fire: name, stack and service, or job."""
        found = [one["labels"] for one in self.api("alerts")["alerts"] if one["state"] == "firing"]
        return {(one["alertname"], one.get("stack", ""), one.get("service", one.get("job", ""))) for one in found}

    def request(self, path: str) -> int:
        """The status with which the edge answers from outside."""
        context = ssl._create_unverified_context()
        with socket.create_connection((self.address, 443), timeout=10) as plain, context.wrap_socket(plain, server_hostname="shop.test") as secure:
            secure.sendall(f"GET {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n".encode())
            return int(secure.recv(64).split()[1])


@pytest.fixture(scope="module")
def server():
    return Server()


def eventually(seconds: float, look, expected):
    """Looks until it is so, or time is up."""
    end = time.monotonic() + seconds
    while (found := look()) != expected and time.monotonic() < end:
        time.sleep(3)
    assert found == expected


def test_every_target_is_up(server):
    eventually(120, lambda: {(one["labels"]["job"], one["health"]) for one in server.api("targets")["activeTargets"]}, {(job, "up") for job in JOBS})


def test_the_configuration_and_the_rules_are_sound_for_promtool(server):
    tests = (PROJECT / "tests/metrics/alerts.test.yml").read_text()
    said = server.sh(
        "docker exec --interactive metrics-prometheus-1 sh -ec '\n"
        "promtool check config /etc/prometheus/prometheus.yml\n"
        "cp /etc/prometheus/alerts.yml /prometheus/; cat >/prometheus/alerts.test.yml; promtool test rules /prometheus/alerts.test.yml\n"
        f"rm /prometheus/alerts.yml /prometheus/alerts.test.yml' <<'EOF'\n{tests}\nEOF\n"
    )
    assert re.search(r"Unit Testing: .*\n +SUCCESS", said) and "FAILED" not in said, said


def test_each_metric_that_a_rule_asks_for_is_there(server):
    # A queue that is empty is none.
    password = "REDISCLI_AUTH=$(cat /run/secrets/redis_password)"
    server.sh(f"docker exec shop-redis-1 sh -c '{password}; export REDISCLI_AUTH; redis-cli -n 1 del later; redis-cli -n 1 lpush later $(seq 150)'")
    exprs = " ".join(rule["query"] for group in server.api("rules")["groups"] for rule in group["rules"])
    names = set(re.findall(r"\b(?:up|[a-z]+_[a-z_]*[a-z])(?=[{\[ ]|\)|$)", exprs)) - {"predict_linear"} - SELDOM
    assert {"up", "portside_service_up", "node_filesystem_avail_bytes", "redis_key_size", "flower_worker_online"} <= names
    eventually(120, lambda: {name for name in names if not server.query(f"count({name})")}, set())
    eventually(60, lambda: [one["value"][1] for one in server.query('redis_key_size{key="later"}')], ["150"])


def test_what_the_host_tells_is_as_it_is(server):
    services = {(one["metric"]["stack"], one["metric"]["service"]) for one in server.query("portside_service_up == 1")}
    listed = server.sh("docker ps --format '{{.Label \"com.docker.compose.project\"}} {{.Label \"com.docker.compose.service\"}}'")
    assert services == {tuple(line.split()) for line in listed.splitlines()}
    (certificate,) = server.query("(portside_certificate_expiry_timestamp_seconds - time()) / 86400")
    assert certificate["metric"]["names"] == "shop.test" and 800 < float(certificate["value"][1]) < 826
    limits = {one["metric"]["service"]: one["value"][1] for one in server.query('container_spec_memory_limit_bytes{stack="shop"}')}
    assert limits["postgres"] == str(512 << 20)


def test_nobody_outside_reads_any_of_it(server):
    assert server.request("/") == 200  # so the host is reached, and silence means something
    for port in PORTS:
        with pytest.raises(OSError):
            socket.create_connection((server.address, port), timeout=2).close()
    assert not server.sh("docker ps --format '{{.Ports}}' --filter label=com.docker.compose.project=metrics").replace("/tcp", "").strip(" ,\n0123456789")


def test_the_stack_that_is_watched_does_not_read_it_and_an_operator_does(server):
    address = server.sh("docker inspect metrics-prometheus-1 --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'").strip()
    asked = f"curl --silent --max-time 3 http://{address}:9090/-/healthy"
    assert "no" in server.sh(f"docker exec shop-web-1 {asked} || echo no")
    assert "Healthy" in server.sh(asked)


def test_nothing_is_wrong_yet(server):
    # Some alerts wait two or three minutes; none may be on its way but for what was put into the queue.
    pending = {one["labels"]["alertname"] for one in server.api("alerts")["alerts"]}
    assert pending <= {"QueueLong"}


def test_a_stopped_service_a_silent_exporter_and_errors_are_told_and_told_to_be_over(server):
    expected = {
        ("ServiceUnhealthy", "shop", "worker"),
        ("ServiceUnhealthy", "shop", "nginx-exporter"),
        ("NoWorker", "shop", "celery"),
        ("TargetDown", "shop", "nginx"),
        ("ManyServerErrors", "shop", "edge"),
        ("ManyServerErrors", "shop", "web"),
    }
    server.sh("docker stop shop-worker-1 shop-nginx-exporter-1")
    end = time.monotonic() + 420
    found: set = set()
    while not expected <= found and time.monotonic() < end:
        assert [server.request("/broken") for _each in range(5)] == [503] * 5
        time.sleep(10)
        found = server.firing()
    assert found == expected
    server.sh("docker start shop-worker-1 shop-nginx-exporter-1")
    eventually(480, server.firing, set())
