# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import container as inspected
from ansible_collections.portside.stack.plugins.module_utils._exposure_owners import Processes, endpoints, socket_units
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener
from exposure_facts import container, port

OTHER = "f" * 64


def processes(tmp_path, **cgroups):
    for pid, text in cgroups.items():
        (tmp_path / pid[1:]).mkdir()
        (tmp_path / pid[1:] / "cgroup").write_text(text)
    return Processes(FileSystem(), str(tmp_path))


def owners(listeners, containers=(), known=None, units=None):
    found = endpoints(listeners, containers, known or Processes(FileSystem(), "/nowhere"), units or {}, "user{0}".format)
    return [one["owner"] for one in found]


@pytest.mark.parametrize("process", ["docker-proxy", "dockerd", ""])
def test_who_holds_a_published_port_is_its_container(process):
    one = container("shop-web-1", port(8080, "::"), stack="shop", service="web")
    (who,) = owners([Listener("tcp", "::", 8080, "1", 7, process, 0)], [one])
    assert (who["kind"], who["stack"], who["service"], who["container"], who["process"]) == ("service", "shop", "web", "shop-web-1", "")


@pytest.mark.parametrize(
    "listener",
    [
        Listener("tcp", "0.0.0.0", 8080, "1", 7, "docker-proxy", 0),
        Listener("udp", "::", 8080, "1", 7, "docker-proxy", 0),
        Listener("tcp", "::", 8080, "1", 7, "nginx", 0),
    ],
)
def test_others_do_not(listener):
    assert owners([listener], [container("c", port(8080, "::"))])[0]["kind"] == "process"


@pytest.mark.parametrize(
    "cgroup",
    [
        "12:memory:/docker/{0}\n1:name=systemd:/\n",
        "0::/system.slice/docker-{0}.scope\n",
        "0::/docker/" + OTHER + "/docker/{0}\n",
        "0::/user.slice/user-1000.slice/user@1000.service/docker-{0}.scope/init\n",
    ],
)
def test_a_container_in_the_hosts_network_is_found_by_its_cgroup(tmp_path, cgroup):
    one = container("redis")
    known = processes(tmp_path, p7=cgroup.format(one["id"]))
    (who,) = owners([Listener("tcp", "0.0.0.0", 6379, "1", 7, "redis-server", 999)], [one], known)
    assert (who["kind"], who["container"], who["process"], who["pid"], who["user"]) == ("container", "redis", "redis-server", 7, "user999")


def test_a_container_of_another_engine_is_a_process(tmp_path):
    known = processes(tmp_path, p7="0::/docker/{0}\n".format(OTHER))
    (who,) = owners([Listener("tcp", "0.0.0.0", 6379, "1", 7, "redis-server", 0)], [container("redis")], known)
    assert (who["kind"], who["process"]) == ("process", "redis-server")


def test_units_and_the_kernel_and_nobody():
    units = {("tcp", "::", 22): "ssh.socket"}
    found = owners(
        [Listener("tcp", "::", 22, "1", 1, "systemd", 0), Listener("udp", "::", 51820, "0", uid=0), Listener("tcp", "::", 60000, "9", uid=5)], units=units
    )
    assert [(who["kind"], who["process"], who["user"]) for who in found] == [
        ("process", "ssh.socket", "user0"),
        ("process", "kernel", "user0"),
        ("unknown", "", "user5"),
    ]


def test_units_as_systemctl_lists_them():
    said = "[::]:22         ssh.socket     ssh.service\n/run/docker.sock docker.socket docker.service\n127.0.0.1:631    cups.socket cups.service\n"
    found = socket_units(lambda argv, data: (0, said, ""))
    assert found[("tcp", "::", 22)] == "ssh.socket" and found[("udp", "127.0.0.1", 631)] == "cups.socket" and len(found) == 4
    assert socket_units(lambda argv, data: (127, "", "")) == {}


def test_one_port_of_several_sockets_is_one():
    some = [Listener("udp", "0.0.0.0", 53, str(inode), 7, "named", 0) for inode in range(3)]
    assert len(owners(some)) == 1


def test_no_value_of_a_containers_environment_or_command_is_kept():
    found = inspected(
        {
            "Id": "a" * 64,
            "Name": "/x",
            "Args": ["run", "--token", "s3cret"],
            "State": {"StartedAt": "then"},
            "Config": {"Image": "x", "Env": ["TUNNEL_TOKEN=s3cret", "A=s3cret"], "Cmd": ["s3cret"], "Labels": {"caddy": "s3cret"}},
            "HostConfig": {"CapAdd": ["CAP_SYS_ADMIN"], "NetworkMode": "bridge", "PortBindings": None},
            "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": None}, "Networks": {"bridge": None}},
            "Mounts": None,
        }
    )
    assert "s3cret" not in repr(found)
    assert (found["tunnel_variables"], found["proxied"], found["capabilities"]) == (["TUNNEL_TOKEN"], ["caddy"], ["SYS_ADMIN"])
    assert found["ports"] == [port(8080)]
