# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on this machine: what it finds of real containers, on the engine that runs here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import types
import uuid

import pytest
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import major_of
from ansible_collections.portside.stack.plugins.modules import port_exposure_info
from local_images import local_image
from module_runner import run_module

SETTINGS = {"settings": "/nowhere/exposure.json", "stack_root": "/nowhere"}
RELEASE = "0" * 16
_NGINX = "printf 'events {{}} http {{ server {{ {0} }} }}' > /tmp/n.conf; exec nginx -c /tmp/n.conf -g 'daemon off;'"


def listening(*addresses):
    return ["sh", "-c", _NGINX.format(" ".join("listen {0};".format(one) for one in addresses))]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class World:
    """Containers and networks of one test, and nothing else of this machine."""

    def __init__(self, root):
        self.image, self.prefix = local_image("nginx"), "expo-b-" + uuid.uuid4().hex[:8]
        self.root, self.containers, self.networks, self.links = root, {}, [], []

    @property
    def stack(self):
        return self.prefix + "-shop"

    def docker(self, *words):
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)

    def run(self, name, *options, command=("sleep", "600"), service=None):
        labels = {"com.docker.compose.project": self.stack, "com.docker.compose.service": service} if service else {}
        words = [word for key, value in labels.items() for word in ("--label", "{0}={1}".format(key, value))]
        done = self.docker("run", "-d", "--name", self.name(name), *words, *options, self.image, *command)
        self.containers[name] = self.name(name)
        return done

    def name(self, name):
        return "{0}-{1}".format(self.prefix, name)

    def network(self, name, *options):
        done = self.docker("network", "create", *options, self.name(name))
        self.networks.append(self.name(name))
        return done

    def link(self):
        """A parent for a macvlan, which leads nowhere."""
        one = "exb" + uuid.uuid4().hex[:6]
        self.links.append(one)
        made = subprocess.run(["ip", "link", "add", one, "type", "veth", "peer", "name", one + "p"], capture_output=True, check=False)
        subprocess.run(["ip", "link", "set", one, "up"], capture_output=True, check=False)
        return one if made.returncode == 0 else ""

    def release(self, **services):
        directory = self.root / self.stack / "releases" / RELEASE
        directory.mkdir(parents=True)
        networks = {"default": {"name": self.name("net"), "external": True}}
        definition = {"name": self.stack, "services": services, "networks": networks}
        (directory / "release.json").write_text(json.dumps({"definition": definition}))
        (self.root / self.stack / "current").symlink_to("releases/" + RELEASE)

    def close(self):
        if self.containers:
            self.docker("rm", "-f", "-v", *self.containers.values())
        for one in self.networks:
            self.docker("network", "rm", one)
        for one in self.links:
            subprocess.run(["ip", "link", "del", one], capture_output=True, check=False)


def declared(published, **keys):
    return dict({"image": "x", "ports": [{"target": 80, "published": str(published), "host_ip": "127.0.0.1", "protocol": "tcp"}]}, **keys)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if os.geteuid():
        pytest.skip("sockets of others are seen by root alone")
    made = World(tmp_path_factory.mktemp("stacks"))
    made.ports = {name: free_port() for name in ("plain", "loopback", "host", "host_loopback", "wider", "leader")}
    try:
        ports = made.ports
        assert made.network("net").returncode == 0 and made.network("extra").returncode == 0
        own = ("--network", made.name("net"))
        starts = [
            made.run("plain", "-p", "{0}:80".format(ports["plain"])),
            made.run("ephemeral", "-p", "80", "-p", "81/udp"),
            made.run("loopback", "-p", "127.0.0.1:{0}:80".format(ports["loopback"])),
            made.run("hostnet", "--network", "host", command=listening("0.0.0.0:{0}".format(ports["host"]), "127.0.0.1:{0}".format(ports["host_loopback"]))),
            made.run("leader", "-p", "{0}:80".format(ports["leader"])),
            made.run("spy", "--network", "container:" + made.name("leader"), command=listening("80")),
            made.run("socket", "-v", "/var/run/docker.sock:/var/run/docker.sock:ro"),
            made.run("pids", "--pid", "host"),
            made.run("web", *own, "-p", "{0}:80".format(ports["wider"]), service="web"),
            made.run("old", *own, service="old"),
        ]
        assert [one.stderr for one in starts if one.returncode] == []
        assert made.docker("network", "connect", made.name("extra"), made.name("web")).returncode == 0
        made.release(web=declared(ports["wider"]))
        made.macvlan = False
        parent = made.link()
        if parent and made.network("lan", "-d", "macvlan", "-o", "parent=" + parent, "--subnet", "10.211.77.0/24").returncode == 0:
            made.macvlan = made.run("machine", "--network", made.name("lan")).returncode == 0
        made.privileged = made.run("strong", "--privileged").returncode == 0
        yield made
    finally:
        made.close()


@pytest.fixture
def found(world, capsys):
    result = run_module(port_exposure_info.main, capsys, dict(SETTINGS, stack_root=str(world.root)), check=True).result
    assert not result["changed"] and not result.get("failed")
    return result


def told(found, container, key="violations"):
    return {one["rule"]: one for one in found[key] if one["container"] == container}


def test_a_port_without_an_address_is_found_over_both_families(world, found):
    name, number = world.name("plain"), world.ports["plain"]
    published = [one for one in found["published"] if one["owner"]["container"] == name]
    assert [(one["address"], one["published"], one["target"], one["protocol"]) for one in published] == [
        ("0.0.0.0", number, 80, "tcp"),
        ("::", number, 80, "tcp"),
    ]
    sockets = [one for one in found["endpoints"] if one["port"] == number]
    assert {(one["family"], one["owner"]["container"]) for one in sockets} == {("ipv4", name), ("ipv6", name)}
    one = told(found, name)["undeclared_port"]
    assert "container {0} publishes 0.0.0.0:{1} and [::]:{1}".format(name, number) in one["what"]
    assert "without an address" in one["why"] and one["since"].startswith("20") and one["severity"] == "high"
    assert "0.0.0.0:{0} -> 80".format(number) in found["text"] and one["what"] in found["text"]


def test_the_engines_choice_of_ports_is_found(world, found):
    name = world.name("ephemeral")
    said = world.docker("port", name).stdout.split()
    numbers = {int(one.rpartition(":")[2]) for one in said if ":" in one}
    assert {one["published"] for one in found["published"] if one["owner"]["container"] == name} == numbers
    assert {one["endpoint"]["port"] for one in found["violations"] if (one["rule"], one["container"]) == ("undeclared_port", name)} == numbers
    assert {one["protocol"] for one in found["published"] if one["owner"]["container"] == name} == {"tcp", "udp"}


def test_loopback_is_reachable_for_neighbours_of_older_engines_alone(world, found):
    rules = told(found, world.name("loopback"))
    guarded = major_of(found["engine"]["version"]) >= 28 or found["firewall"]["ipv4"]["loopback_drop"]
    assert set(rules) - {"forward_accept"} == (set() if guarded else {"loopback_unprotected"})


def test_a_process_in_the_hosts_network_is_its_containers(world, found):
    name = world.name("hostnet")
    sockets = {one["port"]: one["owner"] for one in found["endpoints"] if one["owner"]["container"] == name}
    assert set(sockets) == {world.ports["host"], world.ports["host_loopback"]}
    assert {(one["kind"], one["process"]) for one in sockets.values()} == {("container", "nginx")}
    one = told(found, name)["host_network"]
    assert one["endpoint"] == {"protocol": "tcp", "family": "ipv4", "address": "0.0.0.0", "port": world.ports["host"]}
    assert "nginx listens on 0.0.0.0:{0}".format(world.ports["host"]) in one["what"]


def test_who_shares_a_network_that_publishes_is_named(world, found):
    one = told(found, world.name("spy"))["shared_network"]
    assert "in the network of container {0}, which publishes 0.0.0.0:{1}".format(world.name("leader"), world.ports["leader"]) in one["what"]


def test_who_has_the_engine_or_the_host_is_named(world, found):
    assert "/docker.sock mounted" in told(found, world.name("socket"))["docker_control"]["what"]
    assert "pid: host" in told(found, world.name("pids"))["docker_control"]["what"]


def test_a_privileged_container_is_named(world, found):
    if not world.privileged:
        pytest.skip("this machine runs no privileged container")
    assert "it is privileged" in told(found, world.name("strong"))["docker_control"]["what"]


def test_an_address_of_its_own_is_found(world, found):
    if not world.macvlan:
        pytest.skip("this machine makes no macvlan")
    one = told(found, world.name("machine"))["own_address"]
    assert "10.211.77." in one["what"] and "macvlan network {0}".format(world.name("lan")) in one["what"]
    (own,) = [one["own_addresses"] for one in found["containers"] if one["name"] == world.name("machine")]
    assert own[0]["address"].startswith("10.211.77.") and own[0]["why"] == "macvlan"
    assert own[0]["address"] in found["text"]


def test_a_stack_is_judged_by_its_release(world, found):
    web = told(found, world.name("web"))
    assert {"wider_than_declared", "extra_network"} <= set(web) and "undeclared_port" not in web
    assert "stack {0}: service web".format(world.stack) in web["wider_than_declared"]["what"]
    assert world.name("extra") in web["extra_network"]["what"]
    assert set(told(found, world.name("old"))) - {"forward_accept"} == {"orphan"}
    (row,) = found["rows"]
    assert (row["exposure"], row["addresses"], row["published"]) == ("public", ["0.0.0.0", "::"], str(world.ports["wider"]))


def test_what_is_waived_and_open_is_no_violation(world, capsys, tmp_path):
    settings = {
        "open": [{"port": world.ports["plain"], "protocol": "tcp", "reason": "meant"}, {"port": world.ports["host"], "protocol": "tcp", "reason": "meant"}],
        "waivers": [{"rule": "docker_control", "container": world.name("socket"), "reason": "ships logs"}],
    }
    (tmp_path / "exposure.json").write_text(json.dumps(settings))
    found = run_module(port_exposure_info.main, capsys, {"settings": str(tmp_path / "exposure.json"), "stack_root": str(world.root)}).result
    assert not {"undeclared_port", "host_network", "docker_control"} & {
        one["rule"] for one in found["violations"] if one["container"] in (world.name("plain"), world.name("hostnet"), world.name("socket"))
    }
    assert told(found, world.name("socket"), "waived")["docker_control"]["reason"] == "ships logs"


def test_all_violations_are_the_message_of_a_failure(world, capsys):
    result = run_module(port_exposure_info.main, capsys, dict(SETTINGS, stack_root=str(world.root), fail="high")).result
    assert result["failed"] and result["msg"].startswith("What is reachable is not what was declared:\n  [high]")
    assert world.name("plain") in result["msg"] and "Remedy: " in result["msg"]


def test_the_same_sockets_as_those_of_ss(world, found):
    said = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    shown = {line.split()[3] for line in said.splitlines()}
    numbers = set(world.ports.values())
    own = {"{0}:{1}".format("[::]" if one["address"] == "::" else one["address"], one["port"]) for one in found["endpoints"] if one["protocol"] == "tcp"}
    assert {one for one in own if int(one.rpartition(":")[2]) in numbers} == {one for one in shown if int(one.rpartition(":")[2]) in numbers}


# -- a machine of which less is seen --------------------------------------------------------------------------------------


@pytest.fixture
def without_engine(tmp_path, monkeypatch):
    client = port_exposure_info.EngineClient
    monkeypatch.setattr(port_exposure_info, "EngineClient", lambda timeout: client(str(tmp_path / "x.sock"), timeout))


def run_quietly(monkeypatch, programs):
    def runner(_module):
        return lambda argv, data: programs.get(argv[0], (127, "", "there is no program {0}".format(argv[0])))

    monkeypatch.setattr(port_exposure_info, "runner", runner)


def test_without_docker_there_are_sockets(without_engine, monkeypatch, capsys):
    run_quietly(monkeypatch, {"ip": (0, "[]", "")})
    with socket.socket() as own:
        own.bind(("0.0.0.0", 0))
        own.listen()
        number = own.getsockname()[1]
        found = run_module(port_exposure_info.main, capsys, SETTINGS).result
    (one,) = [one for one in found["endpoints"] if (one["port"], one["protocol"]) == (number, "tcp")]
    assert (one["owner"]["kind"], one["owner"]["pid"]) == ("process", os.getpid())
    assert (found["published"], found["containers"], found["networks"], found["engine"]["running"]) == ([], [], [], False)
    (told,) = [one for one in found["violations"] if one["endpoint"]["port"] == number]
    assert (told["rule"], told["process"]) == ("undeclared_listener", one["owner"]["process"])


def test_facts_alone_are_not_judged(without_engine, monkeypatch, capsys):
    run_quietly(monkeypatch, {})
    found = run_module(port_exposure_info.main, capsys, dict(SETTINGS, judge=False, fail="any")).result
    assert not {"violations", "notices", "waived", "declared", "rows"} & set(found)
    assert found["text"].startswith("PORT") and "What is reachable is what was declared" not in found["text"]


def test_who_is_not_root_is_told_what_was_not_seen(without_engine, monkeypatch, capsys):
    run_quietly(monkeypatch, {})
    monkeypatch.setattr(port_exposure_info, "os", types.SimpleNamespace(geteuid=lambda: 1000))
    found = run_module(port_exposure_info.main, capsys, SETTINGS).result
    assert "This did not run as root" in found["unseen"][0] and "become: true" in found["unseen"][0]
    assert "Not seen:" in found["text"]
    assert "What is reachable is what was declared." not in found["text"]


def test_settings_that_are_none_end_it(without_engine, monkeypatch, capsys, tmp_path):
    (tmp_path / "exposure.json").write_text("{")
    result = run_module(port_exposure_info.main, capsys, dict(SETTINGS, settings=str(tmp_path / "exposure.json"))).result
    assert result["failed"] and "is not what the role firewall writes" in result["msg"]
