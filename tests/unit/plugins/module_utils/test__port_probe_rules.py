# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import errno

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._port_probe_rules import (
    Address,
    Controls,
    Port,
    Seen,
    entry_of,
    judged,
    obstacle,
    ports_of,
    report,
    seen_of,
    violation_of,
)
from hypothesis import given
from hypothesis import strategies as st

HOST = Address("203.0.113.7", "ipv4", ("203.0.113.7", 0))
ANSWERS = Controls([22, 443], [22], [22])
SEENS = ("open", "refused", "silent", "rejected", "unsent", "untried")

controls = st.builds(Controls, *[st.lists(st.integers(1, 65535), max_size=2)] * 3)
addresses = st.builds(Address, st.just("203.0.113.7"), st.just("ipv4"), st.none(), st.sampled_from(["", "loopback"]))
ports = st.builds(
    Port, st.integers(1, 65535), st.sampled_from(["tcp", "udp"]), st.sampled_from(["", "db"]), st.sampled_from(["open", "closed", "control"])
)
seens = st.builds(Seen, st.sampled_from(SEENS), st.sampled_from(["", "No route to host"]))


@given(addresses, ports, seens, controls)
def test_nothing_is_said_to_be_shut_unless_the_address_answers_before_and_after(address, port, seen, found):
    outcome, why = judged(address, port, seen, found)
    assert outcome in ("open", "closed", "filtered", "not_checked") and why
    if outcome in ("closed", "filtered"):
        assert found.tried and found.before and found.after and not address.obstacle
        assert (outcome == "closed") == (seen.what == "refused")
    if outcome == "open":
        assert seen.what == "open" and not address.obstacle
    # Silence over UDP proves nothing whatever else answers.
    if port.protocol == "udp" and seen.what == "silent":
        assert outcome == "not_checked"


@given(addresses, ports, seens, controls)
def test_a_violation_is_only_what_was_seen_to_differ(address, port, seen, found):
    entry = entry_of(address, port, seen, found)
    violation = violation_of(entry)
    rules = {
        ("closed", "open"): "reachable_from_outside",
        ("open", "closed"): "not_reachable_from_outside",
        ("open", "filtered"): "not_reachable_from_outside",
    }
    assert (violation["rule"] if violation else None) == rules.get((port.declared, entry["outcome"]))
    told = report([entry], [address], {address.text: found})
    assert bool(told["not_checked"][:-1]) == (entry["outcome"] == "not_checked")
    # What is claimed to be checked had to answer.
    assert (told["checked_families"] == ["ipv4"]) == bool(not address.obstacle and found.before and found.after)


def test_a_violation_names_owner_address_reason_and_remedy():
    db = Port(5432, "tcp", "stack shop, service db", "closed")
    address = Address("2001:db8::7", "ipv6")
    violation = violation_of(entry_of(address, db, Seen("open"), Controls()))
    assert violation == {
        "rule": "reachable_from_outside",
        "what": "tcp [2001:db8::7]:5432: stack shop, service db is reachable from outside.",
        "why": "It is not declared open, and it accepts connections from the controller.",
        "remedy": "Publish it with host_ip: 127.0.0.1, or have it listen there; or declare it open; or have a firewall keep it in, "
        "such as the role firewall.",
        "endpoint": {"protocol": "tcp", "family": "ipv6", "address": "2001:db8::7", "port": 5432},
        "severity": "high",
        "blocked": False,
        "since": "",
        "stack": "",
        "service": "",
        "container": "",
        "process": "",
    }


@pytest.mark.parametrize(
    ("what", "why", "first"),
    [
        ("silent", "Seen from the controller, no answer came, while tcp 22 answers.", "Let it in at the firewall"),
        ("rejected", "Seen from the controller, it is rejected on the way (No route to host), while tcp 22 answers.", "Let it in"),
        ("refused", "Seen from the controller, it is refused, while tcp 22 answers.", "See that the service runs"),
    ],
)
def test_what_is_declared_open_and_does_not_answer_has_the_likely_remedy_first(what, why, first):
    entry = entry_of(HOST, Port(443, "tcp", "", "open"), Seen(what, "No route to host"), ANSWERS)
    violation = violation_of(entry)
    assert violation["what"] == "tcp 203.0.113.7:443: what listens there is declared open, and is not reachable from outside."
    assert violation["why"] == why
    assert violation["remedy"].startswith(first) and "service runs" in violation["remedy"] and "provider" in violation["remedy"]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Controls(), "no TCP port was given that has to answer"),
        (Controls([22, 443]), "no port of 203.0.113.7 answers from here, and tcp 22, 443 should"),
        (Controls([22, 443], [22]), "no port of 203.0.113.7 answers from here any more, tcp 22 did at first"),
    ],
)
def test_the_reason_for_not_checking_is_told(found, told):
    for what in ("refused", "silent", "rejected"):
        outcome, why = judged(HOST, Port(5432, "tcp", "", "closed"), Seen(what), found)
        assert (outcome, why.startswith(told)) == ("not_checked", True)


def test_what_was_not_checked_is_told_by_address_and_reason():
    shut = [Port(5432, "tcp", "", "closed"), Port(80, "tcp", "", "closed"), Port(53, "udp", "", "closed")]
    results = [entry_of(HOST, port, Seen("silent"), ANSWERS) for port in shut]
    other = Address("203.0.113.8", "ipv4", None, "it is gone")
    results += [entry_of(other, port, Seen("untried"), Controls()) for port in shut]
    told = report(results, [HOST, other], {HOST.text: ANSWERS, other.text: Controls()})
    assert told["not_checked"] == [
        "203.0.113.7: udp 53 not checked: no answer came, and over UDP one need not come from an open port.",
        "203.0.113.8: tcp 80, 5432, udp 53 not checked: it is gone.",
        "IPv6: not checked: the host was given no address of this family, and its names have none.",
    ]
    assert told["checked_families"] == ["ipv4"]
    assert told["text"].splitlines() == ["From the controller: 0 open, 0 closed, 2 filtered, 4 not checked."] + told["not_checked"]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (None, "open"),
        # Accepted and reset before it was looked at.
        (ConnectionResetError(errno.ECONNRESET, "reset"), "open"),
        (BrokenPipeError(errno.EPIPE, "pipe"), "open"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (asyncio.TimeoutError(), "silent"),
        (OSError(errno.ETIMEDOUT, "timed out"), "silent"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "rejected"),
        (OSError(errno.EACCES, "Permission denied"), "rejected"),
        (OSError(errno.EPERM, "Operation not permitted"), "unsent"),
        (OSError(errno.EMFILE, "Too many open files"), "unsent"),
        (OSError("odd"), "unsent"),
    ],
)
def test_an_error_is_told_apart(error, what):
    assert seen_of(error).what == what


def test_a_fault_of_the_controller_says_nothing_of_the_host():
    outcome, why = judged(HOST, Port(25, "tcp", "", "closed"), seen_of(OSError(errno.EPERM, "Operation not permitted")), ANSWERS)
    assert (outcome, why) == ("not_checked", "the controller could not try it: Operation not permitted")


@pytest.mark.parametrize(
    ("text", "source", "told"),
    [
        ("127.0.0.1", "127.0.0.1", "loopback"),
        ("127.9.9.9", "", "loopback"),
        ("::1", "::1", "loopback"),
        ("0.0.0.0", "", "loopback"),
        ("::", "", "loopback"),
        ("::ffff:203.0.113.7", "", "give 203.0.113.7"),
        ("203.0.113.7", "203.0.113.7", "an address of the controller itself"),
        ("203.0.113.7", "198.51.100.1", ""),
        ("fe80::1%eth0", "fe80::2", ""),
    ],
)
def test_an_address_that_others_do_not_see_the_same_way_is_told(text, source, told):
    found = obstacle(text, source)
    assert bool(found) == bool(told) and told in found


def declared(port, owner="", protocol="tcp"):
    return {"port": port, "protocol": protocol, "owner": owner}


def test_each_port_is_there_once_and_what_may_answer_wins():
    found = ports_of(
        [declared(443, "edge")],
        [declared(22, "sshd"), declared(443, "db"), declared(443, "db", "udp"), declared(25, "a"), declared(25, "b"), declared(25, "a")],
        [22, 443, 22],
    )
    assert found == [
        Port(443, "tcp", "edge", "open"),
        Port(22, "tcp", "", "control"),
        Port(443, "udp", "db", "closed"),
        Port(25, "tcp", "a and b", "closed"),
    ]


def test_numbers_that_are_no_ports_are_refused_at_once():
    with pytest.raises(StackError) as told:
        ports_of([declared(0)], [declared(70000)], [-1])
    assert [line.split(" is none")[0] for line in str(told.value).splitlines()] == [
        "open: port 0",
        "control: port -1",
        "closed: port 70000",
    ]
