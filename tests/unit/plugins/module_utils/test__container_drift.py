# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Compose makes of a service is no difference from it, and each thing that somebody changes is one, by its name."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.portside.stack.plugins.module_utils._container_drift import Look, differences
from hypothesis import given
from hypothesis import strategies as st

MIB = 2**20
IMAGE = "example/app:1@sha256:" + "a" * 64
LOOK = Look("sha256:one", {"shop_back": "n1", "shop_front": "n2"}, {"MemoryLimit": True, "CPUShares": True})


def made(body):
    """The inspection of a container that Compose has made of a service, as its source does it."""
    resources = body.get("deploy", {}).get("resources", {})
    limits, reserved = resources.get("limits", {}), resources.get("reservations", {})
    policy, _colon, count = body["restart"].partition(":")
    memory = SIZES[limits.get("memory") or body.get("mem_limit") or "0"]
    return {
        "Id": "c1",
        "Image": "sha256:one",
        "Config": {
            "Image": body["image"],
            "Cmd": [word.replace("$$", "$") for word in body.get("command", ["image's", "own"])],
            "Entrypoint": None,
            "Env": ["PATH=/bin", *("{0}={1}".format(key, value.replace("$$", "$")) for key, value in body["environment"].items())],
        },
        "HostConfig": {
            "Memory": memory,
            # The engine's own, where a limit is set.
            "MemorySwap": memory * 2,
            "MemoryReservation": SIZES[reserved.get("memory") or body.get("mem_reservation") or "0"],
            "NanoCpus": int(float(limits.get("cpus") or body.get("cpus") or 0) * 1e9),
            "CpuQuota": body.get("cpu_quota", 0),
            "CpuPeriod": body.get("cpu_period", 0),
            "CpuShares": body.get("cpu_shares", 0),
            "PidsLimit": limits.get("pids") or body.get("pids_limit") or None,
            "CpusetCpus": "",
            "RestartPolicy": {"Name": policy, "MaximumRetryCount": int(count or 0)},
            "PortBindings": {
                "{0}/{1}".format(port["target"], port["protocol"]): [{"HostIp": port["host_ip"], "HostPort": port["published"]}]
                for port in body.get("ports", ())
            },
        },
        "NetworkSettings": {"Networks": {"shop_back": {"NetworkID": "n1"}, "shop_front": {"NetworkID": "n2"}}},
    }


SIZES = {"0": 0, "512M": 512 * MIB, "1G": 1024 * MIB, "96m": 96 * MIB, "0.5gb": 512 * MIB, "262144": 262144}
sizes = st.sampled_from([size for size in SIZES if size != "0"])
words = st.text(alphabet="abcXYZ /-=", min_size=1, max_size=8)
deployed = st.fixed_dictionaries(
    {},
    optional={
        "limits": st.fixed_dictionaries(
            {}, optional={"memory": sizes, "cpus": st.sampled_from(["0.25", "1.5", "2"]), "pids": st.integers(1, 99)}
        ),
        "reservations": st.fixed_dictionaries({}, optional={"memory": sizes, "cpus": st.just("0.5")}),
    },
)
ports = st.fixed_dictionaries(
    {
        "target": st.integers(1, 99),
        "published": st.sampled_from(["8080", "8000-8010", ""]),
        "host_ip": st.sampled_from(["", "127.0.0.1", "::"]),
        "protocol": st.sampled_from(["tcp", "udp"]),
    }
)
bodies = st.fixed_dictionaries(
    {
        "image": st.just(IMAGE),
        "restart": st.sampled_from(["unless-stopped", "always", "on-failure", "on-failure:3"]),
        "environment": st.dictionaries(st.sampled_from(["A", "B", "C"]), words | st.just("a$$b")),
        "deploy": st.fixed_dictionaries({}, optional={"resources": deployed, "replicas": st.just(1)}),
    },
    optional={
        "command": st.lists(words | st.just("$$HOME"), min_size=1, max_size=3),
        "cpu_shares": st.sampled_from([2, 512, 1024]),
        "pids_limit": st.sampled_from([50, -1]),
        "mem_reservation": sizes,
        "ports": st.lists(ports, max_size=3, unique_by=lambda port: (port["target"], port["protocol"])),
    },
)


def told(body, data, look=LOOK):
    return [one.what for one in differences(body, data, look)]


@given(bodies)
def test_what_compose_makes_of_a_service_is_no_difference(body):
    assert told(body, made(body)) == []


def host(key, value):
    return lambda data: data["HostConfig"].update({key: value})


CHANGES = {
    "memory limit is 77 MiB": host("Memory", 77 * MIB),
    "memory reservation is 33 MiB": host("MemoryReservation", 33 * MIB),
    "cpu limit is 0.7": host("NanoCpus", 700000000),
    "cpu shares is 77": host("CpuShares", 77),
    "process limit is 1234": host("PidsLimit", 1234),
    "cpu set is 0-1": host("CpusetCpus", "0-1"),
    "restart policy is no instead of": host("RestartPolicy", {"Name": "", "MaximumRetryCount": 0}),
    "publishes 127.0.0.1:1->1/sctp instead of": host("PortBindings", {"1/sctp": [{"HostIp": "127.0.0.1", "HostPort": "1"}]}),
    "runs image sha256:two instead of": lambda data: data.update(Image="sha256:two"),
    "is not on network shop_back": lambda data: data["NetworkSettings"]["Networks"].pop("shop_back"),
    "is on a network shop_front that was replaced": lambda data: data["NetworkSettings"]["Networks"]["shop_front"].update(NetworkID="n9"),
    "is on network bridge, which is not declared": lambda data: data["NetworkSettings"]["Networks"].update(bridge={"NetworkID": "n3"}),
}


@given(bodies, st.sampled_from(sorted(CHANGES)))
def test_a_single_change_is_named_and_nothing_else_is(body, change):
    data = copy.deepcopy(made(body))
    CHANGES[change](data)
    found = told(body, data)
    assert len(found) == 1
    assert found[0].startswith(change)


def service(**keys):
    return dict({"image": IMAGE, "restart": "always", "environment": {}}, **keys)


def test_the_reason_says_both_values_exactly():
    body = service(deploy={"resources": {"limits": {"memory": "512M"}}})
    data = made(body)
    data["HostConfig"]["Memory"] = 1024 * MIB
    assert told(body, data) == ["memory limit is 1 GiB instead of 512 MiB"]
    data["HostConfig"]["Memory"] = 512 * MIB + 4096
    assert told(body, data) == ["memory limit is 524292 KiB instead of 512 MiB"]
    data["HostConfig"]["Memory"] = 0
    assert told(body, data) == ["memory limit is none instead of 512 MiB"]


def test_what_the_kernel_cannot_enforce_is_not_judged():
    body = service(cpu_shares=512, mem_limit="512M")
    data = made(body)
    data["HostConfig"].update(CpuShares=0, Memory=0)
    assert told(body, data, LOOK._replace(engine={"CPUShares": False, "MemoryLimit": False})) == []


def test_a_share_of_a_processor_is_the_same_however_it_is_said():
    body = service(cpus=0.5)
    data = made(body)
    data["HostConfig"].update(NanoCpus=0, CpuQuota=50000, CpuPeriod=0)
    assert told(body, data) == []
    data["HostConfig"].update(CpuQuota=-1)
    assert told(body, data) == ["cpu limit is none instead of 0.5"]


def test_a_variable_is_told_by_its_name_alone():
    body = service(environment={"TOKEN": "nobody-may-read-this-one", "FROM_OUTSIDE": "${HOME}"}, command=["serve"])
    data = made(service(environment={"TOKEN": "another-one"}, command=["other"]))
    found = differences(body, data, LOOK)
    assert [one.what for one in found] == ["runs another command", "has another value of TOKEN in its environment"]
    assert "nobody-may-read" not in repr(found)
    assert "another-one" not in repr(found)


def test_without_the_image_on_the_host_its_reference_counts():
    body = service()
    assert told(body, made(body), LOOK._replace(image_id="")) == []
    data = made(dict(body, image="example/other:1"))
    assert told(body, data, LOOK._replace(image_id="")) == ["runs image example/other:1 instead of " + IMAGE]


def test_a_service_in_another_network_namespace_has_no_networks_to_judge():
    body = service(network_mode="host", ports=[{"target": 80, "published": "80"}])
    data = made(service())
    data["NetworkSettings"]["Networks"] = {"host": {"NetworkID": "h"}}
    assert told(body, data, LOOK._replace(networks=None)) == []


@pytest.mark.parametrize(
    ("policy", "name"), [({"condition": "any"}, "always"), ({"condition": "none"}, "no"), ({}, "unless-stopped"), ({"delay": "5s"}, "no")]
)
def test_the_policy_under_deploy_wins(policy, name):
    body = service(restart="unless-stopped", deploy={"restart_policy": policy})
    data = made(service())
    data["HostConfig"]["RestartPolicy"] = {"Name": name, "MaximumRetryCount": 0}
    assert told(body, data) == []


def test_what_the_engine_does_not_tell_is_not_judged():
    assert told(service(cpu_shares=512, mem_limit="1G"), {"Id": "c1", "HostConfig": {}, "Config": {"Image": IMAGE}}, Look()) == []
