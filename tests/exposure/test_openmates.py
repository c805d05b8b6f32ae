# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exposure tables of system 4 from what really listens: inventories/openmates on one host, first as development, then as production."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import yaml
from ansible.utils.vars import merge_hash
from judged import PROJECT, ask, run
from openmates_tables import TABLES, table_of

NAME = os.environ.get("OPENMATES_HOST", "openmates")
INVENTORY = PROJECT / "inventories/openmates"
SITE = "api.openmates.example.com"
# As the inventory says it is on the host, with a certificate of its own making.
CADDYFILE = f"""{{
	admin off
	persist_config off
	skip_install_trust
}}
{SITE} {{
	tls internal
	import /opt/stacks/openmates/current/edge/*.caddy
}}
"""
UNIT = """[Service]
Environment=XDG_DATA_HOME=/var/lib HOME=/root
ExecStart=/usr/local/bin/caddy run --adapter caddyfile --config /root/Caddyfile
"""


class Machine:
    """A host of the bed, as one of the inventory's."""

    def __init__(self) -> None:
        found = json.loads(subprocess.check_output(["python3", "tests/bed", "up", NAME, "--json"], cwd=PROJECT, text=True))
        self.address = found["address"]
        self._ssh = ["ssh", "-F", ".bed/ssh_config", NAME, "sudo"]
        self._reached = {
            "ansible_host": NAME,
            "ansible_ssh_common_args": f"-F {PROJECT}/.bed/ssh_config",
            "stack_probe_addresses": [found["address"], found["address6"]],
        }

    def deploy(self, host: str) -> None:
        """site.yml, with what the inventory says of that host and the stand-ins on top."""
        values = yaml.safe_load((PROJECT / "tests/exposure/openmates.yml").read_text())
        if host == "openmates-dev":
            own = yaml.safe_load((INVENTORY / "group_vars/development/stacks.yml").read_text())["stack_overrides"]
            values["stack_overrides"] = merge_hash(own, values["stack_overrides"])
        run("ansible-playbook", "site.yml", "-i", str(INVENTORY), "--limit", host, "-e", json.dumps({**self._reached, **values}))

    def judged(self, host: str) -> dict:
        """What port_exposure_info tells."""
        return ask(host, "port_exposure_info", {}, "--become", "-e", json.dumps(self._reached), inventory=INVENTORY)

    def put(self, path: str, content: bytes) -> None:
        subprocess.run([*self._ssh, "tee", path], input=content, stdout=subprocess.DEVNULL, cwd=PROJECT, check=True)

    def sh(self, script: str) -> str:
        return run(*self._ssh, "sh", "-es", input=script).stdout

    def reached(self, port: int) -> bool:
        """Whether who is somewhere else gets an answer at a port."""
        return run("curl", "-sS", "-m", "3", "-o", "/dev/null", f"http://{self.address}:{port}/", check=False).returncode == 0


@pytest.fixture(scope="module")
def machine():
    return Machine()


@pytest.fixture(scope="module")
def development(machine):
    """What is told of the host as development."""
    machine.deploy("openmates-dev")
    return machine.judged("openmates-dev")


@pytest.fixture(scope="module")
def production(machine, development):
    """The same host as production afterwards, with a Caddy that somebody runs on it."""
    machine.put("/usr/local/bin/caddy", (PROJECT / ".venv/bin/caddy").resolve().read_bytes())
    machine.put("/root/Caddyfile", CADDYFILE.encode())
    machine.put("/etc/systemd/system/caddy.service", UNIT.encode())
    machine.sh("chmod 0755 /usr/local/bin/caddy; systemctl daemon-reload; systemctl restart caddy")
    machine.deploy("openmates")
    # Its owner reloads it: the routes are there now.
    machine.sh("systemctl restart caddy; timeout 20 sh -c 'until ss -Hltn sport = :443 | grep -q .; do sleep 0.2; done'")
    return machine.judged("openmates")


def table(rows: list[dict]) -> list[tuple[str, str, str]]:
    """Rows as the system's description has them."""
    found = []
    for row in rows:
        addresses = [one for one in row["addresses"] if one not in ("0.0.0.0", "::")]
        port = row["published"] or "-"
        exposed = {"public": "Yes", "loopback": "No", "internal": "No"}[row["reach"]] + (f" (via {row['via']})" if row["via"] else "")
        found.append((row["service"], exposed, f"{addresses[0]}:{port}" if addresses else port))
    return sorted(found)


def test_development_is_the_table_row_for_row(machine, development):
    assert table(development["rows"]) == sorted(table_of(TABLES["openmates-dev"]))
    assert not development["violations"] and not development["notices"] and not development["unseen"], development["text"]
    assert [port for port in (3001, 8000, 8055) if not machine.reached(port)] == []


def test_production_is_the_table_row_for_row(machine, production):
    assert table(production["rows"]) == sorted(table_of(TABLES["openmates"]))
    assert not production["violations"] and not production["notices"] and not production["unseen"], production["text"]
    assert [one["service"] for one in production["waived"]] == ["cadvisor"]
    assert [port for port in (3001, 8000, 8055) if machine.reached(port)] == []


def test_the_loopback_port_behind_the_proxy_is_the_services(machine, production):
    (held,) = [one for one in production["endpoints"] if one["port"] == 8000]
    assert (held["address"], held["owner"]["stack"], held["owner"]["service"]) == ("127.0.0.1", "openmates", "api")
    (api,) = [one for one in production["rows"] if one["service"] == "api"]
    assert (api["exposure"], api["reach"], api["via"], api["routes"]) == ("loopback", "public", "caddy", ["prefix /v1/ws", "prefix /"])
    asked = ["curl", "-fsSk", "-m", "5", "--resolve", f"{SITE}:443:{machine.address}", f"https://{SITE}/v1/chats"]
    told = json.loads(run(*asked).stdout)
    assert (told["service"], told["target"], told["port"]) == ("api", "/v1/chats", 8000)
