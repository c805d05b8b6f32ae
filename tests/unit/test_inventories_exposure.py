# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No false alarm: a host on which every stack of an inventory runs just as it is declared is told nothing."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import (
    Declared,
    proxies_of_release,
    services_of_release,
    waivers_of_release,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import judge
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import release_files
from ansible_collections.portside.stack.plugins.plugin_utils._volumes import bind_sources
from exposure_facts import container, guarded, host, network, port, rules

CHECKOUT = pathlib.Path(__file__).parents[2]
# metrics has no host: it is included, as in the inventory of its test.
OWN = sorted(path for path in (CHECKOUT / "inventories").iterdir() if path.name != "metrics")
INVENTORIES = OWN + [CHECKOUT / "tests" / one / "inventory" for one in ("exposure", "faults", "metrics")]
# As text, in which keys stay in their order.
MERGED = "text: {{ stacks | portside.stack.stack_merge(stack_overrides | default({})) | to_json }}"
HARDENED = {**rules("raw", "PREROUTING", "-d 127.0.0.0/8 ! -i lo -j DROP")}


def declarations(path, tmp_path) -> dict[str, list[dict]]:
    """The stacks of each host, as Ansible has them."""
    (tmp_path / "empty.cfg").touch()
    inventory = shutil.copytree(path, tmp_path / "inventory", ignore=shutil.ignore_patterns(".secrets"))
    (inventory / ".secrets").mkdir()
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "ansible"), "all", "-i", str(inventory), "--one-line", "-m", "ansible.builtin.debug"]
        + ["-a", json.dumps({"msg": MERGED})],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"), "ANSIBLE_CONFIG": str(tmp_path / "empty.cfg")},
        text=True,
        check=True,
        capture_output=True,
    )
    told = [line.split(" | SUCCESS => ", 1) for line in done.stdout.splitlines() if " | SUCCESS => " in line]
    return {name: json.loads(json.loads(found)["msg"].partition(" ")[2]) for name, found in told}


def running(stack, definition) -> tuple[list[dict], list[dict]]:
    """The containers and networks that an engine makes of a rendered document."""
    networks = {key: (value or {}).get("name", key) for key, value in definition["networks"].items()}
    options = definition["x-portside"].get("networks", {})
    containers = []
    for name, service in definition["services"].items():
        ports = [
            port(int(one["published"]), address, one["target"], one.get("protocol", "tcp"))
            for one in service.get("ports", ())
            for address in ([one["host_ip"]] if one.get("host_ip") else ["0.0.0.0", "::"])
        ]
        containers.append(
            container(
                f"{stack}-{name}-1",
                *ports,
                stack=stack,
                service=name,
                networks=[networks[key] for key in service.get("networks", ())],
                network_mode=service.get("network_mode", "bridge"),
                image=service["image"],
                mounts=list(bind_sources(service)),
                privileged=bool(service.get("privileged")),
                host_pids=service.get("pid") == "host",
                capabilities=list(service.get("cap_add", ())),
                proxied=[one for one in service.get("labels", {}) if one.startswith("traefik.")],
            )
        )
    attached = {name: [one["name"] for one in containers if name in one["networks"]] for name in networks.values()}
    return containers, [network(name, attached=attached[name], internal=bool(options.get(name, {}).get("internal"))) for name in attached]


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_a_host_that_runs_what_it_declares_is_told_nothing(path, tmp_path):
    hosts = declarations(path, tmp_path)
    assert hosts
    for stacks in hosts.values():
        services, proxies, waivers, containers, networks = {}, [], [], [], {}
        for declared in stacks:
            name, secrets = declared["name"], declared.get("secrets") or {}
            definition = release_files(declared, secret_versions=dict.fromkeys(secrets, 1))["definition"]
            services.update(services_of_release(name, definition))
            proxies += proxies_of_release(name, definition)
            waivers += waivers_of_release(name, definition)
            made, joined = running(name, definition)
            containers += made
            networks.update((one["name"], one) for one in joined)
        declared = Declared(services=services, proxies=tuple(proxies), waivers=tuple(waivers))
        assert containers
        for keys in ({}, {"version": "26.1.5", "rules": HARDENED}, {"version": "26.1.5", "firewall": guarded()}):
            found = judge(host(containers, networks=list(networks.values()), **keys), declared)
            assert not found.violations and not found.notices, found
        # What is judged is all of it: one port more is told.
        spread = [dict(containers[0], ports=[*containers[0]["ports"], port(5999)]), *containers[1:]]
        assert [one["rule"] for one in judge(host(spread, networks=list(networks.values())), declared).violations] == ["undeclared_port"]
