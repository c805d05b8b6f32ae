"""Limits and reservations: in force on the containers, and no more than the host has."""

from __future__ import annotations

# CPUs and MiB: limit and reservation of each, as the system's description has them.
TABLE = {
    "proxy": (0.5, 0.25, 256, 128),
    "frontend": (2.0, 1.0, 2048, 512),
    "backend": (2.0, 0.5, 1024, 512),
    "db": (1.0, 0.5, 512, 256),
    "redis": (0.5, 0.25, 256, 128),
    "celery": (1.0, 0.25, 512, 256),
}
TOTAL = (7.0, 2.75, 4608, 1792)


def test_the_running_containers_have_those_of_the_table(stack):
    found = {}
    for name, one in stack.containers().items():
        told = one["HostConfig"]
        found[name] = (told["NanoCpus"] / 1e9, told["CpuShares"] / 1024, told["Memory"] / 2**20, told["MemoryReservation"] / 2**20)
    assert found == TABLE
    assert tuple(map(sum, zip(*found.values()))) == TOTAL


def test_more_memory_than_the_host_has_is_refused_before_anything_is_touched(stack):
    before = stack.started(), stack.files()
    memory = {"limits": {"memory": "900G"}, "reservations": {"memory": "900G"}}
    done = stack.run("deploy", stack_overrides={"appstack": {"services": {"db": {"deploy": {"resources": memory}}}}})
    assert done.code != 0
    assert (stack.started(), stack.files()) == before
    # All but the database reserve 1536 MiB.
    has = int(stack.sh("docker info --format '{{.MemTotal}}'")) / 2**30
    assert not done.lacks("901.5 ?Gi?B", f"it has {has:.1f}", "db of appstack 900"), done.output


def test_fewer_processors_than_are_reserved_are_warned_of(stack, start):
    has = int(stack.sh("nproc"))
    warned = not start.run.lacks(f"come to {TOTAL[1]} .*and it has {has}")
    assert warned == (has < TOTAL[1]), start.run.output
