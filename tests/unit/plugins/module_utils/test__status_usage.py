# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._status_usage import INTERVAL, Cgroups, Usage, mounts_of, usages

V1 = """31 23 0:28 / {0} rw,relatime - tmpfs tmpfs ro,size=4096k
32 31 0:30 {1} {0}/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 {1} {0}/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / {0}/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2 = "41 31 0:38 {1} {0} rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"


class Clock:
    """The time, in which something may happen while one sleeps."""

    def __init__(self, meanwhile):
        self.now, self.slept, self._meanwhile = 10.0, [], meanwhile

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        self._meanwhile()


class Host:
    """A /proc and the cgroups that it tells of."""

    def __init__(self, top):
        self.top, self.proc = top, str(top / "proc")
        self.cgroups = str(top / "cgroup")

    def put(self, path, text):
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_text(text)

    def mounted(self, text, root="/"):
        self.put("proc/self/mountinfo", text.format(self.cgroups, root))

    def v1(self, pid, path, cpu, memory, idle, inside=None):
        inside = path if inside is None else inside
        self.put("proc/{0}/cgroup".format(pid), "4:memory:{0}\n2:cpu,cpuacct:{0}\n1:name=systemd:{0}\n0::{0}\n".format(path))
        self.put("cgroup/cpu,cpuacct{0}/cpuacct.usage".format(inside), "{0}\n".format(cpu))
        self.put("cgroup/memory{0}/memory.usage_in_bytes".format(inside), "{0}\n".format(memory))
        self.put("cgroup/memory{0}/memory.stat".format(inside), "cache 1\ninactive_file 7\ntotal_inactive_file {0}\n".format(idle))

    def v2(self, pid, path, cpu, memory, idle):
        self.put("proc/{0}/cgroup".format(pid), "0::{0}\n".format(path))
        self.put("cgroup{0}/cpu.stat".format(path), "usage_usec {0}\nuser_usec 1\n".format(cpu))
        self.put("cgroup{0}/memory.current".format(path), "{0}\n".format(memory))
        self.put("cgroup{0}/memory.stat".format(path), "anon 5\ninactive_file {0}\n".format(idle))

    def usages(self, *pids, meanwhile=lambda: None):
        clock = Clock(meanwhile)
        found = usages(Cgroups(FileSystem(), self.proc), pids, clock)
        assert clock.slept == ([INTERVAL] if pids else [])
        return found


@pytest.fixture(name="host")
def host_fixture(tmp_path):
    return Host(tmp_path)


def test_version_1_is_read_twice_and_all_at_once(host):
    host.mounted(V1)
    host.v1(7, "/docker/a", 1_000_000_000, 5000, 1200)
    host.v1(8, "/docker/b", 0, 100, 900)

    def meanwhile():
        host.v1(7, "/docker/a", 1_250_000_000, 6000, 1000)
        host.v1(8, "/docker/b", 1_000_000_000, 100, 900)

    # Half a CPU, and two; memory that is all idle counts, as with docker stats.
    assert host.usages(7, 8, meanwhile=meanwhile) == {7: Usage(50.0, 5000), 8: Usage(200.0, 100)}


def test_version_2_is_read_where_there_are_no_controllers_of_version_1(host):
    host.mounted(V2)
    host.v2(7, "/system.slice/docker-a.scope", 1_000_000, 5000, 1200)
    found = host.usages(7, meanwhile=lambda: host.v2(7, "/system.slice/docker-a.scope", 1_005_000, 5100, 1200))
    assert found == {7: Usage(1.0, 3900)}


def test_in_a_container_only_a_part_of_the_tree_is_mounted(host):
    host.mounted(V1, "/docker/outer")
    host.v1(7, "/docker/outer/docker/a", 0, 5000, 0, inside="/docker/a")
    host.v1(8, "/docker/b", 0, 4000, 0)
    assert host.usages(7, 8) == {7: Usage(0.0, 5000), 8: Usage(0.0, 4000)}


def test_who_ends_meanwhile_or_is_not_to_be_seen_has_no_figures(host):
    host.mounted(V1)
    host.v1(7, "/docker/a", 0, 5000, 0)
    host.put("proc/9/cgroup", "0::/../elsewhere\n")
    assert host.usages(7, 8, 9, meanwhile=(host.top / "proc/7/cgroup").unlink) == {}
    assert host.usages() == {}
    (host.top / "proc/self/mountinfo").unlink()
    assert host.usages(7) == {}


def test_lines_that_are_none_are_passed_over():
    assert mounts_of("nothing\n1 2 3 - cgroup2 x y\n") == {}
