# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx is reloaded, and what it then serves is what counts."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import uuid

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import EdgeDirectory
from ansible_collections.portside.stack.plugins.module_utils._edge_server import EdgeServer, HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._edge_swap import EdgeFailed, swap
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from local_images import absent, local_image

CONFIG = """\
error_log stderr;
pid /run/nginx.pid;
events {{}}
http {{
  access_log off;
  server {{
    listen 80 default_server;
    {more}
    location = /.well-known/portside/{digest} {{ return 204; }}
    location ^~ /.well-known/acme-challenge/ {{ root /etc/portside/acme; }}
  }}
  server {{
    listen 443 ssl;
    server_name a.test;
    ssl_certificate /etc/portside/certificates/self-signed.pem;
    ssl_certificate_key /etc/portside/certificates/self-signed.pem;
  }}
}}
"""
TLS = {"file": "self-signed.pem", "names": ["a.test"]}
ONE, TWO = "1" * 16, "2" * 16


def run(argv, data):
    done = subprocess.run(argv, input=data or "", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


class Hurried:
    """Time that flies while something is waited for."""

    def __init__(self, factor=20):
        self.factor, self.pace = factor, 1
        self.slept = 0.0

    def monotonic(self):
        return self.slept

    def sleep(self, seconds):
        self.slept += seconds * self.pace
        time.sleep(seconds / self.factor)


@contextlib.contextmanager
def container(image, *options):
    name = "portside-unit-" + uuid.uuid4().hex[:12]
    docker("run", "--detach", "--name", name, *options[:-1], "--entrypoint", "nginx", image, *options[-1])
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def awaited(connect):
    deadline = time.monotonic() + 20
    while True:
        try:
            return connect()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


class Site:
    """An edge's directory, and the nginx that mounts it."""

    def __init__(self, directory, name):
        self.directory, self.name, self.lines = directory, name, []
        self.clock = Hurried()
        self.server = EdgeServer(EngineClient(), run, self.clock, HostNetwork(), 80, [name])
        self.files = {}

    def give(self, digest, more="", pem=None):
        files = {"nginx.conf": CONFIG.format(digest=digest, more=more).encode(), "certificates/self-signed.pem": pem or self.pem()}
        swap(self.directory, self.server, files, digest, TLS, self.lines.append)

    def pem(self):
        return self.directory.read("certificates/self-signed.pem")

    @property
    def address(self):
        (found,) = self.server._addresses()
        return found

    def shown(self):
        return HostNetwork().certificate(self.address, 443, "a.test")


@pytest.fixture(name="site")
def site_fixture(tmp_path, request):
    image = local_image("/library/nginx")
    directory = EdgeDirectory(str(tmp_path), FileSystem())
    directory.ensure()
    directory.write("certificates/self-signed.pem", OpenSsl(run).self_signed(["a.test"]))
    directory.write("nginx.conf", CONFIG.format(digest=ONE, more="").encode())
    mount = "type=bind,source={0},target=/etc/portside,readonly".format(directory.path)
    health = getattr(request, "param", ())
    with container(image, *health, "--mount", mount, ["-c", "/etc/portside/nginx.conf", "-g", "daemon off;"]) as name:
        address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        awaited(lambda: connect(address))
        site = Site(directory, name)
        assert site.server.await_config(ONE) == "" and site.address == address
        yield site


def connect(address):
    try:
        socket.create_connection((address, 80), timeout=5).close()
    except ConnectionRefusedError:
        # There is somebody at that address: nginx is about to listen.
        raise
    except OSError as error:
        absent("the containers of this engine have no addresses here: {0}".format(error))


def test_a_new_configuration_and_certificate_come_to_serve(site):
    before, new = site.shown(), OpenSsl(run).self_signed(["a.test"])
    site.give(TWO, pem=new)
    assert site.server.serves(TWO) and not site.server.serves(ONE)
    assert site.shown() != before and site.pem() == new
    site.give(TWO, pem=OpenSsl(run).self_signed(["a.test"]))
    assert site.shown() != before


def test_a_configuration_with_a_mistake_is_refused_with_nginx_own_words(site):
    with pytest.raises(EdgeFailed, match=r"goes on with the old one: .*\[emerg\] unknown directive \"retrun\" in /etc/portside/nginx.conf"):
        site.give(TWO, more="retrun 200;", pem=OpenSsl(run).self_signed(["b.test"]))
    assert site.server.serves(ONE) and site.lines == []


def test_a_certificate_that_nginx_cannot_read_is_refused_and_the_old_one_is_back(site):
    before = site.pem()
    with pytest.raises(EdgeFailed, match="cannot load certificate"):
        site.give(TWO, pem=b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    assert site.pem() == before and site.server.serves(ONE)


def test_a_port_that_is_busy_passes_the_test_and_the_reload_and_is_seen_all_the_same(site, tmp_path):
    (tmp_path / "other.conf").write_text("events {}\nhttp { server { listen 8081; return 200; } }\n")
    mount = "type=bind,source={0}/other.conf,target=/other.conf,readonly".format(tmp_path)
    image = docker("inspect", "--format", "{{.Image}}", site.name)
    options = ("--network", "container:" + site.name, "--mount", mount, ["-c", "/other.conf", "-g", "pid /run/other.pid; daemon off;"])
    with container(image, *options):
        awaited(lambda: socket.create_connection((site.address, 8081), timeout=1).close())
        told = (
            r"did not come to serve its new files, so the old ones are back: .*another configuration \(404\); "
            r"nginx says: \[emerg\] bind\(\) to 0.0.0.0:8081 failed \(98: Address already in use\)"
        )
        with pytest.raises(EdgeFailed, match=told):
            site.give(TWO, more="listen 8081;", pem=OpenSsl(run).self_signed(["b.test"]))
        assert site.server.serves(ONE) and ONE.encode() in site.directory.read("nginx.conf")
        with pytest.raises(EdgeFailed, match="its workers are still those of before"):
            site.give(ONE, more="listen 8081;")
    site.give(TWO, more="listen 8081;")
    assert site.server.serves(TWO)


HEALTH = ("--health-cmd", "curl -fsS http://127.0.0.1/up", "--health-interval", "1h", "--health-timeout", "2s")
UP = "location = /up { return 200 up; }"


@pytest.mark.parametrize("site", [HEALTH], indirect=True)
def test_an_edge_whose_own_check_fails_with_what_it_serves_gets_the_old_files_back(site):
    """Long before the engine would see it."""
    site.give(TWO, more=UP)
    told = (
        r"is not healthy with its new files, so the old ones are back: its health check fails \(exit code 22 within 2 s\): "
        r"curl: \(22\) The requested URL returned error: 404"
    )
    with pytest.raises(EdgeFailed, match=told):
        site.give(ONE)
    assert site.server.await_config(TWO) == "" and TWO.encode() in site.directory.read("nginx.conf")
    assert docker("inspect", "--format", "{{.State.Health.Status}}", site.name) == "starting"


@pytest.mark.parametrize("site", [("--health-cmd", "sleep 60", "--health-timeout", "1s")], indirect=True)
def test_a_check_that_does_not_end_is_ended(site):
    site.clock.factor, site.clock.pace = 1000, 20
    assert site.server.await_health() == "its health check fails (exit code 124 within 1 s): it says nothing"


@pytest.mark.parametrize("site", [("--no-healthcheck",), ("--health-cmd", "exit 0")], indirect=True)
def test_an_edge_without_a_check_or_with_one_that_passes_is_well(site):
    assert site.server.await_health() == ""


def test_an_nginx_that_was_stopped_is_told_at_once_and_nothing_of_it_is_touched(site):
    docker("kill", "--signal", "STOP", site.name)
    try:
        with pytest.raises(EdgeFailed, match="cannot be reloaded, and goes on as it was: .*docker kill --signal CONT"):
            site.give(TWO)
    finally:
        docker("kill", "--signal", "CONT", site.name)
    assert ONE.encode() in site.directory.read("nginx.conf") and site.lines == []
    site.give(TWO)
    assert site.server.serves(TWO)


def test_challenges_are_answered_as_certbot_puts_them(site):
    path = site.directory.put_challenge("token", "text")
    assert path == "/.well-known/acme-challenge/token"
    assert site.server.answers(["a.test", "whoever.test"], path, "text")
    site.directory.remove_challenge("token")
    assert not site.server.answers(["a.test"], path, "text")


def test_an_edge_whose_container_is_gone_is_told_as_such(site):
    server = EdgeServer(EngineClient(), run, Hurried(), HostNetwork(), 80, ["portside-unit-none"])
    assert server.await_config(ONE) == "its container is gone"
    assert EdgeServer(EngineClient(), run, Hurried(), HostNetwork(), 80, []).await_config(ONE) == "it has no container that runs"
