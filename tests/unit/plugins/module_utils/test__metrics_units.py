# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._metrics_look import DIRECTORY, TIMER, reads_metrics
from ansible_collections.portside.stack.plugins.module_utils._metrics_units import SERVICE, ensure_metrics
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore

RELEASE = "0123456789ab"


class Host:
    """A host's files, and what is asked of systemctl; a timer of which it was told runs."""

    def __init__(self, root, booted=True):
        self.root, self.calls, self.running = root, [], False
        if booted:
            (root / "run/systemd/system").mkdir(parents=True)

    def run(self, argv, _data):
        self.calls.append(argv[1:])
        if argv[1] == "enable":
            self.running = True
            link = self.root / "etc/systemd/system/timers.target.wants" / TIMER
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("../" + TIMER)
        return int(argv[1] == "is-active" and not self.running), "", ""

    def ensure(self, volumes):
        release = self.root / "opt/stacks/metrics/releases" / RELEASE
        release.mkdir(parents=True, exist_ok=True)
        (release / "release.json").write_text(json.dumps({"definition": {"services": {"node": {"volumes": volumes}}}}))
        store = ReleaseStore(str(release.parent.parent))
        return ensure_metrics(FileSystem(), self.run, store, RELEASE, str(self.root))


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([DIRECTORY + ":/host/metrics:ro"], True),
        ([{"type": "bind", "source": DIRECTORY, "target": "/metrics"}], True),
        ([DIRECTORY + "-of-others:/metrics"], False),
        (["data:" + DIRECTORY], False),
        ([], False),
    ],
)
def test_who_mounts_the_directory_reads_the_metrics(volumes, expected):
    assert reads_metrics({"services": {"other": {}, "node": {"volumes": volumes}}}) is expected


def test_nothing_is_read_by_a_release_without_services():
    assert not reads_metrics({})


def test_the_timer_is_put_there_once(tmp_path):
    host = Host(tmp_path)
    assert host.ensure([DIRECTORY + ":/metrics:ro"])
    assert ["enable", "--now", TIMER] in host.calls
    assert "portside.pyz metrics {0}/opt/stacks\n".format(tmp_path) in (tmp_path / "etc/systemd/system" / SERVICE).read_text()
    assert (tmp_path / "usr/local/lib/portside/portside.pyz").exists()
    del host.calls[:]
    assert not host.ensure([DIRECTORY + ":/metrics:ro"])
    assert host.calls == [["is-active", "--quiet", TIMER]]


def test_a_stack_that_reads_none_gets_none(tmp_path):
    host = Host(tmp_path)
    assert not host.ensure(["data:/data"])
    assert host.calls == []


def test_without_systemd_there_is_none(tmp_path):
    host = Host(tmp_path, booted=False)
    assert not host.ensure([DIRECTORY + ":/metrics:ro"])
    assert host.calls == []
