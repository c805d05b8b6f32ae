# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._budget import Capacity, cpu_warning, limit_warnings, memory_problem
from hypothesis import given
from hypothesis import strategies as st

GIB = 2**30
HOST = Capacity("web1", 8 * GIB, 4)


def one(service, memory=0, cpus=0.0, replicas=1):
    return {"service": service, "replicas": replicas, "memory": memory, "cpus": cpus}


def test_more_memory_than_there_is_names_the_sums_and_the_biggest():
    reserved = {"shop": [one("db", 2 * GIB), one("web", GIB, replicas=3)], "tools": [one("search", 3 * GIB)], "plain": []}
    assert memory_problem(reserved, HOST, GIB // 2) == [
        "the memory reservations of all stacks on host web1 come to 8.0 GiB (shop 5.0 GiB, tools 3.0 GiB), and it has 8.0 GiB, of which 512 MiB "
        "stay free for the system (stack_memory_headroom). The biggest: web of shop 3.0 GiB (3 x 1.0 GiB), search of tools 3.0 GiB, "
        "db of shop 2.0 GiB. Remedy: reserve less (deploy.resources.reservations.memory), run fewer containers, or take a bigger host."
    ]
    assert memory_problem(reserved, HOST, 0) == []


def test_what_reserves_nothing_is_never_too_much():
    assert memory_problem({"shop": [one("db", cpus=1.0)]}, Capacity("tiny", 1, 1), GIB) == []


def test_more_processors_than_there_are_are_told():
    reserved = {"shop": [one("db", cpus=2.5), one("web", cpus=0.5, replicas=4)]}
    assert cpu_warning(reserved, HOST) == [
        "the CPU reservations of all stacks on host web1 come to 4.5 (shop 4.5), and it has 4. It goes on: when all are busy, each has its share of "
        "them (cpu_shares), which is less than it reserves. The biggest: db of shop 2.5, web of shop 2 (4 x 0.5)."
    ]
    # In binary that is a little more than 3.
    assert cpu_warning({"shop": [one("a", cpus=0.8, replicas=3), one("b", cpus=0.6)]}, HOST._replace(cpus=3)) == []


def test_a_limit_above_all_memory_is_told():
    services = {"db": {"deploy": {"resources": {"limits": {"memory": "16G"}}}}, "web": {"mem_limit": "9g"}, "ok": {"mem_limit": "8g"}, "none": {"deploy": None}}
    told = limit_warnings("shop", services, HOST)
    assert [text.partition(" is above")[0] for text in told] == [
        "stack shop: service db: its memory limit 16G",
        "stack shop: service web: its memory limit 9g",
    ]
    assert "host web1 has (8.0 GiB)" in told[0]


AMOUNTS = st.lists(st.builds(one, st.sampled_from("abcdef"), st.integers(0, 4 * GIB), st.integers(0, 40).map(lambda tenths: tenths / 10), st.integers(1, 3)))


@given(st.dictionaries(st.sampled_from(["shop", "tools", "plain"]), AMOUNTS), st.integers(0, GIB))
def test_of_any_reservations(reserved, headroom):
    memory = sum(one["replicas"] * one["memory"] for services in reserved.values() for one in services)
    tenths = sum(one["replicas"] * round(one["cpus"] * 10) for services in reserved.values() for one in services)
    assert bool(memory_problem(reserved, HOST, headroom)) == (memory > HOST.memory - headroom)
    assert bool(cpu_warning(reserved, HOST)) == (tenths > 40)
    for text in memory_problem(reserved, HOST, headroom) + cpu_warning(reserved, HOST):
        assert all(stack in text for stack, services in reserved.items() if any(one["memory"] for one in services)) or "CPU" in text
