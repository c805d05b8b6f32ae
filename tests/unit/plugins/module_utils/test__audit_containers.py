# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_containers import container, engine_sockets, tag_kind


def realpath(path):
    return path.replace("/var/run", "/run").replace("/home/me/link", "/run/docker.sock")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("/var/run/docker.sock", True),
        ("/run/docker.sock", True),
        ("/var/run", True),
        ("/run/", True),
        ("/", True),
        ("/home/me/link", True),
        ("/run/user/1000/docker.sock", True),
        ("/run/containerd/containerd.sock", True),
        ("/var", True),
        ("/run/postgresql", False),
        ("/srv/docker.sock.d", False),
    ],
)
def test_the_engines_socket_by_any_way(source, found):
    mounts = [{"Type": "bind", "Source": source, "RW": False}, {"Type": "volume", "Source": "/var/lib/docker/volumes/x/_data"}]
    assert engine_sockets(mounts, realpath) == ([source] if found else [])


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("nginx", "floating"),
        ("registry.test:5000/nginx", "floating"),
        ("nginx:latest", "floating"),
        ("nginx:1.28", "tag"),
        ("registry.test:5000/a/nginx:16-alpine", "tag"),
        ("nginx@sha256:" + "0" * 64, "digest"),
        ("nginx:latest@sha256:" + "0" * 64, "digest"),
        ("sha256:" + "0" * 64, "digest"),
    ],
)
def test_tags(image, kind):
    assert tag_kind(image) == kind


def test_a_container():
    found = container(
        {
            "Id": "1",
            "Name": "/shop-db-1",
            "RestartCount": 3,
            "HostConfig": {"Privileged": True, "Memory": 5, "PidMode": "host", "CapAdd": ["CAP_SYS_ADMIN", "NET_ADMIN"]},
            "Config": {
                "Image": "postgres:16",
                "Env": ["POSTGRES_PASSWORD=s3ntinel"],
                "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "db"},
            },
            "State": {"Status": "running", "Running": True, "Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": [{"Output": "s3ntinel"}]}},
            "Mounts": [],
        },
        realpath,
    )
    assert "s3ntinel" not in str(found)
    assert (found["name"], found["stack"], found["service"], found["health"], found["failing"]) == ("shop-db-1", "shop", "db", "unhealthy", 4)
    assert found["privileged"] and found["host_pids"] and found["capabilities"] == ["SYS_ADMIN"] and found["memory"] == 5
    assert found["secrets"] == [{"where": "environment", "name": "POSTGRES_PASSWORD"}]
