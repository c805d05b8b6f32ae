# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._status_tunnels import ssh_words, with_tunnels
from hypothesis import given
from hypothesis import strategies as st
from status_facts import service, stack


def ends(*ports, address="172.20.0.5"):
    return [{"address": address, "port": port} for port in ports]


def tunnels(ssh, *services):
    return {one["name"]: one["tunnel"] for one in with_tunnels([stack("shop", *services)], ssh)[0]["services"]}


def test_the_command_takes_the_way_that_ansible_takes():
    ssh = {
        "host": "192.0.2.7",
        "port": 2222,
        "user": "ops",
        "key": "/home/ann/my key",
        "arguments": ["-F '/etc/my config'", "", "-o ProxyCommand='ssh -W %h:%p jump'"],
        "connection": "ansible.builtin.ssh",
    }
    command = tunnels(ssh, service("grafana", tunnel_to=ends(3000)))["grafana"]
    assert shlex.split(command) == [
        *("ssh", "-N", "-L", "3000:172.20.0.5:3000", "-F", "/etc/my config", "-o", "ProxyCommand=ssh -W %h:%p jump"),
        *("-p", "2222", "-i", "/home/ann/my key", "ops@192.0.2.7"),
    ]


def test_what_is_not_known_is_left_to_ssh():
    assert tunnels({"host": "box", "port": 22, "user": ""}, service("db", tunnel_to=ends(5432))) == {"db": "ssh -N -L 5432:172.20.0.5:5432 box"}


def test_local_ports_are_free_for_anybody_and_told_once_on_a_screen():
    services = [
        service("web", tunnel_to=ends(80, 443)),
        service("api", tunnel_to=ends(8000, address="127.0.0.1")),
        service("other", tunnel_to=ends(8000, 10080, address="fd00::5")),
        service("public"),
    ]
    assert tunnels({"host": "box"}, *services) == {
        "web": "ssh -N -L 10080:172.20.0.5:80 -L 10443:172.20.0.5:443 box",
        "api": "ssh -N -L 8000:127.0.0.1:8000 box",
        "other": "ssh -N -L '8001:[fd00::5]:8000' -L '10081:[fd00::5]:10080' box",
        "public": "",
    }


def test_ports_at_the_end_of_the_range_find_others():
    found = with_tunnels([stack("shop", service("a", tunnel_to=ends(65535)), service("b", tunnel_to=ends(65535)))], {"host": "box"})
    assert [one["tunnel_to"][0]["local"] for one in found[0]["services"]] == [65535, 1024]


@pytest.mark.parametrize("connection", ["local", "community.docker.docker"])
def test_a_host_that_is_not_reached_by_ssh_has_none(connection):
    assert tunnels({"host": "box", "connection": connection}, service("db", tunnel_to=ends(5432))) == {"db": ""}


def test_arguments_that_are_no_command_line_are_refused():
    with pytest.raises(StackError, match="Remedy: quote them"):
        ssh_words({"host": "box", "arguments": ["-o 'x"]})


@given(st.lists(st.lists(st.integers(1, 65535), max_size=4), max_size=6))
def test_all_local_ports_differ(ports):
    services = [service("s{0}".format(number), tunnel_to=ends(*some)) for number, some in enumerate(ports)]
    found = with_tunnels([stack("a", *services), stack("b", *services)], {"host": "box"})
    local = [end["local"] for one in found for each in one["services"] for end in each["tunnel_to"]]
    assert len(set(local)) == len(local) == 2 * sum(map(len, ports)) and all(1023 < one < 65536 for one in local)
