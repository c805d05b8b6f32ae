# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._budget import reservations
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._reserved_resources import reserved_resources


def reserving(memory=None, cpus=None, **keys):
    reserved = {key: value for key, value in (("memory", memory), ("cpus", cpus)) if value is not None}
    return {"image": "x", **keys, "deploy": {"resources": {"reservations": reserved}, **keys.get("deploy", {})}}


STACKS = [
    {
        "name": "shop",
        "services": {
            "db": reserving("512M", "0.5"),
            "web": reserving("0.25g", deploy={"replicas": 3}),
            "jobs": reserving(cpus="1", scale=2),
            "old": {"image": "x", "mem_reservation": "64m"},
            "migrate": reserving("1G", restart="no"),
            "load": reserving("1G"),
            "late": {"image": "x", "depends_on": {"load": {"condition": "service_completed_successfully"}}},
            "debug": reserving("1G", profiles=["debug"]),
            "none": reserving("1G", deploy={"replicas": 0}),
        },
    },
    {"name": "plain", "services": {"web": {"image": "x"}}},
]
SHOP = [
    {"service": "db", "replicas": 1, "memory": 512 * 2**20, "cpus": 0.5},
    {"service": "web", "replicas": 3, "memory": 256 * 2**20, "cpus": 0.0},
    {"service": "jobs", "replicas": 2, "memory": 0, "cpus": 1.0},
    {"service": "old", "replicas": 1, "memory": 64 * 2**20, "cpus": 0.0},
]


def test_what_running_services_reserve():
    assert reserved_resources(STACKS) == {"shop": SHOP, "plain": []}


def test_a_released_document_says_the_same():
    services = compose_document(STACKS[0])["services"]
    assert reservations(services, {name for name, one in services.items() if one["restart"] == "no"}) == SHOP
