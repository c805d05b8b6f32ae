# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gives a container the host is the same in a declaration, on a host that is judged and in an audit."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_containers import container as audited
from ansible_collections.portside.stack.plugins.module_utils._container_escape import has_engine, strong_capabilities
from ansible_collections.portside.stack.plugins.module_utils._exposure_engine import container as read
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import findings
from ansible_collections.portside.stack.plugins.plugin_utils._production_host_rules import docker_socket, privileged
from exposure_facts import container, declared, host
from hypothesis import given
from hypothesis import strategies as st

MOUNTS = {
    "/": True,
    "/run": True,
    "/run/": True,
    "/var": True,
    "/var/run": True,
    "/var/run/containerd": True,
    "/run/containerd": True,
    "/run/docker": True,
    "/run/docker/containerd": True,
    "/run/podman": True,
    "/run/docker.sock": True,
    "/srv/proxy/docker.sock": True,
    "/run/user/1000/podman/podman.sock": True,
    "/var/lib": False,
    "/var/log": False,
    "/run/postgresql": False,
    "/srv/docker.sock.d": False,
    "/runner": False,
}
CAPABILITIES = {
    "ALL": True,
    "CAP_SYS_ADMIN": True,
    "sys_module": True,
    "cap_sys_ptrace": True,
    "SYS_RAWIO": True,
    "DAC_READ_SEARCH": True,
    "NET_ADMIN": False,
    "IPC_LOCK": False,
    "SYS_CAP_ADMIN": False,
}


def inspected(capability, source):
    """The inspection of a container; paths are what they are."""
    return {
        "Id": "0" * 64,
        "Name": "/c",
        "Config": {"Image": "x"},
        "HostConfig": {"CapAdd": [capability]},
        "Mounts": [{"Type": "bind", "Source": source}],
    }


def judged(**keys):
    return [one["rule"] for one in findings(host([container("c", **keys)]), declared())]


@pytest.mark.parametrize("source", MOUNTS)
def test_a_mount_is_the_same_for_all_three(source):
    told = MOUNTS[source]
    assert has_engine(source) is told
    assert bool(list(docker_socket({}, {"volumes": [source + ":/x"]}, []))) is told
    assert judged(mounts=[source]) == (["docker_control"] if told else [])
    assert audited(inspected("CHOWN", source), lambda path: path)["sockets"] == ([source] if told else [])


@pytest.mark.parametrize("name", CAPABILITIES)
def test_a_capability_is_the_same_for_all_three(name):
    told = CAPABILITIES[name]
    bare = name.upper().replace("CAP_", "", 1)
    assert strong_capabilities([name]) == ([bare] if told else [])
    assert ["capability {0} ".format(bare) in one.why for one in privileged({}, {"cap_add": [name]}, [])] == ([True] if told else [])
    assert judged(capabilities=read(inspected(name, "/srv"))["capabilities"]) == (["docker_control"] if told else [])
    assert audited(inspected(name, "/srv"), lambda path: path)["capabilities"] == ([bare] if told else [])


@given(st.lists(st.sampled_from(sorted(CAPABILITIES))))
def test_each_is_named_once_in_one_order(names):
    found = strong_capabilities(names)
    assert found == sorted(set(found)) == strong_capabilities(reversed(names))
    assert bool(found) == any(CAPABILITIES[name] for name in names)
