# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory openmates has the exposure tables of its system, row for row, and fits its server."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._declared_ports import open_ports
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import release_files
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from inventory_stacks import declared
from openmates_tables import TABLES, table_of


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    """The declaration of each host."""
    return {host: found[0] for host, found in declared("openmates", tmp_path_factory.mktemp("ansible")).items()}


@pytest.mark.parametrize("host", TABLES)
def test_the_exposure_table_is_the_documents_row_for_row(stacks, host):
    markdown = exposure_table(stacks[host], [stacks[host]], format="markdown").splitlines()[2:]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in markdown]
    assert [tuple(row[:3]) for row in cells] == table_of(TABLES[host])
    assert [row[0] for row in cells if row[-1] == "runs once"] == ["vault-setup", "cms-setup"]


@pytest.mark.parametrize("host", TABLES)
def test_what_is_published_is_that_and_nothing_else(stacks, host):
    declared = stacks[host]
    assert stack_problems([declared]) == []
    services = compose_document(declared)["services"]
    published = {(name, port.get("host_ip", ""), port["published"]) for name, service in services.items() for port in service.get("ports", ())}
    let_in = {(one["service"], one["port"]) for one in open_ports([declared])}
    if host == "openmates":
        assert (published, let_in) == ({("api", "127.0.0.1", "8000")}, set())
    else:
        assert published == {("api", "", "8000"), ("cms", "", "8055"), ("grafana", "", "3001")}
        assert let_in == {("api", 8000), ("cms", 8055), ("grafana", 3001)}


def test_production_has_the_files_for_its_proxy_and_development_none(stacks):
    made = {host: release_files(declared, secret_versions=dict.fromkeys(declared["secrets"], 1)) for host, declared in stacks.items()}
    names = {host: {path.rpartition("/")[2] for path in one["files"]} for host, one in made.items()}
    assert {"routes.caddy", "routes.nginx.conf"} < names["openmates"]
    assert not {"routes.caddy", "routes.nginx.conf"} & names["openmates-dev"]


@pytest.mark.parametrize("host", TABLES)
def test_all_of_it_fits_into_eight_gigabytes(stacks, host):
    limits = [service["deploy"]["resources"]["limits"]["memory"] for service in stacks[host]["services"].values()]
    assert len(limits) == 14
    # The host itself needs some as well.
    assert sum(byte_size(limit) for limit in limits) <= 7.25 * 2**30


def test_what_is_waited_for_is_what_the_system_says(stacks):
    services = compose_document(stacks["openmates"])["services"]
    for name in ("api", "task-worker", "task-scheduler"):
        waits = {other: one["condition"] for other, one in services[name]["depends_on"].items()}
        assert waits == {"cache": "service_healthy", "vault-setup": "service_completed_successfully", "cms-setup": "service_completed_successfully"}
    assert [name for name, service in services.items() if service["restart"] == "no"] == ["vault-setup", "cms-setup"]
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["vault-setup", "cms-setup"]
    assert not any(service.get("privileged") for service in services.values())
    assert all(":" in service["image"].rpartition("/")[2] for service in services.values())
