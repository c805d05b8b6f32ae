"""Bad input and bad luck: a clear error, and users go on being served."""

from __future__ import annotations

import pytest


def declared(**services):
    return {"stack_overrides": {"selflink": {"services": services}}}


# What is wrong, and the words the error must have.
KNOWN_BEFOREHAND = {
    "an unknown key": (
        declared(api={"helthcheck": {"test": ["CMD", "true"]}}),
        ["stack 'selflink'", "service 'api'", "helthcheck", "healthcheck"],
    ),
    "a Compose error": (
        declared(api={"ulimits": {"nofile": {"soft": "many", "hard": 10}}}),
        ["stack selflink", "api", "nofile"],
    ),
    "a missing image": (
        declared(api={"image": "registry.test:5000/portside/selflink:9.9.9"}),
        ["stack selflink", "api", "registry.test:5000/portside/selflink:9.9.9"],
    ),
}


@pytest.fixture()
def opt_stacks(host):
    """Everything under /opt/stacks with its content, to see that nothing was touched."""

    def read():
        return host.check_output("sudo find /opt/stacks -printf '%p %m %u %T@ %l\\n' | sort")

    return read


@pytest.mark.parametrize("fault", KNOWN_BEFOREHAND)
def test_what_can_be_known_beforehand_is_refused_before_anything_is_touched(fault, site, containers, opt_stacks, probe):
    declaration, words = KNOWN_BEFOREHAND[fault]
    before = containers(), opt_stacks()
    done = site(**declaration)
    assert done.code != 0
    for word in words:
        assert word in done.output, done.output
    assert (containers(), opt_stacks()) == before
    assert probe().returncode == 0


def test_a_port_held_by_another_process_is_refused_with_its_holder(site, containers, opt_stacks, host):
    host.check_output("sudo systemd-run --unit=squatter python3 -m http.server 8099 --bind 127.0.0.1")
    try:
        before = containers(), opt_stacks()
        done = site(**declared(realtime={"ports": [{"target": 8001, "published": 8099}]}))
        assert done.code != 0
        for word in ("stack selflink", "realtime", "8099", "python3"):
            assert word in done.output, done.output
        assert (containers(), opt_stacks()) == before
    finally:
        host.check_output("sudo systemctl stop squatter")


@pytest.mark.slow
def test_a_service_that_never_gets_healthy_is_named_and_the_release_before_serves(site, containers, host, probe):
    before = containers()
    current = host.check_output("readlink /opt/stacks/selflink/current")
    done = site(
        **declared(
            realtime={
                "command": ["sh", "-c", "echo i am lost; exec sleep infinity"],
                "healthcheck": {"interval": "1s", "retries": 3, "start_period": "0s"},
            }
        )
    )
    assert done.code != 0
    for word in ("stack selflink", "realtime", "unhealthy", "i am lost"):
        assert word in done.output, done.output
    assert host.check_output("readlink /opt/stacks/selflink/current") == current
    after = containers()
    assert {name for name in before if after[name] != before[name]} == {"realtime"}
    assert probe().returncode == 0


def test_the_next_run_goes_on_without_a_hand(site, probe):
    done = site()
    assert done.code == 0, done.output
    assert probe().returncode == 0


@pytest.mark.slow
def test_and_the_one_after_it_has_nothing_to_do(site):
    assert site().recap["changed"] == 0
