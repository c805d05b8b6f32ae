# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import uuid

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_facts import edge_facts
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from local_images import local_image
from throw_away_engine import ThrowAwayEngine

BUILT = "nginx version: nginx/1.26.3\nbuilt with OpenSSL 3.5.1 1 Jul 2025\nTLS SNI support enabled\n"
KNOWN = {"edge": {"image": "nginx@sha256:1", "user": "", "nginx": "1.24.0", "openssl": "3.0.1"}}


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with ThrowAwayEngine(tmp_path / "docker.sock") as made:
        made.images["nginx@sha256:1"] = {"Id": "sha256:1"}
        made.output = BUILT
        yield made


def facts(engine, known=None, check=False, images=None, kind="nginx", **service):
    definition = {
        "name": "shop",
        "services": {"edge": dict({"image": "nginx:1"}, **service)},
        "x-portside": {"edge": {"service": "edge", "kind": kind}},
    }
    pins = {"nginx:1": "nginx@sha256:1"} if images is None else images
    return edge_facts("shop", definition, pins, known or {}, EngineClient(engine.path), check)


def test_they_are_what_nginx_says_in_a_container_of_its_own(engine):
    found, problems = facts(engine, platform="linux/arm64")
    assert (found, problems) == ({"edge": {"image": "nginx@sha256:1", "user": "", "nginx": "1.26.3", "openssl": "3.5.1"}}, [])
    assert engine.containers == {}
    (body,) = engine.bodies
    assert (body["Entrypoint"], body["Cmd"], body["Image"]) == (["nginx"], ["-V"], "sha256:1")
    assert body["HostConfig"]["NetworkMode"] == "none"
    assert engine.queries == [{"name": "shop-edge-facts", "platform": "linux/arm64"}]


@pytest.mark.parametrize(
    "output, nginx, openssl",
    [
        (BUILT + "built with OpenSSL 3.0.1 (running with OpenSSL 3.5.4 30 Sep 2025)\n", "1.26.3", "3.5.4"),
        ("nginx version: openresty/1.27.1.2\nbuilt with OpenSSL 3.0.15 3 Sep 2024\n", "1.27.1.2", "3.0.15"),
        ("nginx version: nginx/1.28.0\nbuilt with LibreSSL 4.0\n", "1.28.0", ""),
    ],
)
def test_the_library_that_it_runs_with_counts(engine, output, nginx, openssl):
    engine.output = output
    (found,) = facts(engine)[0].values()
    assert (found["nginx"], found["openssl"]) == (nginx, openssl)


def test_those_of_the_current_release_hold_for_the_same_image(engine):
    assert facts(engine, KNOWN) == (KNOWN, [])
    assert facts(engine, KNOWN, user="101")[0]["edge"] == dict(KNOWN["edge"], user="101")
    assert engine.bodies == []
    assert facts(engine, {"edge": dict(KNOWN["edge"], image="nginx@sha256:0")})[0]["edge"]["nginx"] == "1.26.3"
    # What the entry wrapper knows of it is not this.
    assert facts(engine, {"edge": {"image": "nginx@sha256:1", "user": "", "entrypoint": []}})[0]["edge"]["nginx"] == "1.26.3"


def test_only_an_nginx_edge_has_any(engine):
    assert facts(engine, kind="cloudflared") == ({}, [])
    assert edge_facts("shop", {"services": {}}, {}, {}, EngineClient(engine.path), False) == ({}, [])


def test_in_check_mode_an_image_that_is_not_here_has_none(engine):
    engine.images.clear()
    assert facts(engine, check=True) == ({}, [])
    assert "is not on the host any more. Remedy" in facts(engine)[1][0]
    assert facts(engine, images={}) == ({}, [])


def test_an_image_without_nginx_is_told(engine):
    engine.refusal = 'exec: "nginx": executable file not found in $PATH'
    ((problem,)) = facts(engine)[1]
    assert problem.startswith("stack shop: service edge: image nginx:1 has no nginx that says its version: ")
    assert "executable file not found" in problem and "Remedy: give services.edge an image" in problem
    engine.refusal, engine.output, engine.code = "", "not for me\n", 3
    assert "not for me. Remedy" in facts(engine)[1][0]
    assert engine.containers == {}


def test_what_a_killed_run_left_is_in_nobodys_way(engine):
    engine.containers["shop-edge-facts"] = {}
    assert facts(engine)[1] == []
    assert engine.containers == {}


def test_a_real_nginx_says_so():
    image = local_image("/library/nginx")
    definition = {"services": {"edge": {"image": "x"}}, "x-portside": {"edge": {"service": "edge", "kind": "nginx"}}}
    stack = "portside-unit-" + uuid.uuid4().hex[:12]
    found, problems = edge_facts(stack, definition, {"x": image}, {}, EngineClient(), False)
    assert problems == [] and found["edge"]["nginx"].startswith("1.") and found["edge"]["openssl"].startswith("3.")
    left = subprocess.run(["docker", "ps", "-a", "--filter", "name={0}-edge-facts".format(stack), "--format", "json"], capture_output=True, check=True)
    assert json.loads(left.stdout or b"null") is None
