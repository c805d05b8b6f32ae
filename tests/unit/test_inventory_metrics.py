# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory metrics: it goes with any other by the lines that its page has, publishes nothing, and each alert is tested and explained."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from ansible_collections.portside.stack.plugins.module_utils._metrics_look import reads_metrics
from ansible_collections.portside.stack.plugins.module_utils._metrics_text import HostFacts, metrics_text
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._declared_ports import open_ports
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems

CHECKOUT = pathlib.Path(__file__).parents[2]
METRICS = CHECKOUT / "inventories" / "metrics"
# What a user adds, as docs/metrics.md says.
ADDED = {
    "local": ("selflink", {}),
    "openmates": (
        "openmates",
        {"metrics_postgres_service": "cms-database", "metrics_redis_service": "cache", "metrics_redis_password": "cache_password"},
    ),
}
TEXT = "text: {{ {'stacks': ([metrics_stack] + stacks) | portside.stack.stack_merge({name: more}), 'prometheus': metrics_prometheus} | to_json }}"
MORE = "{{ [metrics_of_postgres, metrics_of_redis, metrics_of_celery] | combine(recursive=true) }}"


class Loader(yaml.SafeLoader):
    """Reads `!unsafe` as the text that it is."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@pytest.fixture(scope="module")
def rules():
    text = (METRICS / "group_vars" / "all" / "metrics_alerts.yml").read_text(encoding="utf-8")
    groups = yaml.safe_load(yaml.load(text, Loader)["metrics_alerts"])["groups"]  # a SafeLoader
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module", params=sorted(ADDED))
def included(request, tmp_path_factory):
    """A stack of another inventory, with metrics included: its name, all stacks, and Prometheus' configuration."""
    name, variables = ADDED[request.param]
    home = tmp_path_factory.mktemp("inventory")
    (home / "empty.cfg").touch()
    inventory = shutil.copytree(CHECKOUT / "inventories" / request.param, home / "inventory", ignore=shutil.ignore_patterns(".secrets"))
    (inventory / ".secrets").mkdir()
    given = {**variables, "metrics_watched": {name: ["postgres", "redis", "celery"]}, "name": name, "more": MORE}
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "ansible"), "all[0]", "-i", str(inventory), "-i", str(METRICS), "--one-line"]
        + ["-m", "ansible.builtin.debug", "-a", json.dumps({"msg": TEXT}), "-e", json.dumps(given)],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"), "ANSIBLE_CONFIG": str(home / "empty.cfg")},
        text=True,
        check=True,
        capture_output=True,
    )
    found = json.loads(json.loads(done.stdout.split(" | SUCCESS => ", 1)[1])["msg"].partition(" ")[2])
    return name, found["stacks"], yaml.safe_load(found["prometheus"])


def test_an_inventory_that_includes_it_has_no_problem(included):
    assert stack_problems([{**stack, "environment": "production"} for stack in included[1]]) == []


def test_nothing_of_it_is_published_and_what_was_stays(included):
    _name, stacks, _prometheus = included
    metrics = compose_document(stacks[0])
    assert not any(service.get("ports") for service in metrics["services"].values())
    assert not [one for one in open_ports(stacks) if one["stack"] == "metrics" or one["service"].endswith("-exporter")]
    assert metrics["x-portside"]["networks"]["metrics"]["internal"] is True
    # Not even a way out, as long as there is no Alertmanager elsewhere.
    assert {network for service in metrics["services"].values() for network in service["networks"]} == {"metrics"}


def test_each_exporter_is_reached_by_the_name_that_prometheus_asks_for(included):
    name, stacks, prometheus = included
    asked = {target for job in prometheus["scrape_configs"] for one in job["static_configs"] or () for target in one["targets"]}
    watched = next(stack for stack in stacks if stack["name"] == name)
    services = compose_document(watched)["services"]
    answering = {alias for service in services.values() for alias in (service.get("networks", {}).get("metrics") or {}).get("aliases", ())}
    assert {target.partition(":")[0] for target in asked if "." in target} == answering
    assert answering == {f"{part}-exporter.{name}" for part in ("postgres", "redis", "celery")}
    assert {target.partition(":")[0] for target in asked if "." not in target} == {"localhost", "node-exporter", "cadvisor"}


def test_the_host_writes_what_node_exporter_reads(included):
    assert reads_metrics(compose_document(included[1][0]))


def test_each_alert_is_tested_and_explained(rules):
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    tests = yaml.safe_load((CHECKOUT / "tests" / "metrics" / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    expected = [(one["alertname"], bool(one["exp_alerts"])) for test in tests for one in test["alert_rule_test"]]
    assert {name for name, fires in expected if fires} == set(names)
    page = (CHECKOUT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([A-Z]\w+)` \|", page, re.MULTILINE) == names


def test_alerts_go_by_metrics_that_the_host_writes(rules):
    asked = set(re.findall(r"\bportside_\w+", " ".join(rule["expr"] for rule in rules)))
    assert asked <= set(re.findall(r"^# TYPE (\S+)", metrics_text(HostFacts()), re.MULTILINE))
    assert {rule["labels"]["severity"] for rule in rules} == {"warning", "critical"}
