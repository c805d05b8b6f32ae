# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on this machine: what it reads of real containers, on the engine that runs here."""

from __future__ import annotations

import os
import subprocess
import time
import types
import uuid

import pytest
from ansible_collections.portside.stack.plugins.modules import host_audit
from local_images import local_image
from module_runner import run_module

SENTINEL = "s3ntinelValue"
SITE = """
server { listen 8080; server_name shop.example.com; include conf.d/locations/*.inc;
  location / { proxy_set_header X-Key s3ntinelValue; proxy_pass http://127.0.0.1:9; } }
"""
CLOUDFLARED = "tunnel: s3ntinelValue\ningress:\n  - hostname: a.example.com\n    service: http://u:s3ntinelValue@app\n  - service: http_status:404\n"


class World:
    """Containers of one test, and nothing else of this machine."""

    def __init__(self, home):
        self.image, self.prefix, self.home = local_image("nginx"), "expoe-" + uuid.uuid4().hex[:8], home
        self.made = []

    def run(self, name, *options, command=("sleep", "600")):
        self.made.append(self.name(name))
        return subprocess.run(["docker", "run", "-d", "--name", self.name(name), *options, self.image, *command], capture_output=True, text=True, check=False)

    def name(self, name):
        return "{0}-{1}".format(self.prefix, name)

    def write(self, path, text):
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return str(place)

    def close(self):
        subprocess.run(["docker", "rm", "-f", "-v", *self.made], capture_output=True, check=False)

    def until(self, name, wanted):
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            told = subprocess.run(["docker", "inspect", "--format", "{{json .State}}", self.name(name)], capture_output=True, text=True, check=True)
            if wanted in told.stdout:
                return
            time.sleep(0.2)
        raise AssertionError("{0} never was {1}".format(name, wanted))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if os.geteuid():
        pytest.skip("processes of others are seen by root alone")
    made = World(tmp_path_factory.mktemp("audit"))
    try:
        made.write("conf.d/default.conf", SITE)
        made.write("conf.d/locations/a.inc", "location ^~ /api/ { }\nlocation ~ ^/api/stream { }\n")
        made.write("cloudflared", "sleep 600\n")
        made.write("tunnel/config.yml", CLOUDFLARED)
        starts = [
            made.run("web", "-v", "{0}/conf.d:/etc/nginx/conf.d:ro".format(made.home), command=("nginx", "-g", "daemon off;")),
            made.run("agent", "-v", "/var/run:/host:ro", "--memory", "64m"),
            made.run("secret", "-e", "DB_PASSWORD=" + SENTINEL, "-e", "DATABASE_URL=postgres://u:{0}@db/x".format(SENTINEL)),
            made.run("sick", "--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1"),
            made.run("loop", "--restart", "always", command=("false",)),
            made.run(
                "tunnel",
                *("-v", "{0}/cloudflared:/usr/local/bin/cloudflared:ro".format(made.home)),
                *("-v", "{0}/tunnel:/etc/cloudflared:ro".format(made.home)),
                command=("sh", "/usr/local/bin/cloudflared"),
            ),
            made.run("token", "-e", "TUNNEL_TOKEN=" + SENTINEL, "-v", "{0}/cloudflared:/cloudflared:ro".format(made.home), command=("sh", "/cloudflared")),
        ]
        assert [one.stderr for one in starts if one.returncode] == []
        # Not every machine can start it; what it is to be given is seen all the same.
        made.run("strong", "--privileged")
        made.until("sick", '"unhealthy"')
        made.until("loop", '"Restarting":true')
        yield made
    finally:
        made.close()


@pytest.fixture
def found(world, capsys):
    outcome = run_module(host_audit.main, capsys, {}, check=True)
    assert not outcome["changed"] and SENTINEL not in outcome.seen
    return outcome.result


def test_containers(world, found):
    mine = {one["name"].rpartition("-")[2]: one for one in found["containers"] if one["name"].startswith(world.prefix)}
    assert mine["agent"]["sockets"] == ["/var/run"] and mine["agent"]["memory"] == 64 << 20
    # In the engine's order, which is not that of every client.
    assert {one["name"] for one in mine["secret"]["secrets"]} == {"DB_PASSWORD", "DATABASE_URL (a password in a URL)"}
    assert mine["sick"]["health"] == "unhealthy" and mine["sick"]["failing"] >= 1
    # Between two waits it runs for a moment.
    assert mine["loop"]["restarts"] >= 1 and (mine["loop"]["restarting"] or mine["loop"]["running"])
    assert mine["strong"]["privileged"] and not mine["web"]["privileged"]
    assert mine["web"]["memory"] == 0 and mine["web"]["sockets"] == [] and mine["web"]["secrets"] == []


def test_nginx(world, found):
    (one,) = [one for one in found["nginx"] if one["container"] == world.name("web")]
    assert one["path"] == "/etc/nginx/nginx.conf" and one["running"]
    (server,) = one["servers"]
    assert server["names"] == ["shop.example.com"] and server["listens"] == ["8080"] and server["file"] == "/etc/nginx/conf.d/default.conf"
    assert server["locations"] == [{"modifier": "^~", "pattern": "/api/"}, {"modifier": "~", "pattern": "^/api/stream"}, {"pattern": "/", "passes": True}]
    assert not [line for line in found["unseen"] if world.prefix in line]


def test_cloudflared(world, found):
    mine = {one["container"].rpartition("-")[2]: one for one in found["cloudflared"] if one["container"].startswith(world.prefix)}
    assert mine["tunnel"]["path"] == "/etc/cloudflared/config.yml"
    assert mine["tunnel"]["ingress"] == "ingress:\n  - hostname: a.example.com\n    service: http://app\n  - service: http_status:404\n"
    assert mine["token"]["elsewhere"] == "token" and mine["token"]["ingress"] == ""


def test_without_an_engine_and_without_root(tmp_path, monkeypatch, capsys):
    client = host_audit.EngineClient
    monkeypatch.setattr(host_audit, "EngineClient", lambda timeout: client(str(tmp_path / "x.sock"), timeout))
    monkeypatch.setattr(host_audit, "os", types.SimpleNamespace(geteuid=lambda: 1000))
    result = run_module(host_audit.main, capsys, {}).result
    assert result["containers"] == []
    assert "did not run as root" in result["unseen"][0] and result["unseen"][1].startswith("Containers were not seen: no Docker engine answers")
