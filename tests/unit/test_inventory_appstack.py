# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory appstack is its system: ports, limits, volumes, order and routes as the description has them."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._declared_ports import open_ports
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from inventory_stacks import declared

HOSTS = ("appstack", "appstack-dev")
# CPUs and MiB: limit and reservation of each.
TABLE = {
    "proxy": (0.5, 0.25, 256, 128),
    "frontend": (2.0, 1.0, 2048, 512),
    "backend": (2.0, 0.5, 1024, 512),
    "db": (1.0, 0.5, 512, 256),
    "redis": (0.5, 0.25, 256, 128),
    "celery": (1.0, 0.25, 512, 256),
}
TOTAL = (7.0, 2.75, 4608, 1792)
VOLUMES = {"postgres-data", "redis-data", "backend-media", "backend-static", "frontend-node-modules", "proxy-logs"}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    """The declaration of each host."""
    return {host: found[0] for host, found in declared("appstack", tmp_path_factory.mktemp("ansible")).items()}


@pytest.fixture(params=HOSTS)
def stack(request, stacks):
    return stacks[request.param]


def published(stack) -> set[tuple[str, str, str]]:
    services = compose_document(stack)["services"]
    return {(name, port.get("host_ip", ""), port["published"]) for name, service in services.items() for port in service.get("ports", ())}


def test_production_publishes_the_proxy_alone(stacks):
    assert published(stacks["appstack"]) == {("proxy", "", "80"), ("proxy", "", "443")}
    assert {one["port"] for one in open_ports([stacks["appstack"]])} == {80, 443}


def test_development_has_every_port_on_the_host_and_lets_in_the_proxy_alone(stacks):
    local = {("db", "5432"), ("redis", "6379"), ("frontend", "5173"), ("backend", "8000")}
    assert published(stacks["appstack-dev"]) == {("proxy", "", "80")} | {(name, "127.0.0.1", port) for name, port in local}
    assert {one["port"] for one in open_ports([stacks["appstack-dev"]])} == {80}


def test_limits_and_reservations_are_those_of_the_table_and_so_are_the_sums(stack):
    assert stack_problems([stack]) == []
    services = compose_document(stack)["services"]
    found = {}
    for name, service in services.items():
        limits, reserved = (service["deploy"]["resources"][key] for key in ("limits", "reservations"))
        memory = [byte_size(one["memory"]) / 2**20 for one in (limits, reserved)]
        found[name] = (float(limits["cpus"]), float(reserved["cpus"]), *memory)
        assert service["cpu_shares"] == 1024 * float(reserved["cpus"])
    assert found == TABLE
    assert tuple(map(sum, zip(*found.values()))) == TOTAL


def test_three_failures_make_each_of_them_unhealthy(stack):
    services = compose_document(stack)["services"]
    assert {name: service["healthcheck"]["retries"] for name, service in services.items()} == dict.fromkeys(TABLE, 3)


def test_who_waits_for_whom(stack):
    services = compose_document(stack)["services"]
    waits = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    assert waits == {
        "db": set(),
        "redis": set(),
        "backend": {"db", "redis"},
        "celery": {"db", "redis"},
        "frontend": {"backend"},
        "proxy": {"frontend", "backend"},
    }
    assert {one["condition"] for service in services.values() for one in service.get("depends_on", {}).values()} == {"service_healthy"}


def test_the_volumes_are_the_systems(stack):
    assert set(compose_document(stack)["volumes"]) == VOLUMES


def test_without_the_profile_there_is_no_worker(stack):
    assert set(compose_document({**stack, "profiles": []})["services"]) == set(TABLE) - {"celery"}
