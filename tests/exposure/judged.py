# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of the bed, judged from inside and tried from outside. A pytest plugin."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import typing as t

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
INVENTORY = PROJECT / "tests/exposure/inventory/hosts.yml"
NAME = "exposure"
NEIGHBOUR = "portside-exposure-neighbour"
# Restarts of the engine are counted, and too many refused.
FUNCTIONS = """
set -e
# engine [KEY=VALUE...]: restarts it with its own settings and these, in Python's words.
engine() {
    test -e /root/daemon.json || cp /etc/docker/daemon.json /root/daemon.json
    python3 - "$@" <<'PYTHON'
import ast, json, sys
settings = json.load(open("/root/daemon.json"))
for one in sys.argv[1:]:
    key, _equals, value = one.partition("=")
    settings[key] = ast.literal_eval(value)
json.dump(settings, open("/etc/docker/daemon.json", "w"))
PYTHON
    systemctl daemon-reload
    systemctl reset-failed docker docker.socket
    systemctl restart docker
    timeout 30 sh -c 'until test "$(docker ps --quiet --filter name=shop | wc -l)" -ge 4; do sleep 0.5; done'
}
"""
SHIPPER = "docker inspect shop-shipper-1 --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'"
COMPOSE = "docker compose --progress quiet --project-name other --file /root/other.yaml"
# What an engine before 28 wants besides, where the firewall of the collection is off.
HARDENED = """
iptables -P FORWARD DROP
iptables -t raw -C PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP 2>/dev/null || iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP
"""


def run(*command: str, check: bool = True, **keys: t.Any) -> subprocess.CompletedProcess:
    done = subprocess.run(command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **keys)
    assert not check or done.returncode == 0, done.stdout
    return done


class Judged:
    """The host."""

    def __init__(self) -> None:
        found = json.loads(subprocess.check_output(["python3", "tests/bed", "up", NAME, "--json"], cwd=PROJECT, text=True))
        self.words = {"{address}": found["address"], "{address6}": found["address6"]}
        # Whether nothing was done to it since it was found to be as declared.
        self.clean = False

    def fill(self, text: str) -> str:
        """The text with the addresses of this host."""
        for name, value in self.words.items():
            text = text.replace(name, value)
        # Another one whenever it is started.
        return text.replace("{shipper}", self.sh(SHIPPER).strip()) if "{shipper}" in text else text

    def sh(self, script: str) -> str:
        """What a script of root says on the host; it has to succeed."""
        self.clean = False
        return run("ssh", "-F", ".bed/ssh_config", NAME, "sudo", "sh", "-s", input=FUNCTIONS + script).stdout

    def firewall(self, enabled: bool) -> None:
        """The role, on or off."""
        self.clean = False
        told = json.dumps({"exposure_firewall": enabled, "firewall_cut": True})
        run("ansible-playbook", "playbooks/provision.yml", "-i", str(INVENTORY), "--tags", "firewall", "-e", told)

    def play(self, playbook: str, **extra: str) -> str:
        """What a playbook says; it has to succeed."""
        self.clean = False
        addresses = [self.words["{address}"], self.words["{address6}"]]
        told = json.dumps({"stack_probe_addresses": addresses, **extra})
        return run("ansible-playbook", f"playbooks/{playbook}.yml", "-i", str(INVENTORY), "-e", told).stdout

    def inside(self, **options: t.Any) -> dict:
        """What port_exposure_info tells."""
        return ask(NAME, "port_exposure_info", {"judge": True, **options}, "--become")

    def outside(self, exposure: dict, named: t.Iterable[int] = ()) -> list[str]:
        """What port_probe says from this machine, asked as verify.yml asks it."""
        options = {key: exposure["probe"][key] for key in ("open", "closed", "control")}
        options["closed"] = options["closed"] + [{"port": port, "owner": "named by hand"} for port in named]
        addresses = [self.words["{address}"], self.words["{address6}"]]
        told = ask("localhost", "port_probe", {**options, "addresses": addresses, "timeout": 1.5})
        # Of UDP, silence proves nothing.
        assert not [one for one in told["not_checked"] if ": udp" not in one], told["not_checked"]
        return [one["what"] for one in told["violations"]]

    @contextlib.contextmanager
    def neighbour(self) -> t.Iterator[t.Callable[[str], bool]]:
        """A machine on the host's network that sends what is for its containers, and for 127.0.0.1, to the host."""
        image = run("docker", "inspect", f"portside-{NAME}", "--format", "{{.Config.Image}}").stdout.strip()
        routes = """
            ip address delete 127.0.0.1/8 dev lo
            ip route add 127.0.0.1/32 via {address}
            ip route add 172.16.0.0/16 via {address}
            ip -6 route add fd00:9::/64 via {address6}
            exec sleep infinity
        """
        options = ["--network", "portside-bed", "--cap-add", "NET_ADMIN"]
        options += [f"--sysctl=net.ipv4.conf.{one}.route_localnet=1" for one in ("all", "eth0")]
        run("docker", "rm", "--force", NEIGHBOUR, check=False)
        run("docker", "run", "--detach", "--rm", "--name", NEIGHBOUR, *options, "--entrypoint", "sh", image, "-euc", self.fill(routes))
        try:
            yield lambda url: run("docker", "exec", NEIGHBOUR, "curl", "-gfsS", "-m", "2", "-o", "/dev/null", self.fill(url), check=False).returncode == 0
        finally:
            run("docker", "rm", "--force", NEIGHBOUR, check=False)

    @contextlib.contextmanager
    def set_up(self, way: t.Any) -> t.Iterator[None]:
        """One of the ways, as long as it takes."""
        try:
            self.sh(self.fill(way.up))
            if way.compose:
                self.sh(f"cat >/root/other.yaml <<'END'\n{self.fill(json.dumps(way.compose))}\nEND\n{COMPOSE} up --detach")
            yield
        finally:
            # All of it, whatever was not there.
            self.sh("set +e\n" + (f"{COMPOSE} down --timeout 0\n" if way.compose else "") + self.fill(way.down) + "\ntrue")


def ask(host: str, module: str, options: dict, *arguments: str, inventory: pathlib.Path = INVENTORY) -> dict:
    """What a module returns; it may not fail."""
    # An empty object is no options to ansible, but a text.
    given = ["-a", json.dumps(options)] if options else []
    told = run("ansible", host, "-i", str(inventory), "-m", f"portside.stack.{module}", *given, "--one-line", *arguments).stdout
    line = next(line for line in told.splitlines() if " => " in line)
    return json.loads(line.partition(" => ")[2])


@pytest.fixture(scope="session")
def judged():
    return Judged()


@pytest.fixture(scope="session")
def neighbour(judged):
    with judged.neighbour() as answers:
        yield answers
