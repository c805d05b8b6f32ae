"""Who is reachable and nobody declared: named, and nothing goes on with it."""

from __future__ import annotations

import pytest

FILES = "find /opt/stacks /etc/docker /etc/portside -printf '%p %m %u %T@ %l\\n' | sort"
FORGOTTEN = "docker run --detach --name forgotten --env PORTS=5432 --publish 0.0.0.0:5432:5432 registry.test:5000/portside/edge-app:1.0.0"
WIDER = """cd /opt/stacks/shop/current &&
echo 'services: {api: {ports: !override ["8001:8001"]}}' >/root/override.yaml &&
docker compose --project-name shop --file compose.yaml --file /root/override.yaml up --detach --no-deps --wait api"""
# Past all that is judged on the host: a router's rule.
CUT = "iptables -t mangle -%s PREROUTING -i eth0 -p tcp --dport 80 -j DROP"


def test_a_host_that_is_as_declared_is_clean_and_an_exception_waived_with_its_reason(root, play):
    code, said = play("verify")
    assert code == 0 and "changed=0 " in said, said
    assert "80/tcp" in said and "shop/web" in said
    assert "Waived (1)" in said and "it ships what containers log" in said


def test_a_forgotten_container_fails_a_deploy_before_anything_is_touched(root, play, serving, new_release):
    root.check_output(FORGOTTEN)
    before, files = serving(), root.check_output(FILES)
    try:
        code, said = play("deploy", **new_release)
        assert code != 0
        assert "container forgotten publishes 0.0.0.0:5432" in said and "docker rm -f forgotten" in said
        assert (serving(), root.check_output(FILES)) == (before, files)
        code, said = play("verify")
        assert code != 0 and "container forgotten publishes 0.0.0.0:5432" in said
    finally:
        root.check_output("docker rm --force forgotten")


def test_a_container_that_somebody_attached_elsewhere_is_named_and_a_deploy_takes_it_back(root, play, serving):
    root.check_output("docker network connect bridge shop-db-1")
    before = serving()
    code, said = play("verify")
    assert code != 0 and "container shop-db-1 is attached to network bridge" in said, said
    code, said = play("deploy")
    assert code == 0, said
    after = serving()
    assert "bridge" not in root.check_output("docker inspect shop-db-1 --format '{{json .NetworkSettings.Networks}}'")
    assert {name for name, one in before[2].items() if after[2].get(name) != one} >= {"shop-db-1"} and after[:2] == before[:2]


@pytest.mark.slow
def test_a_port_that_is_wider_than_declared_is_named_and_a_deploy_mends_it(root, play):
    root.check_output(WIDER)
    code, said = play("verify")
    assert code != 0 and "stack shop: service api: container shop-api-1 is bound to 0.0.0.0:8001" in said, said
    code, said = play("deploy")
    assert code == 0, said
    assert root.check_output("docker port shop-api-1") == "8001/tcp -> 127.0.0.1:8001"


def test_what_does_not_answer_from_outside_fails_a_deploy_as_well(root, play, serving, new_release):
    before = serving()
    root.check_output(CUT % "I")
    try:
        code, said = play("deploy", **new_release)
    finally:
        root.check_output(CUT % "D")
    assert code != 0 and "stack shop: service web" in said and "not_reachable_from_outside" in said, said
    assert serving()[:2] == before[:2]


@pytest.mark.slow
def test_without_its_waiver_the_exception_is_told(root, play, serving, new_release):
    before = serving()
    code, said = play("deploy", **new_release, stack_overrides={"shop": {"waivers": []}})
    assert code == 0 and serving()[0] != before[0], said
    code, said = play("verify")
    assert code != 0 and "stack shop: service shipper: container shop-shipper-1" in said
