# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._firewall_bridges import bridges, guests_bridges, uplink_bridges
from firewall_host import Host

ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


@pytest.fixture
def host(tmp_path):
    found = Host(tmp_path)

    def bridge(name, **ports):
        for part in ("bridge", "brif"):
            (tmp_path / "sys/class/net" / name / part).mkdir(parents=True)
        for port, uevent in ports.items():
            found.write("sys/class/net/{0}/brif/{1}".format(name, port), "")
            found.write("sys/class/net/{0}/uevent".format(port), uevent)

    found.bridge = bridge
    return found


def test_a_bridge_with_a_cable_leads_outside(host):
    host.bridge("br0", enp1s0="")
    (host.root / "sys/class/net/enp1s0/device").mkdir()
    host.bridge("br1", eth1_5="DEVTYPE=vlan\nINTERFACE=eth1_5\n")
    host.bridge("br2", bond0="DEVTYPE=bond\n")
    host.bridge("br-0123456789ab", veth1="INTERFACE=veth1\n", veth2="")
    assert uplink_bridges(host.fs, str(host.root)) == ["br0", "br1", "br2"]
    assert bridges(host.fs, str(host.root)) == ["br-0123456789ab", "br0", "br1", "br2", "docker0"]


def test_a_bridge_with_the_default_route_leads_outside(host):
    host.bridge("br0")
    host.bridge("br1")
    host.bridge("br2")
    host.write("proc/net/route", ROUTE + "br0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\nbr2\t000011AC\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0\n")
    zeros = "0" * 32
    host.write("proc/net/ipv6_route", "{0} 00 {0} 00 fe80 00000400 0 0 3 br1\n{0} 40 {0} 00 {0} 00000400 0 0 1 br2\n".format(zeros))
    assert uplink_bridges(host.fs, str(host.root)) == ["br0", "br1"]


def test_bridges_of_guests_are_those_that_docker_does_not_know(host):
    host.bridge("virbr0")
    host.bridge("shopnet")
    host.bridge("br-0123456789ab")
    host.bridge("br0", enp1s0="DEVTYPE=bond")
    networks = [{"Options": {"com.docker.network.bridge.name": "shopnet"}}, {"Options": None}]
    assert guests_bridges(host.fs, networks, str(host.root)) == ["virbr0"]
