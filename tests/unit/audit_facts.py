# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for audits: what the modules read of one, without the host."""

from __future__ import annotations

import exposure_facts as exposure

CONTAINER = {
    "id": "0" * 64,
    "stack": "",
    "service": "",
    "image": "example/app:1",
    "tag": "tag",
    "running": True,
    "status": "running",
    "restarting": False,
    "restarts": 0,
    "health": "none",
    "failing": 0,
    "out_of_memory": False,
    "memory": 1 << 28,
    "privileged": False,
    "host_pids": False,
    "capabilities": [],
    "sockets": [],
    "secrets": [],
}


def container(name, **keys):
    return dict(CONTAINER, name=name, **keys)


def audit(*containers, nginx=(), cloudflared=(), unseen=()):
    return {"containers": list(containers), "nginx": list(nginx), "cloudflared": list(cloudflared), "unseen": list(unseen)}


def server(*locations, names=("example.com",), listens=("80",), line=1):
    return {
        "names": list(names),
        "listens": list(listens),
        "merge_slashes": True,
        "file": "/etc/nginx/conf.d/site.conf",
        "line": line,
        "locations": [dict(zip(("modifier", "pattern"), one)) for one in locations],
    }


def nginx(*servers, container="web"):
    return {"container": container, "path": "/etc/nginx/nginx.conf", "running": True, "servers": list(servers)}


def tunnel(ingress="", container="", **keys):
    return dict({"container": container, "path": "/etc/cloudflared/config.yml", "ingress": ingress, "running": True}, **keys)


def facts(exposed=None, read=None, **keys):
    found = {"host": "my.server", "when": "2026-11-21 23:00 UTC", "exposure": exposed or exposure.host(), "audit": read or audit()}
    return dict(found, **keys)


def result(port, outcome, address="192.0.2.2", protocol="tcp"):
    family = "ipv6" if ":" in address else "ipv4"
    return {"address": address, "family": family, "port": port, "protocol": protocol, "outcome": outcome, "why": "", "owner": "", "declared": "closed"}
