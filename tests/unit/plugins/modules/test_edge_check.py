# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal
import subprocess
import time
import uuid

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_check import around
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.modules import edge_check
from edge_stacks import certificate
from local_images import local_image
from module_runner import run_module
from throw_away_engine import ThrowAwayEngine

CONFIG = "events {}\nhttp {\n  server {\n    retrun 200;\n  }\n}\n"
TLS = """\
events {{}}
http {{
  server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    listen 443 ssl;
    http2 on;
    ssl_certificate /etc/portside/certificates/a.pem;
    ssl_certificate_key /etc/portside/certificates/a.pem;
    resolver 127.0.0.11;
    {0}
  }}
}}
"""


@pytest.fixture(name="engine")
def engine_fixture(tmp_path, monkeypatch, run_directory):
    with ThrowAwayEngine(tmp_path / "docker.sock") as made:
        made.images["pin"] = {"Id": "sha256:1"}
        client = edge_check.EngineClient
        monkeypatch.setattr(edge_check, "EngineClient", lambda: client(made.path))
        monkeypatch.setattr(edge_check.signal, "signal", lambda *_: None)
        yield made


@pytest.fixture(name="check")
def check_fixture(capsys):
    def call(files, kind="nginx", check=False, **options):
        arguments = dict({"stack": "shop", "kind": kind, "image": "pin", "files": files}, **options)
        return run_module(edge_check.main, capsys, arguments, check)

    return call


def test_every_file_that_nginx_may_be_started_with_is_judged(engine, check):
    outcome = check({"nginx.conf": "a", "challenge.conf": "b"}, certificates=["certificates/a.pem"])
    assert (outcome["changed"], outcome["judged"]) == (False, ["challenge.conf", "nginx.conf"])
    assert [body["Entrypoint"] + body["Cmd"] for body in engine.bodies] == [
        ["nginx", "-t", "-c", "/etc/portside/challenge.conf"],
        ["nginx", "-t", "-c", "/etc/portside/nginx.conf"],
    ]
    assert {body["HostConfig"]["NetworkMode"] for body in engine.bodies} == {"none"}
    given = engine.files[0]
    assert (given["etc/portside/nginx.conf"], given["etc/portside/challenge.conf"]) == ("a", "b")
    assert "PRIVATE KEY" in given["etc/portside/certificates/a.pem"] and "BEGIN CERTIFICATE" in given["etc/portside/certificates/a.pem"]
    # Also where the image's user is not root; and no directory of the image's own is altered.
    assert set(engine.modes.values()) == {0o644, 0o755} and "etc" not in engine.modes
    assert engine.containers == {}


def test_a_refusal_has_the_programs_words_and_the_lines_that_it_means(engine, check):
    engine.code = 1
    engine.output = (
        '2026/01/01 00:00:00 [emerg] 1#1: unknown directive "retrun" in /etc/portside/nginx.conf:4\n'
        "nginx: configuration file /etc/portside/nginx.conf test failed\n"
    )
    told = check({"nginx.conf": CONFIG}, service="front")["msg"]
    assert told.startswith("stack shop: service front: nginx refuses nginx.conf:\n")
    assert 'unknown directive "retrun"' in told and "test failed" not in told
    assert "\n     3    server {\n>    4      retrun 200;\n     5    }\n" in told
    assert "Remedy: correct what these lines are made from under routes or edge" in told
    assert engine.containers == {}


@pytest.mark.parametrize(
    "code, output, refused",
    [
        (0, "Validating rules from /etc/portside/config.yml\nOK\n", ""),
        (0, "2026-01-01T00:00:00Z WRN Your configuration file has unused keys: [pathh]\nOK\n", "unused keys: [pathh]"),
        (0, "Warning: unused keys [\"pathh\"]\nOK\n", "unused keys"),
        (1, "Validation failed: The last ingress rule must match all URLs\n", "The last ingress rule must match"),
    ],
)
def test_cloudflared_may_not_even_warn(engine, check, code, output, refused):
    engine.code, engine.output = code, output
    outcome = check({"config.yml": "ingress: []\n"}, kind="cloudflared", service="tunnel")
    (body,) = engine.bodies
    assert body["Entrypoint"] + body["Cmd"] == ["cloudflared", "tunnel", "--config", "/etc/portside/config.yml", "ingress", "validate"]
    if refused:
        assert "stack shop: service tunnel: cloudflared refuses config.yml:" in outcome["msg"] and refused in outcome["msg"]
    else:
        assert outcome["judged"] == ["config.yml"]


@pytest.mark.parametrize("where", ["given", "kept", "nowhere"])
@pytest.mark.parametrize("wrong", ["", "other", "garbage"])
def test_a_certificate_that_is_brought_is_compared_with_its_key(engine, check, tmp_path, where, wrong):
    key, chain = certificate("a.test")
    text = {"": key, "other": certificate("a.test")[0], "garbage": "hunter2"}[wrong]
    if where == "kept":
        (tmp_path / "secrets/tls_key").mkdir(parents=True)
        (tmp_path / "secrets/tls_key/2").write_text(text)
    pair = {"file": "0.pem", "certificate": chain, "secret": "tls_key", "version": 2}
    values = {"tls_key": text} if where == "given" else {}
    outcome = check({"nginx.conf": "a"}, brought=[pair], values=values, secrets=str(tmp_path / "secrets"), check=True)
    if wrong and where != "nowhere":
        said = "is for another key than the one in secret tls_key" if wrong == "other" else "or its key in secret tls_key, cannot be read"
        assert outcome["msg"].startswith("stack shop: service edge: certificate 0.pem: its certificate") and said in outcome["msg"]
        assert "Remedy" in outcome["msg"] and "hunter2" not in str(outcome) and engine.bodies == []
    else:
        # Whoever writes secrets sees to it that there is one.
        assert outcome["judged"] == ["nginx.conf"] and key not in str(engine.files)


def test_an_image_without_the_program_is_told(engine, check):
    engine.refusal = "exec: nginx: not found"
    assert "service edge: nginx cannot be run in image sha256:1: " in check({"nginx.conf": "a"})["msg"]
    assert engine.containers == {}


def test_without_the_image_a_plan_goes_on_with_a_warning(engine, check):
    engine.images.clear()
    outcome = check({"nginx.conf": "a"}, check=True)
    assert outcome["judged"] == [] and "was not judged by nginx itself: image pin is not on the host yet" in outcome.warnings[0]
    assert "image pin is not on the host. Remedy" in check({"nginx.conf": "a"})["msg"]
    engine.away = 99
    assert check({"nginx.conf": "a"}, check=True)["judged"] == []
    assert "no Docker engine answers" in check({"nginx.conf": "a"})["msg"]


def test_check_mode_judges_where_it_can(engine, check):
    assert check({"nginx.conf": "a"}, check=True)["judged"] == ["nginx.conf"]


def test_a_missing_file_is_told(engine, check):
    assert "option files: nginx.conf is not given. Remedy" in check({"other.conf": "a"})["msg"]


def test_while_a_run_has_the_lock_only_that_run_may(engine, check):
    lock = StackLock("shop", time.time)
    lock.acquire({"who": "alice", "origin": "laptop", "pid": 1, "started": "x"}, "deploy", "token", 100)
    assert "alice" in check({"nginx.conf": "a"})["msg"]
    assert check({"nginx.conf": "a"}, lock="token")["judged"] == ["nginx.conf"]


def test_a_signal_ends_it_and_leaves_nothing(engine, check, monkeypatch):
    def interrupted(*_arguments):
        edge_check.interrupt("shop", signal.SIGTERM)

    client = type(edge_check.EngineClient())
    monkeypatch.setattr(client, "logs", interrupted)
    assert check({"nginx.conf": "a"})["msg"].startswith("stack shop: interrupted by SIGTERM")
    assert engine.containers == {}


def test_what_a_killed_run_left_goes_and_nothing_else(engine, check):
    own = {"portside.stack": "shop", "portside.throw-away": "edge-check"}
    engine.containers.update(
        old={"Labels": own, "Created": 1},
        new={"Labels": own, "Created": 2**40},
        other={"Labels": dict(own, **{"portside.stack": "blog"}), "Created": 1},
        service={"Labels": {"portside.stack": "shop"}, "Created": 1},
    )
    check({"nginx.conf": "a"})
    assert sorted(engine.containers) == ["new", "other", "service"]


def test_the_lines_around_a_place_stay_within_the_file():
    assert around("a\nb\n", "nginx.conf", ["x in /etc/portside/nginx.conf:1"]) == [">    1  a", "     2  b"]
    assert around("a\nb\n", "config.yml", ["yaml: line 2: did not find"]) == ["     1  a", ">    2  b"]
    assert around("a\n", "nginx.conf", ["x in /etc/portside/other.conf:1", "nothing"]) == []


@pytest.fixture(name="real")
def real_fixture(check, monkeypatch, run_directory):
    image = local_image("/library/nginx")
    monkeypatch.setattr(edge_check.signal, "signal", lambda *_: None)
    stack = "portside-unit-" + uuid.uuid4().hex[:12]
    return stack, lambda more: check({"nginx.conf": TLS.format(more)}, image=image, certificates=["certificates/a.pem"], stack=stack)


def test_a_real_nginx_judges(real):
    stack, judged = real
    assert judged("return 204;")["judged"] == ["nginx.conf"]
    # No name need be known where the configuration is judged.
    assert judged("location / { set $up http://api:8000; proxy_pass $up; }")["judged"] == ["nginx.conf"]
    told = judged("return 204")["msg"]
    assert "nginx refuses nginx.conf" in told and ">   12    }" in told
    left = subprocess.run(["docker", "ps", "-aq", "--filter", "label=portside.stack=" + stack], capture_output=True, check=True)
    assert left.stdout == b""
