# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers, and the real engine that runs commands in their containers."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from ansible_collections.portside.stack.plugins.module_utils._check_rules import parse
from ansible_collections.portside.stack.plugins.module_utils._check_watch import Story, watch
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._engine_exec import HostProcesses, TimeIsUp, execute
from ansible_collections.portside.stack.plugins.module_utils._probe_kinds import attempt
from check_host import objection, world
from local_images import local_image, running

PASSWORD = "hunter2hunter2"


def address(name):
    found = subprocess.run(["docker", "inspect", name], check=True, capture_output=True).stdout
    return next(network["IPAddress"] for network in json.loads(found)[0]["NetworkSettings"]["Networks"].values())


def watched(check, on, deadline=90):
    """The story of a check of a server that is just being started."""
    story, began = Story(parse([dict(check, name="one", interval=0.1)])[0]), time.monotonic()
    watch(story, deadline, lambda: time.monotonic() - began, time.sleep, lambda one, timeout: attempt(one, on, timeout))
    return story


@pytest.fixture(name="redis")
def redis_fixture(tmp_path):
    with running(local_image("/library/redis"), tmp_path, "redis-server", "--requirepass", PASSWORD, network="bridge") as name:
        yield name


def test_redis_and_a_queue_in_it(redis):
    on, host = world(secrets={"pw": PASSWORD, "wrong": "x"}), address(redis)
    assert watched({"redis": host, "password_secret": "pw"}, on).passed
    assert objection({"redis": host}, on).said == "it asks for a password"
    assert objection({"redis": host, "password_secret": "wrong"}, on).said == "it does not take the password"
    queue = {"queue": {"redis": host, "database": 3, "max": 1}, "password_secret": "pw"}
    assert objection(queue, on) is None
    cli = ["docker", "exec", "--env", "REDISCLI_AUTH=" + PASSWORD, redis, "redis-cli", "-n", "3"]
    subprocess.run([*cli, "rpush", "celery", "a", "b"], check=True, capture_output=True)
    assert objection(queue, on).said == "2 wait in the queue, more than 1"
    subprocess.run([*cli, "set", "celery2", "a"], check=True, capture_output=True)
    assert objection({**queue, "queue": {**queue["queue"], "name": "celery2"}}, on).said == "what has this name is no list"


def test_postgresql_takes_sessions_once_it_has_started(tmp_path):
    words = ["env", "POSTGRES_PASSWORD=" + PASSWORD, "docker-entrypoint.sh", "postgres"]
    with running(local_image("/library/postgres"), tmp_path, *words, network="bridge") as name:
        story = watched({"postgresql": address(name)}, world())
        assert story.passed and story.failures and story.words(0).startswith("slow start")
        said = subprocess.run(["docker", "logs", name], check=True, capture_output=True)
        complaints = [line for line in said.stderr.splitlines() if b"FATAL" in line]
        # Nobody logs in, so a server that has started has nothing to complain of.
        assert all(b"the database system is starting up" in line for line in complaints)


def test_a_command_is_run_and_one_that_hangs_is_ended(redis):
    engine, made = EngineClient(), subprocess.run(["docker", "inspect", "-f", "{{.Id}}", redis], check=True, capture_output=True, text=True).stdout.strip()
    code, output = execute(engine, made, ["sh", "-c", "echo one; echo two >&2; exit 3"], 20, time, HostProcesses())
    # Output and errors come through two pipes: the engine promises no order between them.
    assert code == 3 and sorted(output.splitlines()) == ["one", "two"]
    began = time.monotonic()
    with pytest.raises(TimeIsUp) as caught:
        execute(engine, made, ["sh", "-c", "echo before; exec sleep 4711"], 1, time, HostProcesses())
    assert time.monotonic() - began < 10 and caught.value.output == "before\n"
    until = time.monotonic() + 10
    while time.monotonic() < until:
        left = execute(engine, made, ["sh", "-c", "cat /proc/[1-9]*/cmdline | tr '\\0' ' '"], 20, time, HostProcesses())[1]
        if "sleep 4711" not in left:
            return
        time.sleep(0.1)
    raise AssertionError(left)
