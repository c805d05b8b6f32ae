# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that fail on a host of the bed, and what becomes of them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
import testinfra
from playbook import Playbook

PROJECT = pathlib.Path(__file__).parents[2]
HOST = os.environ.get("MOLECULE_SCENARIO_NAME", "healing")
INVENTORY = os.environ.get("MOLECULE_INVENTORY_FILE", str(PROJECT / "tests/healing/inventory/hosts.yml"))
HEAL = "portside-heal.service"
WEB, SIDECAR, DATABASE, CRASHING = ("shop-{}-1".format(name) for name in ("web", "sidecar", "database", "crashing"))
# Notes each thing that it is told as a line.
RECEIVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open("/root/told", "ab").write(body + b"\\n")
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 9090), Handler).serve_forever()
"""
IMAGE = "registry.test:5000/portside/edge-app:1.0.0"


class Server:
    """The host."""

    def __init__(self) -> None:
        subprocess.run(["python3", "tests/bed", "up", HOST], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
        self._host = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(PROJECT / ".bed/ssh_config"), sudo=True)
        self.since = ""

    def sh(self, command: str) -> str:
        """What a shell command of root says; it has to succeed."""
        return self._host.check_output(command)

    def begin(self) -> None:
        """What is counted from now on. The engine itself remembers few events, and each run of a healthcheck is three."""
        self._host.run("systemctl stop restarts")
        self.sh("rm -f /root/restarts")
        listen = "docker events --filter type=container --filter event=restart --format {{.Actor.Attributes.name}}"
        self.sh(f"systemd-run --unit restarts --collect sh -c 'while :; do {listen} >>/root/restarts; sleep 0.1; done'")
        self.since = self.sh("date +%s.%N")

    def restarts(self, *names: str) -> list[str]:
        """The containers that the engine was asked to restart since then, in this order."""
        told = self.sh("touch /root/restarts; cat /root/restarts").split()
        return [name for name in told if name in names or not names]

    def journal(self) -> list[str]:
        """What the watcher told since then."""
        return self.sh(f"journalctl --unit {HEAL} --since @{self.since} --output cat --no-pager").splitlines()

    def told(self) -> list[dict]:
        """What the webhook was told, ever."""
        lines = self.sh("touch /root/told; cat /root/told").splitlines()
        return [entry for line in lines for entry in json.loads(line)["healing"]]

    def state(self) -> dict:
        return json.loads(self.sh("cat /run/portside/heal.json"))

    def inspect(self, name: str, what: str) -> str:
        return self.sh(f"docker inspect --format '{{{{{what}}}}}' {name}")

    def health(self, name: str) -> str:
        return self.inspect(name, ".State.Health.Status")

    def serves(self) -> bool:
        """Whether a user of the stack is answered."""
        return self._host.run("curl -fsS --max-time 1 http://127.0.0.1/").rc == 0

    def until(self, true, seconds: float) -> float:
        """Waits until that is so; answers how long it was not."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() < began + seconds, "not so after {} s\n{}".format(seconds, "\n".join(self.journal()))
            time.sleep(0.2)
        return time.monotonic() - began

    def well(self) -> None:
        """Everything as after a deploy."""
        for name in (WEB, SIDECAR, DATABASE):
            self.sh(f"docker exec {name} rm -f /dev/shm/sick /tmp/sick")
        self.until(lambda: {self.health(name) for name in (WEB, SIDECAR, DATABASE)} == {"healthy"}, 180)


@pytest.fixture(scope="session")
def deployed():
    server = Server()
    done = Playbook("site.yml", INVENTORY).end(900)
    assert done.code == 0, done.output
    server._host.run("systemctl stop receiver")
    server.sh(f"systemd-run --unit receiver --collect python3 -c '{RECEIVER}'")
    return server


@pytest.fixture
def server(deployed):
    # What earlier tests did to it is forgotten.
    deployed.sh(f"docker exec {CRASHING} rm -f /tmp/crash || true")
    deployed.well()
    deployed.sh(f"systemctl stop {HEAL}; rm -f /run/portside/heal.json /root/told; systemctl start {HEAL}")
    deployed.begin()
    return deployed


def test_a_container_that_fails_three_times_is_restarted_and_serves_again_with_who_has_its_network(server):
    began, started = time.monotonic(), server.inspect(WEB, ".State.StartedAt")
    server.sh(f"docker exec {WEB} touch /dev/shm/sick")
    server.until(lambda: server.inspect(WEB, ".State.StartedAt") != started, 90)
    failed = time.monotonic() - began
    server.until(lambda: (server.health(WEB), server.health(SIDECAR)) == ("healthy", "healthy"), 90)
    assert server.serves()
    # Checks are a second apart, and the engine waits for three.
    assert failed > 2
    assert server.restarts() == [WEB, SIDECAR]
    # It reaches who is beside it: that it has the old network would not show in its own health.
    server.sh(f"docker exec {SIDECAR} curl -fsS --max-time 2 http://127.0.0.1:8000/")
    server.until(lambda: [one["what"] for one in server.told()] == ["restarted", "followed", "healed"], 90)
    lines = server.journal()
    assert re.search(r"unhealthy: [34] failures in a row, the last was exit 1.*restarted \(1 of 3\)", lines[0]), lines
    assert (server.state()["shop/web"]["restarts"], server.state()["shop/web"]["given_up"]) == (1, False)
    print(f"restarted {failed:.1f} s after it began to fail, serves {time.monotonic() - began:.1f} s after that")


def test_a_process_that_hangs_is_restarted(server):
    server.sh(f"kill -STOP {server.inspect(WEB, '.State.Pid')}")
    server.until(lambda: not server.serves(), 15)
    waited = server.until(server.serves, 180)
    server.until(lambda: server.restarts() == [WEB, SIDECAR], 30)
    print(f"served again after {waited:.1f} s")


def test_one_that_keeps_failing_is_given_up_and_not_hammered(server):
    server.sh(f"docker exec {WEB} touch /tmp/sick")
    server.until(lambda: server.state().get("shop/web", {}).get("given_up"), 300)
    restarts = server.restarts(WEB)
    assert restarts == [WEB] * 3
    time.sleep(70)
    assert server.restarts(WEB) == restarts and server.health(WEB) == "unhealthy"
    assert sum("left alone from now on" in line for line in server.journal()) == 1
    assert [one["what"] for one in server.told() if one["service"] == "web"] == ["restarted"] * 3 + ["given_up"]
    # Also for another process of the watcher's.
    server.sh(f"systemctl restart {HEAL}")
    time.sleep(5)
    assert server.restarts(WEB) == restarts
    # Well by itself, it starts anew.
    server.sh(f"docker exec {WEB} rm /tmp/sick")
    server.until(lambda: "shop/web" not in server.state(), 90)
    server.sh(f"docker exec {WEB} touch /dev/shm/sick")
    server.until(lambda: server.restarts(WEB) == [*restarts, WEB], 90)


def test_a_loop_that_the_engine_drives_is_told_once(server):
    server.sh(f"docker exec {CRASHING} touch /tmp/crash; kill -9 $(docker inspect --format '{{{{.State.Pid}}}}' {CRASHING})")
    server.until(lambda: server.state().get("shop/crashing", {}).get("given_up"), 180)
    time.sleep(5)
    (line,) = [line for line in server.journal() if "crashing" in line]
    assert "the engine has restarted it" in line and "exit code 3" in line
    assert server.restarts() == []
    server.until(lambda: [one["what"] for one in server.told()] == ["loops"], 90)
    server.sh(f"docker rm --force {CRASHING}")
    server.sh("systemctl restart portside@opt-stacks-shop.service")
    server.until(lambda: server.sh(f"docker ps --quiet --filter name={CRASHING}"), 90)


def test_what_is_not_ours_or_excepted_is_left_alone(server):
    check = "--health-cmd false --health-interval 1s --health-retries 3"
    labels = "--label portside.stack=shop --label com.docker.compose.project=shop --label com.docker.compose.service=web"
    digest = server.inspect(WEB, 'index .Config.Labels "portside.digest"')
    try:
        server.sh(f"docker run -d --name foreign {check} {IMAGE}")
        server.sh(f"docker run -d --name once {check} {labels} --label portside.digest={digest} --label com.docker.compose.oneoff=True {IMAGE}")
        server.sh(f"docker run -d --name older {check} {labels} --label portside.digest=other {IMAGE}")
        server.sh(f"docker exec {DATABASE} touch /tmp/sick")
        server.until(lambda: {server.health(name) for name in ("foreign", "once", "older", DATABASE)} == {"unhealthy"}, 90)
        time.sleep(5)
        assert (server.restarts(), server.journal()) == ([], [])
    finally:
        server.sh("docker rm --force foreign once older")


def test_nothing_is_restarted_during_a_deploy(server):
    before = server.inspect("shop-new-1", ".Id")
    done = Playbook("playbooks/deploy.yml", INVENTORY, healing_path="/none?status=503").end(300)
    assert done.code != 0 and "new" in done.output
    assert server.restarts() == []
    assert not [line for line in server.journal() if "restarted" in line]
    # The release before is back, and healed again.
    server.until(lambda: server.health("shop-new-1") == "healthy", 90)
    assert server.inspect("shop-new-1", ".Id") != before
    server.sh(f"docker exec {WEB} touch /dev/shm/sick")
    server.until(lambda: server.restarts(WEB) == [WEB], 90)


def test_a_second_run_changes_nothing(server):
    done = Playbook("site.yml", INVENTORY, "--diff").end(600)
    assert (done.code, done.changed) == (0, 0), done.output


def test_the_engine_may_be_restarted(server):
    pid = server.sh(f"systemctl show --property MainPID --value {HEAL}")
    server.sh("systemctl restart docker")
    server.until(lambda: server.sh("systemctl list-jobs --no-legend") == "", 180)
    server.well()
    server.sh(f"docker exec {WEB} touch /dev/shm/sick")
    server.until(lambda: server.restarts(WEB) == [WEB], 180)
    assert server.sh(f"systemctl show --property MainPID --value {HEAL}") == pid


def test_what_was_unhealthy_before_is_seen_at_the_start(server):
    server.sh(f"systemctl stop {HEAL}; docker exec {WEB} touch /dev/shm/sick")
    server.until(lambda: server.health(WEB) == "unhealthy", 90)
    server.sh(f"systemctl start {HEAL}")
    server.until(lambda: server.restarts(WEB) == [WEB], 30)


def test_it_stops_at_once_and_runs_its_new_program_by_itself(server):
    stopped = f"date +%s.%N; systemctl stop {HEAL}; date +%s.%N"
    begun, ended = map(float, server.sh(stopped).split())
    seconds = ended - begun
    assert seconds < 2
    assert server.sh(f"systemctl show --property Result --value {HEAL}") == "success"
    server.sh(f"rm -f /run/portside/heal.json; systemctl start {HEAL}")
    # It has looked, so it knows which program it is.
    server.until(lambda: server.sh("find /run/portside -name heal.json"), 30)
    pid = server.sh(f"systemctl show --property MainPID --value {HEAL}")
    server.sh("cd /usr/local/lib/portside; cp portside.pyz new; mv new portside.pyz")
    server.until(lambda: server.sh(f"systemctl show --property MainPID --value {HEAL}") not in ("0", pid), 240)
    print(f"stopped within {seconds:.2f} s; {server.sh(f'systemctl show --property MemoryCurrent --value {HEAL}')} bytes")


def test_a_process_that_was_killed_for_memory_is_named(server):
    # Of this container alone, and until its next one.
    server.sh(f"docker update --memory 96m --memory-swap 96m {WEB}")
    server._host.run(f"docker exec {WEB} python -c 'bytearray(500_000_000)'")
    server.sh(f"docker exec {WEB} touch /dev/shm/sick")
    server.until(lambda: server.restarts(WEB) == [WEB], 90)
    server.until(lambda: any("it had no memory left" in line for line in server.journal()), 30)


def test_with_the_last_stack_it_goes(server):
    done = Playbook("playbooks/remove.yml", INVENTORY, stack="shop").end(300)
    assert done.code == 0, done.output
    assert server.sh(f"systemctl is-active {HEAL} || true; ls /etc/systemd/system/{HEAL} /run/portside/heal.json 2>&1 || true").startswith("inactive")
