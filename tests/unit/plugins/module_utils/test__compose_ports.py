# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Port, services_of
from ansible_collections.portside.stack.plugins.module_utils._compose_ports import port_problems
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener, listeners, parse_table

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 x
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 x
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 13 1 x
"""
TCP6 = """  sl  local_address                         remote_address
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 21 1 x
   1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 22 1 x
   2: B80D0120000000000000000001000000:0052 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 23 1 x
"""


def test_only_listening_sockets_are_read():
    assert [(one.address, one.port, one.inode) for one in parse_table("tcp", TCP)] == [
        ("127.0.0.1", 8080, "11"),
        ("0.0.0.0", 22, "12"),
    ]


def test_addresses_of_the_newer_family():
    found = [(one.address, one.port) for one in parse_table("tcp", TCP6)]
    assert found == [("::", 80), ("127.0.0.1", 81), ("2001:db8::1", 82)]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_real_socket_is_found_with_its_process(kind):
    with socket.socket(socket.AF_INET, kind) as own:
        own.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            own.listen()
        number = own.getsockname()[1]
        found = [one for one in listeners() if one.port == number and one.address == "127.0.0.1"]
    assert [(one.pid, bool(one.process)) for one in found] == [(os.getpid(), True)]
    assert not [one for one in listeners() if one.port == number and one.pid == os.getpid()]


def wanted(*ports):
    labels = {"portside.digest": "d"}
    body = {"image": "x", "labels": labels, "ports": [dict({"target": 1, "protocol": "tcp"}, **port) for port in ports]}
    return services_of({"name": "demo", "services": {"edge": body}}).values()


def container(name, number, address="0.0.0.0", project="other", kind="tcp", **labels):
    return {
        "Id": "1",
        "Names": ["/" + name],
        "Labels": dict({"com.docker.compose.project": project}, **labels),
        "Ports": [{"IP": address, "PrivatePort": 1, "PublicPort": number, "Type": kind}, {"PrivatePort": 9}],
    }


def tcp(number, address="0.0.0.0", process="nginx", pid=7):
    return Listener("tcp", address, number, "1", pid, process)


PUBLIC = {"published": "80"}
LOOPBACK = {"published": "80", "host_ip": "127.0.0.1"}


def test_a_process_is_named_with_everything():
    (problem,) = port_problems("demo", wanted(PUBLIC), [], [tcp(80)])
    assert problem.startswith(
        "stack demo: service edge: port 80/tcp on all addresses is held by the process nginx (pid 7). Remedy: "
    )


def test_a_foreign_container_is_named_and_its_proxy_is_not():
    held = [tcp(80, process="docker-proxy")]
    (problem,) = port_problems("demo", wanted(LOOPBACK), [container("blog", 80)], held)
    assert "port 80/tcp on 127.0.0.1 is held by the container blog." in problem


def test_a_foreign_container_without_a_proxy_is_found_too():
    assert len(port_problems("demo", wanted(PUBLIC), [container("blog", 80)], [])) == 1


def test_the_stacks_own_container_is_no_conflict():
    held = [tcp(80, process="docker-proxy"), tcp(80, "::", "docker-proxy")]
    assert port_problems("demo", wanted(PUBLIC), [container("demo-edge-1", 80, project="demo")], held) == []


def test_a_container_that_a_person_runs_once_is_a_conflict():
    labels = {"com.docker.compose.oneoff": "True"}
    assert len(port_problems("demo", wanted(PUBLIC), [container("run", 80, project="demo", **labels)], [])) == 1


def test_a_process_beside_the_own_container_is_a_conflict():
    own = container("demo-edge-1", 80, address="127.0.0.1", project="demo")
    held = [tcp(80, "127.0.0.1", "docker-proxy"), tcp(80, "192.0.2.1")]
    assert len(port_problems("demo", wanted(PUBLIC), [own], held)) == 1


def test_a_proxy_that_no_container_explains_is_a_conflict():
    assert len(port_problems("demo", wanted(PUBLIC), [], [tcp(80, process="docker-proxy")])) == 1


@pytest.mark.parametrize(
    ("port", "listener"),
    [
        (LOOPBACK, tcp(80, "192.0.2.1")),
        (PUBLIC, tcp(81)),
        (PUBLIC, tcp(80)._replace(protocol="udp")),
        ({"target": 80}, tcp(80)),
    ],
)
def test_what_does_not_overlap_is_no_conflict(port, listener):
    assert port_problems("demo", wanted(port), [], [listener]) == []


def test_a_range_is_satisfied_by_one_free_port():
    port = {"published": "80-81"}
    assert port_problems("demo", wanted(port), [], [tcp(80)]) == []
    (problem,) = port_problems("demo", wanted(port), [], [tcp(80), tcp(81, process="apache2")])
    assert "port 80-81/tcp" in problem
    assert "nginx" in problem
    assert "apache2" in problem


def test_a_process_that_may_not_be_seen_is_still_a_conflict():
    (problem,) = port_problems("demo", wanted(PUBLIC), [], [tcp(80, process="", pid=0)])
    assert "a process that cannot be seen" in problem


def test_every_problem_is_told():
    both = wanted(PUBLIC, {"published": "443"})
    assert len(port_problems("demo", both, [], [tcp(80), tcp(443)])) == 2


def test_ports_are_what_the_document_says():
    assert [port for service in wanted(LOOPBACK) for port in service.ports] == [Port("127.0.0.1", 80, 80, "tcp")]
