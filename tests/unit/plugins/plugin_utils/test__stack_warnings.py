# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import yaml
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._resource_problems import healthcheck_problems
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from ansible_collections.portside.stack.plugins.plugin_utils._stack_warnings import stack_warnings
from ansible_collections.portside.stack.plugins.plugin_utils._suggested_healthchecks import _TESTS, suggested_healthcheck

CHECK = {"test": ["CMD", "true"]}


def shop(services, **keys):
    return dict({"name": "shop", "services": services}, **keys)


def test_a_service_that_others_wait_for_without_a_healthcheck():
    services = {"db": {"image": "postgres:17", "environment": {"POSTGRES_USER": "shop"}}, "web": {"image": "x", "depends_on": ["db"]}}
    services["jobs"] = {"image": "x", "depends_on": {"db": None}}
    assert stack_warnings(shop(services)) == [
        "stack 'shop', service 'db', key 'healthcheck': there is none, so jobs, web cannot wait until it answers; for its image, write "
        "healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop], interval: 5s, timeout: 5s, retries: 10, start_period: 30s}."
    ]
    services["db"]["healthcheck"] = CHECK
    assert stack_warnings(shop(services)) == []


def test_what_is_suggested_can_be_pasted():
    (text,) = stack_warnings(shop({"cache": {"image": "redis:8"}, "web": {"image": "x", "depends_on": ["cache"]}}))
    pasted = yaml.safe_load(text.partition("write ")[2].rstrip("."))
    services = {"cache": {"image": "redis:8", **pasted}, "web": {"image": "x", "depends_on": ["cache"]}}
    assert stack_problems([shop(services)]) == [] and stack_warnings(shop(services)) == []


def test_a_service_that_routes_lead_to_of_this_stack_or_of_another():
    web = shop({"web": {"image": "example/web:1"}})
    edge = {"name": "front", "services": {}, "edge": {"kind": "nginx"}, "routes": [{"prefix": "/", "stack": "shop", "service": "web", "port": 80}]}
    assert stack_warnings(web) == stack_warnings(web, [web]) == []
    (told,) = stack_warnings(web, [web, edge])
    assert "so the routes to it cannot wait" in told and "{interval: 30s} where its image has one" in told
    assert stack_warnings({**web, "name": "other"}, [web, edge]) == []
    own = {**web, "edge": {"kind": "nginx"}, "routes": [{"prefix": "/", "service": "web", "port": 80}]}
    (told,) = stack_warnings(own, [own, edge])
    assert "so edge and the routes to it cannot wait" in told


@pytest.mark.parametrize(
    "services",
    [
        {"db": {"image": "postgres"}},
        {"db": {"image": "postgres", "healthcheck": {"disable": True}}, "web": {"image": "x", "depends_on": ["db"]}},
        {"db": {"image": "postgres", "healthcheck": {"interval": "30s"}}, "web": {"image": "x", "depends_on": ["db"]}},
        {"db": {"image": "postgres"}, "web": {"image": "x", "depends_on": {"db": {"condition": "service_started"}}}},
        {"load": {"image": "x", "restart": "no"}, "web": {"image": "x", "depends_on": ["load"]}},
        {"db": {"image": "postgres"}, "web": {"image": "x", "depends_on": ["db"], "profiles": ["off"]}},
        {"db": {"image": "postgres", "profiles": ["off"]}},
    ],
)
def test_what_nobody_misses(services):
    assert stack_warnings(shop(services)) == []


def test_a_dependency_whose_profile_is_off():
    services = {"mail": {"image": "x", "profiles": ["mail", "all"]}, "web": {"image": "x", "depends_on": {"mail": {"required": False}}}}
    assert stack_warnings(shop(services)) == [
        "stack 'shop', service 'web', key 'depends_on': 'mail' does not run, because none of its profiles (mail, all) is enabled, so it starts "
        "without that (required: false)."
    ]
    assert stack_problems([shop(services)]) == []
    services["web"]["depends_on"]["mail"] = {}
    assert "no profile of it is enabled" in stack_problems([shop(services)])[0] and stack_warnings(shop(services)) == []


@pytest.mark.parametrize(
    ("image", "program"),
    [
        ("docker.io/library/postgres:17@sha256:" + "0" * 64, "pg_isready"),
        ("registry.example:5000/valkey/valkey:8", "valkey-cli ping | grep -qE 'PONG|NOAUTH'"),
        ("nginx:1.28-alpine-slim", "wget"),
        ("nginx", "curl"),
        ("memcached:1-alpine", "nc"),
        ("memcached", "bash"),
        ("opensearchproject/opensearch:3", "curl -s -o /dev/null http://127.0.0.1:9200 || curl -sk -o /dev/null https://127.0.0.1:9200"),
    ],
)
def test_images_are_known_by_whatever_name(image, program):
    assert suggested_healthcheck({"image": image})["test"][1] == program
    assert suggested_healthcheck({"image": "example/redis-exporter:1"}) is None


@pytest.mark.parametrize("image", sorted(_TESTS))
def test_every_suggestion_is_in_order(image):
    problems = []
    healthcheck_problems(Report("shop", problems), {"healthcheck": suggested_healthcheck({"image": image})})
    assert problems == []


@pytest.mark.parametrize("stack", [None, [], {}, {"services": None}, {"services": {"a": 1}, "routes": 3, "edge": []}])
def test_any_input_is_borne(stack):
    assert stack_warnings(stack, stack) == []
