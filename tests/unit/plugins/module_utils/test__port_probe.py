# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest
from ansible_collections.portside.stack.plugins.module_utils._port_probe import Prober
from ansible_collections.portside.stack.plugins.module_utils._port_probe_rules import Port
from hypothesis import given
from hypothesis import strategies as st

ONE, SIX = "203.0.113.7", "2001:db8::7"
SSH = Port(22, "tcp", "", "control")
DB = Port(5432, "tcp", "db", "closed")


def place(address):
    return (address, 0, 0, 0) if ":" in address else (address, 0)


class World:
    """A network in which every try comes to what the test says; of a list the last goes on."""

    def __init__(self, behaviours, names=None, sources=None):
        self.behaviours = {key: list(several) for key, several in behaviours.items()}
        self.names, self.sources = names or {}, sources or {}
        self.tries, self.at_once, self.most = [], 0, 0
        self.clock = 0.0

    def now(self):
        self.clock += 0.5
        return self.clock

    async def look_up(self, name):
        if name == "slow.example":
            await asyncio.sleep(60)
        found = self.names.get(name, [name] if name[0].isdigit() else None)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, place(one)) for one in found]

    def source(self, place):
        found = self.sources.get(place[0], "198.51.100.1")
        if isinstance(found, int):
            raise OSError(found, os.strerror(found))
        return found

    async def connect(self, place, port):
        await self.act(place, "tcp", port)

    async def exchange(self, place, port, question):
        assert question
        await self.act(place, "udp", port)

    async def act(self, place, protocol, port):
        self.tries.append((place[0], protocol, port))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0)
            several = self.behaviours[place[0], protocol, port]
            what = several.pop(0) if len(several) > 1 else several[0]
            if what == "silent":
                raise asyncio.TimeoutError
            if what != "open":
                number = {"refused": errno.ECONNREFUSED, "rejected": errno.EHOSTUNREACH, "unsent": errno.EPERM}[what]
                raise OSError(number, os.strerror(number))
        finally:
            self.at_once -= 1


def probe(world, names, ports, via="", attempts=1, parallel=64, timeout=5.0):
    return asyncio.run(Prober(world, timeout, attempts, parallel).run(names, ports, via))


def outcomes(report):
    return {(one["address"], one["protocol"], one["port"]): one["outcome"] for one in report["results"]}


BEHAVIOUR = st.lists(st.sampled_from(["open", "refused", "silent", "rejected", "unsent"]), min_size=1, max_size=3)
PORTS = [SSH, Port(443, "tcp", "edge", "open"), DB, Port(53, "udp", "dns", "closed"), Port(443, "udp", "edge", "open")]


@given(st.tuples(*[BEHAVIOUR] * (2 * len(PORTS))))
def test_whatever_the_network_does_nothing_is_shut_without_a_control_on_the_same_address(drawn):
    keys = [(address, port.protocol, port.port) for address in (ONE, SIX) for port in PORTS]
    behaviours = dict(zip(keys, drawn))
    found = probe(World(behaviours, {"a.example": [ONE, SIX]}), ["a.example"], PORTS)
    for (address, protocol, port), outcome in outcomes(found).items():
        if outcome in ("closed", "filtered"):
            # One that was open at its first try and at its second.
            may = [behaviours[address, "tcp", one] for one in (22, 443)]
            assert any(several[0] == "open" and (several + several)[min(1, len(several))] == "open" for several in may)
            assert behaviours[address, protocol, port][0] in ("refused", "silent", "rejected")
        if behaviours[address, protocol, port][0] == "open":
            assert outcome == "open"
    told = {(one["endpoint"]["address"], one["endpoint"]["protocol"], one["endpoint"]["port"]) for one in found["violations"]}
    wrong = {"open": ("closed", "filtered"), "closed": ("open",), "control": ()}
    kinds = {(port.protocol, port.port): port.declared for port in PORTS}
    assert told == {key for key, outcome in outcomes(found).items() if outcome in wrong[kinds[key[1:]]]}


def test_a_control_of_another_address_does_not_count():
    world = World(
        {
            (ONE, "tcp", 22): ["open"],
            (ONE, "tcp", 5432): ["refused"],
            (SIX, "tcp", 22): ["silent"],
            (SIX, "tcp", 5432): ["refused"],
        }
    )
    world.names = {"a.example": [ONE, SIX]}
    found = probe(world, ["a.example", ONE], [SSH, DB])
    assert outcomes(found) == {
        (ONE, "tcp", 22): "open",
        (ONE, "tcp", 5432): "closed",
        (SIX, "tcp", 22): "not_checked",
        (SIX, "tcp", 5432): "not_checked",
    }
    assert found["checked_families"] == ["ipv4"] and found["violations"] == []


def test_the_control_is_tried_first_and_last_and_only_if_it_answered():
    world = World({(ONE, "tcp", 22): ["open"], (ONE, "tcp", 443): ["silent"], (ONE, "tcp", 5432): ["refused"]})
    probe(world, [ONE], [DB, SSH, Port(443, "tcp", "", "open")])
    assert [port for _address, _protocol, port in world.tries] == [22, 443, 5432, 22]


def test_what_is_silent_is_tried_again_and_what_is_refused_is_not():
    behaviours = {(ONE, "tcp", 22): ["silent", "open"], (ONE, "tcp", 5432): ["refused"], (ONE, "tcp", 25): ["silent"]}
    world = World(behaviours)
    found = probe(world, [ONE], [SSH, DB, Port(25, "tcp", "", "closed")], attempts=3)
    tried = [port for _address, _protocol, port in world.tries]
    assert [tried.count(port) for port in (22, 5432, 25)] == [3, 1, 3]
    assert list(outcomes(found).values()) == ["open", "closed", "filtered"]
    assert all(one["seconds"] > 0 for one in found["results"])


def test_no_more_are_tried_at_once_than_was_asked_for():
    ports = [Port(number, "tcp", "", "closed") for number in range(1000, 1200)]
    world = World({(ONE, "tcp", port.port): ["refused"] for port in ports})
    probe(world, [ONE], ports, parallel=7)
    assert (world.most, len(world.tries)) == (7, 200)


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_without_a_route_nothing_is_sent_and_the_family_is_told(number):
    world = World({(ONE, "tcp", 22): ["open"]}, {"a.example": [SIX, ONE]}, {SIX: number})
    found = probe(world, ["a.example"], [SSH])
    assert {address for address, _protocol, _port in world.tries} == {ONE}
    told = "{0}: tcp 22 not checked: the controller has no IPv6 route to it: {1}.".format(SIX, os.strerror(number))
    assert found["not_checked"] == [told] and found["checked_families"] == ["ipv4"]


def test_nothing_is_sent_to_an_address_of_the_controller_itself():
    world = World({}, sources={ONE: ONE, "127.0.0.1": "127.0.0.1"})
    found = probe(world, [ONE, "127.0.0.1"], [SSH, DB])
    assert world.tries == [] and set(outcomes(found).values()) == {"not_checked"}


def test_names_that_are_not_found_are_told_and_do_not_keep_others():
    world = World({(ONE, "tcp", 22): ["open"]})
    found = probe(world, ["gone.example", "slow.example", ONE], [SSH], timeout=0.05)
    assert outcomes(found)[ONE, "tcp", 22] == "open"
    assert found["not_checked"] == [
        "gone.example: tcp 22 not checked: the controller does not find the name: Name or service not known.",
        "slow.example: tcp 22 not checked: no name server answered in time.",
    ]


def test_through_a_jump_host_nothing_is_looked_up_or_sent():
    world = World({})
    found = probe(world, ["gone.example", SIX], [SSH, DB], via="through the jump host bastion")
    assert world.tries == [] and [one["family"] for one in found["results"]] == ["", "", "ipv6", "ipv6"]
    why = "tcp 22, 5432 not checked: the host is reached through the jump host bastion, so the controller does not see what others do."
    assert found["not_checked"] == ["gone.example: " + why, SIX + ": " + why]
    assert found["checked_families"] == [] and found["violations"] == []
