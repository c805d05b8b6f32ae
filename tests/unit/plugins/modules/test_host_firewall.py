# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._sockets import Listener
from ansible_collections.portside.stack.plugins.module_utils._ssh_session import Session
from ansible_collections.portside.stack.plugins.modules import host_firewall
from firewall_host import UNITS, Host
from module_runner import run_module

OPENED = {"port": 9100, "reason": "node_exporter for the monitoring host", "sources": ["10.20.0.5"]}
POSTGRES = {"Id": "1" * 64, "Names": ["/database"], "Ports": [{"IP": "0.0.0.0", "PublicPort": 5432, "Type": "tcp"}]}


class Engine:
    containers_there = None

    def __init__(self, timeout):
        pass

    def containers(self, stopped):
        if self.containers_there is None:
            raise EngineUnavailable("no Docker engine answers")
        return self.containers_there

    def get(self, _path):
        return []


@pytest.fixture
def host(tmp_path, monkeypatch, capsys):
    found = Host(tmp_path)
    found.nft, found.session, found.listeners = "/usr/sbin/nft", Session(22, 500), [Listener("tcp", "0.0.0.0", 22, "1", 1, "sshd")]
    monkeypatch.setattr(host_firewall.Work.__init__, "__defaults__", (str(tmp_path),))
    monkeypatch.setattr(host_firewall, "detached", lambda *_arguments: found.run)
    monkeypatch.setattr(host_firewall, "session", lambda _pid: found.session)
    monkeypatch.setattr(host_firewall, "listeners", lambda: found.listeners)
    monkeypatch.setattr(host_firewall, "EngineClient", Engine)
    monkeypatch.setattr(host_firewall.AnsibleModule, "get_bin_path", lambda _module, _name: found.nft)
    Engine.containers_there = None

    def module(state="present", check=False, diff=False, **options):
        return run_module(host_firewall.main, capsys, {"state": state, "stack_root": "/opt/stacks", **options}, check, diff)

    def on(**options):
        assert module(**options)["confirm"]
        found.session = Session(22, found.session.started + 1)
        return module("confirmed")

    found.module, found.on = module, on
    return found


def files(host):
    places = [path for name in ("etc", "usr") for path in (host.root / name).rglob("*") if not path.is_dir()]
    return sorted(str(path.relative_to(host.root)) for path in places)


def test_it_is_switched_on_confirmed_and_then_left_alone(host):
    host.release("shop", 8080)
    first = host.module(diff=True, open=[OPENED])
    assert (first["changed"], first["confirm"], first["nft"]) == (True, True, True)
    assert first["diff"]["before"] == "" and "8080 comment" in first["diff"]["after"] and "10.20.0.5/32" in first["ruleset"]
    host.session = Session(22, 501)
    assert host.module("confirmed")["changed"]
    again = host.module(open=[OPENED])
    assert (again["changed"], again["confirm"], again["restored"]) == (False, False, "")
    assert "etc/portside/exposure.json" in files(host) and UNITS + "portside-firewall.timer" in files(host)


def test_check_mode_tells_and_touches_nothing(host):
    outcome = host.module(check=True, diff=True)
    assert outcome["changed"] and not outcome["confirm"] and "policy drop" in outcome["diff"]["after"]
    assert files(host) == [] and host.table == "" and host.units == {}
    host.nft = None
    outcome = host.module(check=True)
    assert outcome["changed"] and not outcome["nft"]


def test_without_nft_nothing_is_done(host):
    host.nft = None
    outcome = host.module()
    assert not outcome["changed"] and not outcome["nft"] and not outcome["confirm"]
    assert files(host) == [] and host.calls == [call for call in host.calls if call[0] in ("systemctl", "ip")]


def test_what_is_gone_is_restored_without_a_proof(host):
    host.on()
    table, host.table = host.table, ""
    outcome = host.module()
    assert (outcome["changed"], outcome["confirm"], outcome["restored"]) == (True, False, "the table inet portside is gone")
    assert host.table == table
    (host.root / UNITS / "timers.target.wants/portside-firewall.timer").unlink()
    assert host.module()["changed"] and not host.module()["changed"]


def test_waivers_are_kept_for_the_exposure_check_and_change_no_rule(host):
    host.on()
    outcome = host.module(waivers=[{"rule": "docker_control", "container": "logs", "reason": "ships logs"}])
    assert outcome["changed"] and not outcome["confirm"]
    assert "ships logs" in host.read("etc/portside/exposure.json")


def test_on_the_first_time_nothing_that_works_is_cut_unasked(host):
    Engine.containers_there = [POSTGRES]
    host.listeners.append(Listener("tcp", "0.0.0.0", 111, "2", 2, "rpcbind"))
    outcome = host.module()
    assert "111/tcp (process rpcbind); 5432/tcp (container database)" in outcome["msg"]
    assert host.table == "" and files(host) == []
    assert host.module(check=True).result["failed"]
    host.on(cut=True)
    # By now the firewall is what people rely on.
    assert not host.module()["changed"]


def test_off_keeps_the_declaration_alone(host):
    host.on(open=[OPENED])
    assert host.module("absent", check=True, open=[OPENED])["changed"] and host.table
    outcome = host.module("absent", open=[OPENED], diff=True)
    assert outcome["changed"] and outcome["diff"]["after"] == "" and "9100" in outcome["diff"]["before"]
    assert files(host) == ["etc/portside/exposure.json", "usr/local/lib/portside/portside.pyz"]
    assert host.table == "" and '"firewall": false' in host.read("etc/portside/exposure.json")
    assert not host.module("absent", open=[OPENED])["changed"]
    host.table = "left by somebody"
    assert host.module("absent", open=[OPENED])["changed"] and host.table == ""


def test_off_from_the_beginning_needs_nothing(host):
    host.nft = None
    assert host.module("absent")["changed"] and not host.module("absent")["changed"]
    assert files(host) == ["etc/portside/exposure.json"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"open": [{**OPENED, "port": 0}]}, "firewall_open: port 0 is not a port"),
        ({"open": [{**OPENED, "reason": " "}]}, "firewall_open: port 9100 has no reason"),
        ({"open": [{**OPENED, "sources": ["example.com"]}]}, "'example.com' in sources is neither an address nor a network"),
        ({"trusted_interfaces": ['wg0" }']}, "is not the name of an interface"),
        ({"ssh_ports": [2222]}, "firewall_ssh_ports: 2222 does not have port 22, by which this very connection came"),
    ],
)
def test_what_cannot_be_is_refused(host, options, words):
    assert words in host.module(**options)["msg"]
    assert files(host) == [] and host.table == ""


WATCH = {"watch": True, "watch_every": "10min", "watch_webhook": "https://hooks.example.com/services/sesame"}


@pytest.mark.parametrize("state", ["present", "absent"])
def test_it_is_watched_whether_there_is_a_firewall_or_not(host, state):
    if state == "present":
        host.on()
    assert host.module(state, check=True, **WATCH)["changed"]
    assert "etc/portside/webhook" not in files(host)
    outcome = host.module(state, diff=True, **WATCH)
    assert outcome["changed"] and "sesame" not in outcome.seen
    assert "OnUnitInactiveSec=10min" in host.read(UNITS + "portside-exposure.timer")
    assert host.read("etc/portside/webhook") == '"https://hooks.example.com/services/sesame"\n'
    assert (host.root / "etc/portside/webhook").stat().st_mode & 0o777 == 0o600
    assert not host.module(state, **WATCH)["changed"]
    texts = {path: (host.root / path).read_bytes() for path in files(host) if (host.root / path).is_file()}
    assert [path for path, text in texts.items() if b"sesame" in text] == ["etc/portside/webhook"]
    assert "sesame" not in repr(host.calls)


def test_what_differs_of_the_watch_is_mended(host):
    host.module("absent", **WATCH)
    for options in ({"watch_every": "1h"}, {"watch_webhook": "https://hooks.example.com/other"}, {"watch_webhook": ""}):
        assert host.module("absent", **{**WATCH, **options})["changed"]
        assert not host.module("absent", **{**WATCH, **options})["changed"]
    assert "etc/portside/webhook" not in files(host)
    assert host.module("absent", **WATCH)["changed"]
    (host.root / "etc/portside/webhook").chmod(0o644)
    assert host.module("absent", **WATCH)["changed"]
    assert (host.root / "etc/portside/webhook").stat().st_mode & 0o777 == 0o600
    host.write("etc/portside/webhook", "mended by hand")
    assert host.module("absent", **WATCH)["changed"] and not host.module("absent", **WATCH)["changed"]


def test_who_wants_no_watch_has_nothing_of_it(host):
    host.module("absent", **WATCH)
    host.write("run/portside/exposure.told", "{}")
    assert host.module("absent", check=True)["changed"]
    assert host.module("absent")["changed"] and not host.module("absent")["changed"]
    assert files(host) == ["etc/portside/exposure.json", "usr/local/lib/portside/portside.pyz"]
    assert not (host.root / "run/portside/exposure.told").exists()


def test_a_confirmation_leaves_the_watch_alone(host):
    host.on(**WATCH)
    assert UNITS + "portside-exposure.timer" in files(host) and "etc/portside/webhook" in files(host)
    assert not host.module(**WATCH)["changed"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"watch_every": "5 minutes"}, "firewall_watch_every: '5 minutes' is not a time"),
        ({"watch_webhook": "https://me:sesame@hooks.example.com/"}, "firewall_watch_webhook is not a URL of a webhook"),
    ],
)
def test_a_watch_that_cannot_be_is_refused(host, options, words):
    outcome = host.module(watch=True, **options)
    assert words in outcome["msg"] and "sesame" not in outcome.seen
    assert files(host) == [] and host.table == ""


def test_without_systemd_nobody_watches(host):
    (host.root / "run/systemd/system").rmdir()
    host.module("absent", **WATCH)
    assert files(host) == ["etc/portside/exposure.json"] and not host.module("absent", **WATCH)["changed"]


def test_a_host_without_systemd_is_refused(host):
    (host.root / "run/systemd/system").rmdir()
    outcome = host.module()
    assert "systemd does not run this host" in outcome["msg"] and "firewall_enabled: false" in outcome["msg"]
    assert host.module("absent")["changed"]


def test_another_firewall_is_refused_and_one_beside_it_is_told(host):
    host.units["netfilter-persistent.service"] = "ActiveState=active\nUnitFileState=enabled\n"
    assert "netfilter-persistent" in host.module(check=True).warnings[0]
    host.write("etc/ufw/ufw.conf", "ENABLED=yes\n")
    assert "ufw is active" in host.module()["msg"] and host.table == ""


def test_a_confirmation_of_nothing_is_an_error(host):
    assert "took back the new rules" in host.module("confirmed")["msg"]
