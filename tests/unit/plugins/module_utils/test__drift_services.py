# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In what the containers, networks and volumes of a stack differ from its release, on an engine's API."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation
from ansible_collections.portside.stack.plugins.module_utils._drift_resources import resource_drift
from ansible_collections.portside.stack.plugins.module_utils._drift_services import service_drift
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from fake_engine import FakeEngine


def body(digest, **keys):
    return dict({"image": "example/app:1", "restart": "unless-stopped", "labels": {"portside.digest": digest}}, **keys)


DEFINITION = {
    "name": "demo",
    "services": {
        "api": body("a1", networks=["back"]),
        "worker": body("w1", networks=["back"], deploy={"replicas": 2}),
        "migrate": body("m1", restart="no", networks=["back"]),
    },
    "networks": {"back": {"name": "demo_back", "external": True}},
    "volumes": {"data": {"name": "demo_data", "external": True}},
    "x-portside": {
        "networks": {"demo_back": {"driver": "bridge", "driver_opts": {"com.docker.network.bridge.name": "br-x"}}},
        "volumes": {"demo_data": {}},
    },
}


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with FakeEngine(tmp_path / "engine") as made:
        options = {"com.docker.network.bridge.name": "br-x", "com.docker.network.enable_ipv4": "true"}
        made.networks["demo_back"] = {"Name": "demo_back", "Id": "id-demo_back", "Driver": "bridge", "Options": options}
        made.volumes["demo_data"] = {"Name": "demo_data", "Driver": "local", "Mountpoint": "/nowhere"}
        made.add("api", "a1")
        made.add("worker", "w1")
        made.add("worker", "w1")
        directory = tmp_path / "demo"
        directory.mkdir()
        (directory / "oneshots.json").write_text('{"migrate": {"done": {"m1": {}}}}', encoding="utf-8")
        made.home = str(directory)
        yield made


def found(engine):
    situation = Situation(DEFINITION, engine.home, EngineClient(engine.path), 0.0, False)
    return service_drift(situation) + resource_drift(situation)


def container(engine, service):
    return next(one for one in engine.containers.values() if one["Config"]["Labels"]["com.docker.compose.service"] == service)


def told(engine):
    return [(one.service, one.kind, one.what, one.broken) for one in found(engine)]


def test_a_stack_as_it_was_deployed_has_no_difference(engine):
    assert told(engine) == []


@pytest.mark.parametrize(("state", "word"), [("exited", "is exited (0)"), ("paused", "is paused"), ("restarting", "starts again and again")])
def test_a_service_that_does_not_run_is_broken(engine, state, word):
    container(engine, "api")["State"]["Status"] = state
    assert told(engine) == [("api", "stopped", word, True)]


def test_an_unhealthy_service_is_broken(engine):
    container(engine, "api")["State"]["Health"] = {"Status": "unhealthy", "FailingStreak": 3, "Log": []}
    assert told(engine) == [("api", "stopped", "is unhealthy", True)]


def test_a_missing_container_is_broken_and_so_is_one_of_two(engine):
    for service in ("api", "worker"):
        del engine.containers[container(engine, service)["Id"]]
    assert told(engine) == [
        ("api", "container", "has no container", True),
        ("worker", "container", "has 1 of 2 containers", True),
    ]


def test_a_container_too_many_and_one_of_no_service_are_named(engine):
    engine.add("api", "a1", labels={"com.docker.compose.container-number": "2"})
    engine.add("ghost", "g1")
    engine.add("api", "a1", labels={"com.docker.compose.oneoff": "True"})
    assert told(engine) == [
        ("api", "extra", "container demo-api-1 (running) is one too many of its service", False),
        ("ghost", "extra", "container demo-ghost-1 (running) is of the project, but not of the release", False),
    ]


def test_a_changed_limit_is_told_once_for_all_containers_of_a_service(engine):
    for one in engine.containers.values():
        if one["Config"]["Labels"]["com.docker.compose.service"] == "worker":
            one["HostConfig"]["Memory"] = 2**30
    assert told(engine) == [("worker", "limit", "memory limit is 1 GiB instead of none", False)]


def test_a_detached_network_cuts_off_and_one_too_many_does_not(engine):
    networks = container(engine, "api")["NetworkSettings"]["Networks"]
    networks["bridge"] = {"NetworkID": "b"}
    assert told(engine) == [("api", "network", "is on network bridge, which is not declared", False)]
    networks.clear()
    assert told(engine) == [("api", "network", "is not on network demo_back", True)]


def test_a_container_of_another_definition_is_told_with_the_reason(engine):
    container(engine, "api")["Config"]["Labels"]["portside.digest"] = ""
    assert told(engine) == [("api", "container", "is to be made anew: was not made by this collection", False)]


def test_a_one_shot_that_never_completed_is_broken(engine):
    with open(engine.home + "/oneshots.json", "w", encoding="utf-8") as handle:
        handle.write("{}")
    assert told(engine) == [("migrate", "container", "one-shot: has not run yet", True)]


def test_missing_networks_and_volumes_are_broken_and_other_options_are_not(engine):
    engine.networks["demo_back"].update(Internal=True, Options={})
    engine.volumes["demo_data"]["Driver"] = "nfs"
    assert told(engine) == [
        ("", "network", "network demo_back has internal True instead of False", False),
        ("", "network", "network demo_back has com.docker.network.bridge.name none instead of br-x", False),
        ("", "volume", "volume demo_data has driver nfs instead of local", False),
    ]
    engine.networks.clear()
    engine.volumes.clear()
    assert [one for one in told(engine) if not one[0]] == [
        ("", "network", "network demo_back is missing", True),
        ("", "volume", "volume demo_data is missing", True),
    ]
