"""One service's image changes; then images are pruned and the host reboots."""

from __future__ import annotations

import time

NEWER = {"selflink_realtime_image": "registry.test:5000/portside/selflink:1.0.1"}


def test_the_plan_names_the_service_and_touches_nothing(site, containers):
    before = containers()
    done = site("--check", **NEWER)
    assert done.code == 0, done.output
    assert done.recap["changed"] > 0
    assert "realtime" in done.output and "selflink:1.0.1" in done.output
    assert containers() == before


def test_that_service_alone_is_recreated(site, containers, probe):
    before = containers()
    done = site(**NEWER)
    assert done.code == 0, done.output
    after = containers()
    assert {name for name in before if after[name] != before[name]} == {"realtime"}
    assert probe().returncode == 0


def test_after_pruning_and_a_reboot_everything_serves(site, containers, probe, reboot, host):
    host.check_output("sudo docker system prune --all --force")
    before = {name: one for name, (one, started) in containers().items()}
    reboot()
    deadline = time.monotonic() + 180
    while (done := probe()).returncode != 0:
        assert time.monotonic() < deadline, done.stdout
        time.sleep(2)
    assert {name: one for name, (one, started) in containers().items()} == before
    # The images that containers use are left, but pruning took names that the release knows them by.
    mended = site(**NEWER)
    assert mended.code == 0, mended.output
    assert {name: one for name, (one, started) in containers().items()} == before
    assert site(**NEWER).recap["changed"] == 0
