# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller and a host that are network namespaces of this machine, connected with each other and with nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import port_listeners
import pytest
from ansible_collections.portside.stack.plugins.module_utils import _port_probe
from ansible_collections.portside.stack.plugins.modules import port_probe
from module_runner import run_module

HOST, HOST6, CONTROLLER = "198.51.100.1", "2001:db8:1::1", "198.51.100.2"
# Of the host as well: one that lets nothing through, one that stops to after the first connection, one that has no ssh.
SHUT, BLOCKING, REJECTING = "198.51.100.3", "198.51.100.4", "198.51.100.5"
LISTENING = {"tcp": [22, 80, 443, 5432, 6379, 7000], "resets": [7000], "udp": [53, 8125], "answers": [53]}
RULES = """
table inet expoc {{
  chain input {{
    type filter hook input priority 0;
    tcp dport {{ 443, 6379 }} drop
    ip daddr {shut} drop
    ip daddr {blocking} tcp dport 22 ct state new limit rate over 1/day burst 1 packets drop
    ip daddr {rejecting} tcp dport 5432 reject with icmp type admin-prohibited
  }}
}}
""".format(shut=SHUT, blocking=BLOCKING, rejecting=REJECTING)


def command(*arguments, **options):
    return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=30, **options)


class Namespaces:
    def __init__(self):
        self.host, self.controller = ("expoc-{0}-{1}".format(os.getpid(), side) for side in ("h", "c"))

    @contextlib.contextmanager
    def made(self):
        try:
            self._connect()
            listeners = [sys.executable, port_listeners.__file__, json.dumps(LISTENING)]
            with self._process(self.host, listeners, stdin=subprocess.PIPE) as process:
                assert process.stdout.readline() == "ready\n"
                yield self
        finally:
            for name in (self.host, self.controller):
                # With the namespace goes all that is in it.
                subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def _connect(self):
        for name in (self.host, self.controller):
            command("ip", "netns", "add", name)
            command("ip", "-n", name, "link", "set", "lo", "up")
        command("ip", "-n", self.host, "link", "add", "outside", "type", "veth", "peer", "name", "outside", "netns", self.controller)
        own = {self.host: [HOST, HOST6, SHUT, BLOCKING, REJECTING], self.controller: [CONTROLLER, "2001:db8:1::2"]}
        for name, addresses in own.items():
            for address in addresses:
                bits, more = ("64", ["nodad"]) if ":" in address else ("24", [])
                command("ip", "-n", name, "address", "add", "{0}/{1}".format(address, bits), "dev", "outside", *more)
            command("ip", "-n", name, "link", "set", "outside", "up")
        command("ip", "netns", "exec", self.host, "nft", "-f", "-", input=RULES)

    @contextlib.contextmanager
    def _process(self, name, arguments, **options):
        process = subprocess.Popen(["ip", "netns", "exec", name, *arguments], stdout=subprocess.PIPE, text=True, **options)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextlib.contextmanager
    def probing(self, arguments):
        """The module as it runs on the controller, as a program of its own."""
        program = [sys.executable, "-m", port_probe.__name__]
        paths = dict(os.environ, PYTHONPATH=str(pathlib.Path(port_probe.__file__).parents[5]))
        with tempfile.TemporaryFile("w+") as given:
            json.dump({"ANSIBLE_MODULE_ARGS": arguments}, given)
            given.seek(0)
            with self._process(self.controller, program, env=paths, stdin=given, stderr=subprocess.STDOUT) as process:
                yield process

    def probe(self, **arguments):
        with self.probing(arguments) as process:
            output, _none = process.communicate(timeout=60)
        return json.loads(output)


@pytest.fixture(name="namespaces", scope="module")
def namespaces_fixture():
    if os.getuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        pytest.skip("needs root, iproute2 and nftables")
    with Namespaces().made() as made:
        yield made


def port(number, protocol="tcp", owner=""):
    return {"port": number, "protocol": protocol, "owner": owner}


def outcomes(result, address=None):
    return {(one["protocol"], one["port"]): one["outcome"] for one in result["results"] if address in (None, one["address"])}


@pytest.mark.parametrize(("address", "family"), [(HOST, "ipv4"), (HOST6, "ipv6")])
def test_a_real_host_over_each_family(namespaces, address, family):
    began = time.monotonic()
    result = namespaces.probe(
        addresses=[address],
        control=[22],
        open=[port(80, owner="edge"), port(443, owner="stack shop, service edge"), port(81, owner="gone"), port(53, "udp")],
        closed=[port(5432, owner="stack shop, service db"), port(6379), port(7000, owner="proxy"), port(9000), port(8125, "udp"), port(9000, "udp")],
        timeout=0.4,
    )
    # The two that are dropped, twice each, in two rounds; with what Python takes to start on a busy machine.
    assert time.monotonic() - began < 15
    assert outcomes(result) == {
        ("tcp", 22): "open",
        ("tcp", 80): "open",
        ("tcp", 443): "filtered",
        ("tcp", 81): "closed",
        ("udp", 53): "open",
        ("tcp", 5432): "open",
        ("tcp", 6379): "filtered",
        ("tcp", 7000): "open",
        ("tcp", 9000): "closed",
        ("udp", 8125): "not_checked",
        ("udp", 9000): "closed",
    }
    assert {(one["rule"], one["endpoint"]["port"]) for one in result["violations"]} == {
        ("reachable_from_outside", 5432),
        ("reachable_from_outside", 7000),
        ("not_reachable_from_outside", 443),
        ("not_reachable_from_outside", 81),
    }
    assert {one["endpoint"]["address"] for one in result["violations"]} == {address}
    assert "stack shop, service db is reachable from outside. It is not declared open" in result["text"]
    assert result["checked_families"] == [family] and result["changed"] is False
    assert any(one.startswith("{0}: udp 8125 not checked: no answer came".format(address)) for one in result["not_checked"])


def test_addresses_that_nothing_can_be_said_of(namespaces):
    unrouted = "2001:db8:2::1"
    shut = [port(5432), port(9000)]
    result = namespaces.probe(addresses=[SHUT, BLOCKING, REJECTING, unrouted, CONTROLLER, "127.0.0.1"], control=[22], closed=shut, timeout=0.4)
    told = {one.partition(": ")[0]: one for one in result["not_checked"]}
    assert "no port of 198.51.100.3 answers from here, and tcp 22 should" in told[SHUT]
    assert "no port of 198.51.100.4 answers from here any more, tcp 22 did at first" in told[BLOCKING]
    assert "the controller has no IPv6 route to it: Network is unreachable" in told[unrouted]
    assert "it is an address of the controller itself" in told[CONTROLLER]
    assert "it is a loopback address" in told["127.0.0.1"]
    for address in (SHUT, unrouted, CONTROLLER, "127.0.0.1"):
        assert set(outcomes(result, address).values()) == {"not_checked"}
    # What is seen to be open is so, whatever else came of the address.
    assert outcomes(result, BLOCKING) == {("tcp", 22): "open", ("tcp", 5432): "open", ("tcp", 9000): "not_checked"}
    assert outcomes(result, REJECTING) == {("tcp", 22): "open", ("tcp", 5432): "filtered", ("tcp", 9000): "closed"}
    assert result["checked_families"] == ["ipv4"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_probe_ends_at_once_and_says_so(namespaces, number):
    with namespaces.probing({"addresses": [SHUT], "control": [22], "timeout": 50, "attempts": 1}) as process:
        waiting = ["ip", "netns", "exec", namespaces.controller, "ss", "-Htn", "state", "syn-sent"]
        until = time.monotonic() + 20
        while SHUT not in command(*waiting).stdout and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(number)
        output, _none = process.communicate(timeout=10)
    result = json.loads(output)
    assert result["failed"] and "interrupted by {0}. Nothing is said of any port".format(number.name) in result["msg"]


@pytest.fixture(name="probe")
def probe_fixture(capsys):
    return lambda check=False, **arguments: run_module(port_probe.main, capsys, arguments, check)


@pytest.fixture(name="ports")
def ports_fixture(monkeypatch):
    """One that accepts connections, and one that refuses them and is nobody else's."""
    monkeypatch.setattr(_port_probe, "obstacle", lambda text, source: "")
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield listening.getsockname()[1], bound.getsockname()[1]


@pytest.mark.parametrize("check", [False, True])
def test_violations_fail_the_task_only_if_it_was_asked_for(probe, ports, check):
    answers, refuses = ports
    arguments = {"addresses": ["127.0.0.1"], "control": [answers], "open": [port(refuses, owner="edge")]}
    outcome = probe(check, **arguments)
    assert [one["rule"] for one in outcome["violations"]] == ["not_reachable_from_outside"] and not outcome["changed"]
    failed = probe(check, fail=True, **arguments)
    assert failed.result["failed"] and failed["violations"] == outcome["violations"]
    assert failed["msg"] == outcome["text"] and "edge is declared open" in failed["msg"]
    assert "failed" not in probe(check, addresses=["127.0.0.1"], fail=True, closed=[port(refuses)]).result


def test_a_signal_is_the_programs_own_again_afterwards(probe, ports):
    probe(addresses=["127.0.0.1"], control=[ports[0]])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_names_are_looked_up_and_no_name_is_told(probe, ports):
    answers, refuses = ports
    outcome = probe(addresses=["localhost", "no name"], control=[answers], closed=[port(refuses)])
    assert outcomes(outcome, "127.0.0.1") == {("tcp", answers): "open", ("tcp", refuses): "closed"}
    assert any(told.startswith("no name: ") for told in outcome["not_checked"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"addresses": []}, "addresses is empty"),
        ({"timeout": 0}, "timeout must be greater than 0"),
        ({"attempts": 0}, "attempts and parallel at least 1"),
        ({"parallel": 0}, "attempts and parallel at least 1"),
        ({"control": [70000]}, "control: port 70000 is none"),
    ],
)
def test_what_makes_no_sense_is_refused(probe, arguments, told):
    message = probe(**dict({"addresses": ["127.0.0.1"]}, **arguments))["msg"]
    assert message.startswith("ports could not be probed: ") and told in message and "Remedy: " in message
