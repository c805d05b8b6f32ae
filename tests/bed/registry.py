# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge network of the bed and the registry on it, registry.test to the hosts."""

from __future__ import annotations

import ipaddress
import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

import images
from shell import LABEL, BedError, docker, docker_argv, only_one, succeeds, wait_for

NETWORK = "portside-bed"
CONTAINER = VOLUME = "portside-registry"
NAME = "registry.test"
PORT = 5000
# Private IPv6 (RFC 4193): real servers have both address families, so the hosts have.
IPV6 = "fd70:6f72:7473::/64"


def ensure_network() -> None:
    """Creates the network with a subnet the engine finds free."""
    with only_one("network"):
        if succeeds(docker_argv("network", "inspect", NETWORK)):
            return
        # Only a network whose subnet was given lets a container choose its address: so ask for the free one by name.
        docker("network", "create", NETWORK)
        free = json.loads(docker("network", "inspect", NETWORK))[0]["IPAM"]["Config"][0]["Subnet"]
        docker("network", "rm", NETWORK)
        both = ["--ipv6", "--subnet", IPV6] if Path("/proc/net/if_inet6").exists() else []
        docker("network", "create", "--label", f"{LABEL}=1", "--subnet", free, *both, NETWORK)


def address() -> str:
    """The registry's address: the last one of the network, so that it never moves."""
    for config in json.loads(docker("network", "inspect", NETWORK))[0]["IPAM"]["Config"]:
        subnet = ipaddress.ip_network(config["Subnet"])
        if subnet.version == 4:
            return str(subnet[-2])
    raise BedError(f"the network {NETWORK} has no IPv4 subnet; remove it: python3 tests/bed down --all --registry")


def ensure_registry() -> int:
    """Runs the registry; returns its port on 127.0.0.1."""
    ensure_network()
    with only_one("registry"):
        found = json.loads(docker("container", "inspect", CONTAINER, check=False) or "[]")
        if not found:
            image, _ = images.ensure_image("registry")
            docker("run", "--detach", "--name", CONTAINER, "--label", f"{LABEL}=1", "--restart", "unless-stopped",
                   "--network", NETWORK, "--ip", address(), "--network-alias", NAME,
                   "--volume", f"{VOLUME}:/var/lib/registry", "--publish", f"127.0.0.1:{_free_port()}:{PORT}", image)
        elif not found[0]["State"]["Running"]:
            docker("start", CONTAINER)
        port = int(docker("port", CONTAINER, f"{PORT}/tcp").rpartition(":")[2])
        wait_for("the registry answers", lambda: _answers(port), 20, lambda: f"See: docker logs {CONTAINER}")
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/v2/", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def remove() -> None:
    """Removes registry, its images' volume and the network."""
    if succeeds(docker_argv("container", "inspect", CONTAINER)):
        docker("rm", "--force", CONTAINER)
    docker("volume", "rm", "--force", VOLUME)
    if succeeds(docker_argv("network", "inspect", NETWORK)):
        docker("network", "rm", NETWORK)
