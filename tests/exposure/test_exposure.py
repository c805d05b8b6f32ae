# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way is set up for real and found, with the service's name, and nothing else is; without it nothing is said at all."""

from __future__ import annotations

import json
import time

import pytest
from judged import HARDENED
from ways import APP, BY_HAND, WAYS


@pytest.fixture(scope="module")
def bare(judged):
    """The host without the collection's firewall, and with what its engine wants besides."""
    judged.firewall(False)
    judged.sh(HARDENED)


@pytest.fixture(scope="module")
def guarded(judged, bare):
    """The host with the firewall. Comes after all that is to be without."""
    judged.firewall(True)
    yield
    judged.firewall(False)


def id_of(way):
    return f"{way.number} {way.name}"


def told(violations) -> dict[str, str]:
    """What each rule says, all of it."""
    said: dict[str, str] = {}
    for one in violations:
        said[one["rule"]] = " ".join([said.get(one["rule"], ""), one["what"], one["why"], one["remedy"]])
    return said


def assert_clean(judged) -> None:
    # As the row before left it, it was looked at a moment ago.
    if judged.clean:
        return
    found = judged.inside()
    assert not found["violations"] and not found["notices"] and not found["unseen"], found["text"]
    assert [one["service"] for one in found["waived"]] == ["shipper"]
    assert judged.outside(found) == []
    judged.clean = True


def settled(judged, rules) -> dict:
    """What is told when the host has come to rest."""
    for _try in range(5):
        found = judged.inside()
        if set(told(found["violations"] + found["notices"])) == set(rules):
            break
        time.sleep(1)
    return found


@pytest.mark.parametrize("way", WAYS, ids=id_of)
def test_a_way_is_found_and_named(way, judged, bare, neighbour):
    assert_clean(judged)
    assert not way.neighbour or not neighbour(way.neighbour)
    with judged.set_up(way):
        found = settled(judged, way.host)
        said = told(found["violations"])
        print(found["text"])
        assert set(said) == set(way.host), found["text"]
        for rule, words in way.host.items():
            assert not [word for word in words if judged.fill(word) not in said[rule]], said[rule]
        outside = " ".join(judged.outside(found, way.named))
        assert bool(outside) == bool(way.outside), outside
        assert not [word for word in way.outside if judged.fill(word) not in outside], outside
        assert not way.neighbour or neighbour(way.neighbour)
    assert_clean(judged)


def test_an_exception_is_waived_by_name_alone(judged, bare):
    settings = {"waivers": [{"rule": "docker_control", "container": "logs", "reason": "it ships what containers log"}]}
    mounted = "--volume /var/run/docker.sock:/var/run/docker.sock:ro"
    try:
        judged.sh(f"echo '{json.dumps(settings)}' >/root/exposure.json")
        for name in ("logs", "other"):
            judged.sh(f"docker run --detach --stop-timeout 0 --name {name} {mounted} {APP}")
        found = judged.inside(settings="/root/exposure.json")
    finally:
        judged.sh("docker rm --force logs other")
    assert [(one["container"], one["rule"]) for one in found["violations"]] == [("other", "docker_control")]
    assert ("logs", "it ships what containers log") in [(one["container"], one["reason"]) for one in found["waived"]]


def test_a_rollback_tells_who_is_reached_and_is_not_held_up(judged, bare):
    judged.play("deploy", exposure_run="later")
    later = judged.sh("readlink /opt/stacks/shop/current")
    said = judged.play("rollback", stack="shop")
    assert judged.sh("readlink /opt/stacks/shop/current") != later
    assert "not what was declared" not in said and "was not seen" not in said, said
    judged.sh(BY_HAND)
    try:
        said = judged.play("rollback", stack="shop", release=later.strip().rpartition("/")[2])
    finally:
        judged.sh("docker rm --force forgotten")
    assert "not what was declared" in said and "container forgotten publishes 0.0.0.0:5432" in said, said
    assert judged.sh("readlink /opt/stacks/shop/current") == later


@pytest.mark.parametrize("way", [way for way in WAYS if way.blocked], ids=id_of)
def test_with_the_firewall_it_is_a_notice_and_not_reached(way, judged, guarded):
    assert_clean(judged)
    with judged.set_up(way):
        found = settled(judged, way.host)
        assert not [one for one in found["violations"] if one["rule"] in ("undeclared_port", "undeclared_listener", "wider_than_declared", "host_network")]
        said = told(found["notices"])
        for rule, words in way.host.items():
            if rule in said:
                assert not [word for word in words if judged.fill(word) not in said[rule]], said[rule]
        assert said, found["text"]
        assert judged.outside(found) == []
    assert_clean(judged)


def test_the_firewall_that_is_flushed_is_told_of(judged, guarded):
    judged.sh(BY_HAND)
    try:
        assert judged.outside(judged.inside()) == []
        judged.sh("systemctl stop portside-firewall.timer; nft delete table inet portside")
        found = judged.inside()
        assert {"firewall_gone", "undeclared_port"} <= set(told(found["violations"])), found["text"]
        assert "container forgotten" in " ".join(judged.outside(found))
    finally:
        judged.sh("docker rm --force forgotten; systemctl start portside-firewall.timer; systemctl restart portside-firewall")
    assert_clean(judged)
