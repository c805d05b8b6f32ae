# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program runs for real, as a process of its own instead of a container; the engine is a stand-in."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading

import pytest
from ansible_collections.portside.stack.plugins.module_utils._external_container import IMAGE, mounts
from ansible_collections.portside.stack.plugins.modules import external_check
from fake_engine import FakeEngine, Handler
from module_runner import run_module

PASSWORD = "pa$$w0rd-of-redis"
URL = "redis://:{0}@127.0.0.1:PORT".format(PASSWORD.replace("$", "%24"))
NETWORKS = {"shop_default": {"driver": "bridge", "internal": True}}


class MoreOfIt(Handler):
    """Networks are found by name as well, and containers tell their age."""

    def answer(self, status, body):
        for one in body if isinstance(body, list) else ():
            if one["Id"] in self.server.containers:
                one["Created"] = self.server.containers[one["Id"]].get("Created")
        super().answer(status, body)

    def delete_networks(self, engine, parts, query, body):
        super().delete_networks(engine, ["id-" + parts[0]], query, body)


class Host:
    def __init__(self, engine):
        self.engine, self.ran, self.given, self.networks, self.code = engine, [], [], [], 0

    def run(self, argv, data):
        self.ran.append(argv)
        self.networks.append(sorted(self.engine.networks))
        if argv[1] == "import":
            self.engine.images[argv[-1]] = "sha256:empty"
            return 0, "", ""
        if self.code:
            return self.code, "", "docker: Error response from daemon: no.\n"
        self.given.append(data)
        done = subprocess.run(argv[argv.index(IMAGE) + 1 :], input=data, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def host(tmp_path, monkeypatch):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        engine.RequestHandlerClass = MoreOfIt
        made = Host(engine)
        client = external_check.EngineClient
        monkeypatch.setattr(external_check, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(external_check, "detached", lambda *_arguments: made.run)
        yield made


class Redis:
    """Says what it is told to, one reply after each of what it is asked."""

    def __init__(self, listening):
        self.replies, self.asked = [b"+OK\r\n", b"+PONG\r\n"], []
        self.port = listening.getsockname()[1]
        threading.Thread(target=self.serve, args=(listening,), daemon=True).start()

    def serve(self, listening):
        while True:
            try:
                peer, _address = listening.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                for reply in self.replies:
                    self.asked.append(peer.recv(65536))
                    peer.sendall(reply)


@pytest.fixture
def redis():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Redis(listening)
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def check(host, redis, capsys, tmp_path):
    def call(*external, values=None, networks=None, check=False, **options):
        arguments = {
            "stack": "shop",
            "external": [dict({"network": "shop_default"}, **one) for one in external or [CACHE]],
            "networks": NETWORKS if networks is None else networks,
            "directory": str(tmp_path / "secrets"),
            "secrets": {"cache_url": {}},
            "values": values or {"cache_url": URL.replace("PORT", str(redis.port))},
            "timeout": 3,
        }
        return run_module(external_check.main, capsys, dict(arguments, **options), check)

    return call


CACHE = {"name": "cache", "kind": "redis", "secret": "cache_url"}


def outcomes(found):
    return [(one["name"], one["outcome"]) for one in found["external"]]


def test_a_server_is_tried_with_what_the_secret_says(check, host, redis):
    found = check(CACHE, {"name": "port", "kind": "tcp", "host": "127.0.0.1", "port": redis.port})
    assert outcomes(found) == [("cache", "ok"), ("port", "ok")]
    assert not found["changed"]
    # Both were tried at once.
    assert "*2\r\n$4\r\nAUTH\r\n${0}\r\n{1}\r\n".format(len(PASSWORD), PASSWORD).encode() in redis.asked
    assert found["external"][0]["address"] == "127.0.0.1:{0}".format(redis.port)


def test_no_secret_is_anywhere_but_on_the_standard_input(check, host, redis):
    for replies in ([b"+OK\r\n", b"+PONG\r\n"], [b"-ERR " + PASSWORD.encode() + b"\r\n"]):
        redis.replies = replies
        found = check()
        assert PASSWORD not in found.seen + json.dumps(host.ran)
        assert URL.partition("@")[0] not in found.seen + json.dumps(host.ran)
    assert PASSWORD in host.given[0]


def test_the_container_is_on_the_network_and_may_do_nothing(check, host):
    check()
    argv = host.ran[-1]
    assert argv[argv.index("--network") + 1] == "shop_default"
    assert {"--rm", "--read-only", "--cap-drop", "no-new-privileges"} < set(argv)
    assert argv[argv.index("--user") + 1] == "65534:65534"
    assert argv[argv.index("--log-driver") + 1] == "none"
    assert all(word.endswith(",readonly") for word in argv if word.startswith("type=bind"))


def test_the_image_is_made_once_and_never_pulled(check, host):
    check()
    check()
    assert [argv[1] for argv in host.ran] == ["import", "run", "run"]
    assert host.ran[0][2:] == ["-", IMAGE]
    assert all(argv[argv.index("--pull") + 1] == "never" for argv in host.ran[1:])


def test_a_network_is_made_for_the_time_and_removed(check, host):
    assert outcomes(check()) == [("cache", "ok")]
    assert host.networks[-1] == ["shop_default"]
    assert host.engine.networks == {}
    host.code = 125
    assert "from network shop_default did not do so: docker: Error response from daemon: no." in check()["msg"]
    assert host.engine.networks == {}


def test_a_network_that_is_there_or_is_used_meanwhile_stays(check, host):
    host.engine.networks["shop_default"] = {}
    check()
    assert list(host.engine.networks) == ["shop_default"]
    host.engine.networks.clear()
    real = host.run

    def run(argv, data):
        host.engine.networks.get("shop_default", {}).update(Containers={"x": {}})
        return real(argv, data)

    host.run = run
    check()
    assert list(host.engine.networks) == ["shop_default"]


@pytest.mark.parametrize("away", [0, 99])
def test_check_mode_makes_nothing(check, host, away):
    host.engine.away = away
    found = check(check=True)
    assert outcomes(found) == [("cache", "not_checked")]
    assert "network shop_default is not on the host yet" in found["external"][0]["text"]
    assert (host.ran, host.engine.networks) == ([], {})
    host.engine.away = 0
    host.engine.networks["shop_default"] = {}
    assert outcomes(check(check=True)) == [("cache", "ok")]


def test_a_network_that_another_stack_is_to_make_is_waited_for(check, host):
    assert outcomes(check(networks={})) == [("cache", "not_checked")]
    assert host.ran == []


def test_without_an_engine_the_remedy_is_told(check, host):
    host.engine.away = 99
    assert "stack shop: no Docker engine answers" in check()["msg"]


def test_all_that_fail_are_told_at_once_and_by_name(check, host, redis):
    redis.replies = [b"-WRONGPASS invalid\r\n"]
    found = check(CACHE, {"name": "mail", "kind": "tcp", "host": "127.0.0.1", "port": 1})
    first, second = found["msg"].splitlines()
    where = "stack shop: external service cache (redis, 127.0.0.1:{0}), seen from network shop_default: it does not let in: "
    assert first.startswith(where.format(redis.port))
    assert "Remedy: correct user and password in secret cache_url" in first
    assert "external service mail (tcp, 127.0.0.1:1), seen from network shop_default: the connection is refused" in second
    assert outcomes(found) == [("cache", "authentication"), ("mail", "refused")]


def test_networks_are_tried_each_for_itself(check, host, redis):
    host.engine.networks = {"shop_default": {}, "shop_back": {}}
    port = {"kind": "tcp", "host": "127.0.0.1", "port": redis.port}
    found = check(dict(port, name="a", network="shop_default"), dict(port, name="b", network="shop_back"), dict(port, name="c"))
    assert outcomes(found) == [("a", "ok"), ("b", "ok"), ("c", "ok")]
    assert [argv[argv.index("--network") + 1] for argv in host.ran[1:]] == ["shop_back", "shop_default"]


def test_a_value_that_cannot_be_is_named_and_not_shown(check, host):
    second = dict(CACHE, name="other", secret="other_url")
    values = {"cache_url": "hidden-value-1", "other_url": "http://hidden-value-2"}
    found = check(CACHE, second, values=values, secrets={"cache_url": {}, "other_url": {}})
    assert "external service cache: the value of secret cache_url is not a URL" in found["msg"]
    assert "external service other: the value of secret other_url is a URL with http://, which is no Redis" in found["msg"]
    assert "hidden" not in found.seen
    assert host.ran == []


def test_a_composed_value_is_tried_as_it_will_be(check, redis):
    secrets = {"cache_url": {"template": "redis://:{{pw}}@127.0.0.1:{0}".format(redis.port)}, "pw": {}}
    assert outcomes(check(secrets=secrets, values={"pw": PASSWORD})) == [("cache", "ok")]
    assert PASSWORD.encode() in redis.asked[0]


def test_what_an_interrupted_run_left_is_removed_and_no_other_container(check, host):
    for name, created, labels in (("old", 1, {"portside.external": "shop"}), ("new", 2**40, {"portside.external": "shop"}), ("other", 1, {})):
        made = host.engine.containers.pop(host.engine.add(name, "d", labels=labels))
        host.engine.containers[name] = dict(made, Id=name, Created=created)
    check()
    assert sorted(host.engine.containers) == ["new", "other"]


def test_what_python_needs_is_mounted_where_it_is():
    found = mounts(lambda place: place != "/lib32")
    assert "type=bind,source=/usr,target=/usr,readonly" in found
    assert not [word for word in found if "target=/lib32," in word]
    assert len(found) == 2 * len({word for word in found if word != "--mount"})
