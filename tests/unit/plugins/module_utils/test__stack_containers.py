# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._engine_exec import HostProcesses
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, Ran
from ansible_collections.portside.stack.plugins.module_utils._stack_containers import StackContainers
from check_host import objection, world
from exec_engine import ExecEngine


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with ExecEngine(tmp_path / "s") as engine:
        yield engine


def containers(engine):
    return StackContainers(lambda seconds: EngineClient(engine.path, seconds), "demo", time, HostProcesses())


def soon():
    return time.monotonic() + 5


def add(engine, service, networks=None, mode="demo_default", **keys):
    made = engine.add(service, "1", **keys)
    engine.containers[made]["HostConfig"]["NetworkMode"] = mode
    engine.containers[made]["NetworkSettings"]["Networks"] = networks or {}
    return made


def said(engine, method, service):
    with pytest.raises(Objection) as caught:
        getattr(containers(engine), method)(service, soon())
    return caught.value.said


def test_addresses_come_from_the_networks(engine):
    add(engine, "api", {"demo_back": {"IPAddress": "172.18.0.5"}, "demo_a": {"IPAddress": ""}}, labels={"com.docker.compose.container-number": "2"})
    add(engine, "api", {"demo_back": {"IPAddress": "172.18.0.4"}})
    add(engine, "api", {"demo_back": {"IPAddress": "172.18.0.9"}}, state="exited")
    add(engine, "api", {"demo_back": {"IPAddress": "172.18.0.8"}}, labels={"com.docker.compose.oneoff": "True"})
    add(engine, "api", {"other_back": {"IPAddress": "172.19.0.8"}}, project="other")
    assert containers(engine).addresses("api", soon()) == ["172.18.0.4", "172.18.0.5"]
    add(engine, "six", {"demo_six": {"IPAddress": "", "GlobalIPv6Address": "fd00::5"}})
    assert containers(engine).addresses("six", soon()) == ["fd00::5"]
    add(engine, "host", mode="host")
    assert containers(engine).addresses("host", soon()) == ["127.0.0.1"]
    owner = add(engine, "owner", {"demo_back": {"IPAddress": "172.18.0.7"}})
    add(engine, "guest", mode="container:" + owner)
    assert containers(engine).addresses("guest", soon()) == ["172.18.0.7"]


def test_what_cannot_be_used_is_told(engine):
    add(engine, "off", state="exited")
    add(engine, "alone", mode="none")
    add(engine, "orphan", mode="container:gone")
    assert said(engine, "of", "gone") == "service gone has no container"
    assert said(engine, "addresses", "off") == "no container of service off runs: it is exited"
    assert said(engine, "addresses", "alone") == "service alone has no address that the host reaches"
    assert "No such container" in said(engine, "addresses", "orphan")


def test_an_engine_that_is_away_is_an_objection(engine, tmp_path):
    engine.away = 1
    assert said(engine, "of", "api").startswith("the engine does not tell: no Docker engine answers")
    gone = StackContainers(lambda seconds: EngineClient(str(tmp_path / "none"), seconds), "demo", time, HostProcesses())
    for method in ("of", "addresses"):
        with pytest.raises(Objection, match="no Docker engine answers"):
            getattr(gone, method)("api", soon())


def test_commands_have_the_variables_of_the_service(engine):
    api = add(engine, "api")
    engine.output, engine.code = [b"done"], 1
    assert containers(engine).execute("api", ["true"], soon()) == Ran(1, "done")
    front = ["/bin/sh", "/portside/environment", "A=/run/secrets/a", "--"]
    engine.containers[api]["Config"]["Entrypoint"] = [*front, "/entry"]
    containers(engine).execute("api", ["true", "--"], soon())
    engine.containers[api]["Config"]["Entrypoint"] = ["/entry", "--"]
    containers(engine).execute("api", ["true"], soon())
    assert [words for _id, words in engine.commands] == [["true"], [*front, "true", "--"], ["true"]]


def test_checks_of_containers_and_commands_against_an_engine(engine):
    on = world(containers(engine))
    healthy = {"Health": {"Status": "healthy", "Log": []}}
    add(engine, "api", status=healthy)
    add(engine, "plain")
    assert objection({"container": "api"}, on) is None
    assert objection({"container": "plain"}, on) is None
    probes = [{"ExitCode": 7, "Output": "curl: (7) refused\n"}]
    add(engine, "api", status={"Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": probes}})
    found = objection({"container": "api"}, on)
    assert found.said == "container demo-api-1 is unhealthy, 4 times in a row" and found.seen == "exit 7: curl: (7) refused"
    add(engine, "slow", status={"Health": {"Status": "starting", "Log": []}})
    assert objection({"container": "slow"}, on).said == "container demo-slow-1 is not healthy yet"
    add(engine, "loop", state="restarting", status={"ExitCode": 3})
    assert objection({"container": "loop"}, on).said.startswith("container demo-loop-1 is restarting with exit code 3")
    assert objection({"container": "none"}, on).said == "service none has no container"
    engine.output, engine.code = [b"a\n", b"b\nc\nd\n"], 2
    found = objection({"command": ["x"], "service": "api"}, on)
    assert (found.said, found.seen) == ("exit code 2, output", "b\nc\nd")
    engine.code = 0
    assert objection({"command": ["x"], "service": "api", "output": "^a"}, on) is None
    assert objection({"command": ["x"], "service": "api", "output": "z"}, on).said == "the output does not match 'z'"
    engine.hangs = threading.Event()
    found = objection({"command": ["x"], "service": "api"}, on, timeout=0.3)
    assert found.said.startswith("x did not end within 0.") and found.seen.endswith("d\n")
    engine.hangs.set()
    engine.hangs, engine.refusal = None, "OCI runtime exec failed"
    assert "x could not be run: the Docker engine refused POST: OCI runtime exec failed" in objection({"command": ["x"], "service": "api"}, on).said


@pytest.mark.parametrize(
    ("output", "code", "workers", "said"),
    [
        ([b'Warning: x\n{"celery@a": {"ok": "pong"}}\n'], 0, 1, None),
        ([b'{"celery@a": {"ok": "pong"}, "celery@b": {"ok":"pong"}}'], 0, 2, None),
        ([b'{"celery@a": {"ok": "pong"}}'], 0, 2, "1 of 2 workers answer"),
        ([b"Error: No nodes replied within time constraint\n"], 69, 1, "no worker answers, exit code 69, output"),
    ],
)
def test_the_workers_of_celery(engine, output, code, workers, said):
    add(engine, "worker")
    engine.output, engine.code = output, code
    found = objection({"celery": "worker", "app": "core", "workers": workers}, world(containers(engine)))
    assert (found and found.said) == said
    assert engine.commands[0][1] == ["celery", "-A", "core", "inspect", "ping", "--timeout", "1", "--json"]
