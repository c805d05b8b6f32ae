# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import watch
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import in_place
from firewall_host import Host, definition

RULES = "etc/portside/firewall.nft"


@pytest.fixture
def host(tmp_path):
    found = Host(tmp_path)
    found.exposure()
    found.release("shop", 8080)
    found.firewall.follow()
    found.calls.clear()
    return found


def changes(host):
    return [argv for argv in host.calls if argv[:2] == ["nft", "-f"]]


def test_without_a_firewall_nothing_is_done(tmp_path):
    host = Host(tmp_path)
    assert host.firewall.follow() == "" and host.firewall.activate("shop", definition(80)) == ""
    host.exposure(firewall=False)
    told = []
    watch(host.firewall, told.append)
    assert (host.table, told, changes(host)) == ("", [], [])


def test_what_is_in_place_is_left_alone(host):
    assert "8080 comment" in host.table and host.table in host.read(RULES)
    assert host.firewall.follow() == ""
    assert changes(host) == []


@pytest.mark.parametrize(
    "harm, why",
    [
        (lambda host: setattr(host, "table", ""), "the table inet portside is gone"),
        (lambda host: setattr(host, "table", host.table + "#"), "the table inet portside was changed"),
        (lambda host: (host.root / "run/portside/firewall.listed").unlink(), "nobody knows what of the table inet portside was loaded"),
        (lambda host: (host.root / RULES).unlink(), "something else is declared by now"),
        (lambda host: host.release("shop", 9090, number="2"), "something else is declared by now"),
        (lambda host: host.exposure(ssh_ports=[22, 2222]), "something else is declared by now"),
    ],
)
def test_what_is_not_in_place_is_put_right_and_told_once(host, harm, why):
    harm(host)
    told = []
    watch(host.firewall, told.append)
    assert told == ["firewall: {0}. It lets in again what is declared, and nothing else.".format(why)]
    assert len(changes(host)) == 1
    assert host.table in host.read(RULES) and in_place(host.run, host.fs, str(host.root)) == ""
    watch(host.firewall, told.append)
    assert len(told) == 1


def test_what_nft_refuses_changes_nothing(host):
    table, rules = host.table, host.read(RULES)
    host.release("shop", 9090, number="2")
    host.refusal = "syntax error"
    with pytest.raises(StackError, match="nft refuses them: syntax error. What was in place is untouched"):
        host.firewall.follow()
    assert (host.table, host.read(RULES), changes(host)) == (table, rules, [])


def test_a_release_is_let_in_from_before_it_is_up_and_the_one_before_it_too(host):
    assert host.firewall.activate("shop", definition(9090, {"target": 1, "published": "1", "host_ip": "127.0.0.1"})) != ""
    assert "8080 comment" in host.table and "9090 comment" in host.table
    # The timer comes in between.
    assert host.firewall.follow() == ""
    host.release("shop", 9090, number="2")
    assert host.firewall.activated("shop") != ""
    assert "8080" not in host.table and "9090 comment" in host.table


def test_an_activation_that_never_ends_is_forgotten(host):
    host.firewall.activate("shop", definition(9090))
    host.clock += 3601
    assert host.firewall.follow() == "something else is declared by now"
    assert "9090" not in host.table


def test_activations_of_two_stacks_do_not_know_of_each_other(host):
    host.firewall.activate("shop", definition(9090))
    host.firewall.activate("blog", definition(9191))
    host.firewall.activated("shop")
    assert "9090" not in host.table and "9191" in host.table


def test_a_name_that_is_none_of_a_stack_is_refused(host):
    with pytest.raises(StackError, match="not the name of a stack"):
        host.firewall.activate("../x", {})


def test_docker_without_its_rules_is_told_once_and_not_fought(host):
    told = []
    watch(host.firewall, told.append)
    host.iptables = ""
    for _time in range(2):
        watch(host.firewall, told.append)
    assert told == ["firewall: Docker's own rules are gone. Remedy: systemctl restart docker (with live-restore containers go on meanwhile)."]
    host.write("etc/docker/daemon.json", {"iptables": False})
    watch(host.firewall, told.append)
    host.write("etc/docker/daemon.json", {})
    watch(host.firewall, told.append)
    assert len(told) == 2 and changes(host) == []


def test_all_of_it_is_removed(host):
    host.firewall.activate("shop", definition(1))
    host.firewall.remove()
    assert host.table == ""
    assert [path.name for path in (host.root / "etc/portside").iterdir()] == ["exposure.json"]
    assert [path.name for path in (host.root / "run/portside").iterdir()] == ["firewall.lock"]
