# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _firewall_refusals as refusals
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Opening, Wanted
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener
from firewall_host import Host


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def listener(port, process="x", address="0.0.0.0", protocol="tcp"):
    return Listener(protocol, address, port, "1", 1, process)


def test_another_firewall_is_refused_with_advice(host):
    assert refusals.others(host.run, host.fs, str(host.root)) == []
    host.write("etc/ufw/ufw.conf", "# ENABLED=yes\nENABLED=no\n")
    assert refusals.others(host.run, host.fs, str(host.root)) == []
    host.write("etc/ufw/ufw.conf", "ENABLED=yes\nLOGLEVEL=low\n")
    host.units["firewalld.service"] = "ActiveState=inactive\nUnitFileState=enabled\n"
    ufw, firewalld = refusals.others(host.run, host.fs, str(host.root))
    assert "firewall_open" in ufw and "ufw disable" in ufw
    assert "firewalld is active" in firewalld and "disable --now firewalld" in firewalld


def test_rules_that_are_loaded_beside_are_told(host):
    assert refusals.neighbours(host.run) == []
    host.units["netfilter-persistent.service"] = "ActiveState=active\nUnitFileState=enabled\n"
    assert "netfilter-persistent" in refusals.neighbours(host.run)[0]


@pytest.mark.parametrize(
    "given, listening, used, expected",
    [
        ([], [listener(22, "sshd"), listener(2222, "sshd", "::"), listener(6010, "sshd", "127.0.0.1"), listener(80)], 22, [22, 2222]),
        ([], [listener(22, "systemd")], 22, [22]),
        ([], [], 0, [22]),
        ([2200, 22], [listener(22, "sshd")], 22, [22, 2200]),
        ([2200], [], 0, [2200]),
    ],
)
def test_ports_of_ssh(given, listening, used, expected):
    assert refusals.ssh_ports(given, listening, used) == expected


@pytest.mark.parametrize(
    "listening, used, words",
    [
        ([], 22, "firewall_ssh_ports: 2200 does not have port 22, by which this very connection came"),
        ([listener(22, "sshd"), listener(23, "sshd")], 0, "no port that sshd listens on; it does on 22, 23"),
    ],
)
def test_ports_that_would_lock_the_operator_out_are_refused(listening, used, words):
    with pytest.raises(StackError, match=words + ".*Nothing was changed.*Remedy"):
        refusals.ssh_ports([2200], listening, used)


def test_what_would_be_cut_is_named_with_its_owner():
    wanted = Wanted([22], ["wg0"], (), [Opening("tcp", 8080, 8080, "edge"), Opening("tcp", 9100, 9100, "ops", "", ("10.0.0.1",))])
    listening = [
        listener(22, "sshd"),
        listener(8080, "docker-proxy"),
        listener(5432, "docker-proxy"),
        listener(5432, "docker-proxy", "::"),
        listener(7777, "docker-proxy"),
        listener(111, "rpcbind"),
        listener(111, "rpcbind", "::", "udp"),
        listener(25, "exim4", "127.0.0.1"),
        listener(53, "dnsmasq", "10.9.0.1"),
        listener(9100, "node_exporter"),
        listener(68, "dhclient", protocol="udp"),
        listener(40000, "resolver", protocol="udp"),
        listener(40000, "java"),
    ]
    containers = [
        {"Id": "a" * 64, "Names": ["/database"], "Ports": [{"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"}]},
        {"Id": "b" * 64, "Names": [], "Ports": [{"PrivatePort": 1}, {"IP": "::", "PublicPort": 6379, "Type": "tcp"}]},
        {"Id": "c" * 64, "Names": ["/safe"], "Ports": [{"IP": "127.0.0.1", "PublicPort": 1234, "Type": "tcp"}]},
    ]
    assert refusals.cut(wanted, listening, containers, ["virbr0", "wg0"], {"10.9.0.1"}, 32768) == [
        "111/tcp (process rpcbind)",
        "5432/tcp (container database)",
        "6379/tcp (container bbbbbbbbbbbb)",
        "7777/tcp (published by Docker)",
        "40000/tcp (process java)",
        "111/udp (process rpcbind)",
        "guests behind bridge virbr0",
    ]


def test_a_cut_is_refused_unless_there_is_none():
    refusals.refuse_cut([])
    with pytest.raises(StackError, match=r"111/tcp \(process rpcbind\).*Nothing was changed.*firewall_open.*firewall_cut=true"):
        refusals.refuse_cut(["111/tcp (process rpcbind)"])


def test_addresses_behind_which_nobody_is_outside(host):
    answer = """[
      {"ifname": "eth0", "addr_info": [{"local": "192.0.2.1"}]},
      {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
      {"ifname": "wg0", "addr_info": [{"local": "10.9.0.1"}, {"local": "fd00::1"}]}]"""
    run = lambda _argv, _data: (0, answer, "")  # noqa: E731
    assert refusals.inside_addresses(run, host.fs, ["wg0"], str(host.root)) == {"172.17.0.1", "10.9.0.1", "fd00::1"}
