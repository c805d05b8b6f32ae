# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secret_retention import prune_secrets, unused_versions
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(1, 6)
RECORDS = st.fixed_dictionaries(
    {"secrets": st.dictionaries(NAMES, NUMBERS)}, optional={"idle_secrets": st.lists(NAMES, unique=True)}
)
VERSIONS = st.dictionaries(NAMES, st.sets(NUMBERS))


@given(found=VERSIONS, records=st.lists(RECORDS, min_size=1), mounted=VERSIONS, orphans=st.booleans())
def test_a_version_goes_exactly_when_nothing_needs_it(found, records, mounted, orphans):
    current = records[0]
    going = unused_versions(found, records, current, mounted, orphans)
    assert all(going.values())
    for name, versions in found.items():
        for version in versions:
            named = any(record["secrets"].get(name) == version for record in records)
            last = version == max(versions)
            idle = last and any(name in record.get("idle_secrets", ()) for record in records)
            kept = named or version in mounted.get(name, ()) or last and (orphans or name in current["secrets"]) or idle
            assert (version in going.get(name, ())) != kept


def make(directory, *paths):
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(path)


def left(directory):
    return sorted(os.path.relpath(os.path.join(path, name), str(directory)) for path, _dirs, names in os.walk(str(directory)) for name in names)


def test_every_file_of_a_version_goes_and_a_secret_that_nothing_needs_goes_whole(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "secrets").symlink_to("real")
    directory = tmp_path / "secrets"
    make(directory, "pw/1", "pw/1-9-0-0400", "pw/1.KEY.env", "pw/2", "pw/2-9-0-0400.KEY.env", "pw/3", "pw/4", "pw/11")
    make(directory, "gone/1", "gone/2", "gone/1-9-0-0400", "gone/notes", "gone/.portside-999999999-x/1")
    make(directory, "idle/1", "idle/2", "note")
    old = {"secrets": {"pw": 2}}
    current = {"secrets": {"pw": 4, "new": 1}, "idle_secrets": ["idle"]}
    mounted = [str(tmp_path / "real" / "pw" / "3"), "", "/etc/hosts", str(tmp_path / "real")]
    removed = prune_secrets(FileSystem(), str(directory), [old, current], current, mounted)
    assert removed == {"gone": [1, 2], "idle": [1], "pw": [1]}
    assert left(directory) == ["idle/2", "note", "pw/11", "pw/2", "pw/2-9-0-0400.KEY.env", "pw/3", "pw/4"]
    assert not (directory / "gone").exists()
    assert prune_secrets(FileSystem(), str(directory), [old, current], current, mounted) == {}


def test_a_version_that_only_a_copy_is_mounted_of_stays_whole(tmp_path):
    make(tmp_path, "pw/1", "pw/1-9-0-0400", "pw/2")
    removed = prune_secrets(FileSystem(), str(tmp_path), [], {"secrets": {}}, [str(tmp_path / "pw" / "1-9-0-0400")])
    assert removed == {"pw": [2]} and left(tmp_path) == ["pw/1", "pw/1-9-0-0400"]


@pytest.mark.parametrize("there", [True, False])
def test_a_stack_without_secrets(tmp_path, there):
    directory = tmp_path / "secrets"
    if there:
        directory.mkdir()
    assert prune_secrets(FileSystem(), str(directory), [{}], {}, []) == {}


def test_it_may_be_killed_at_any_point(tmp_path):
    class Dies(FileSystem):
        left = 0

        def shred(self, path):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            super().shred(path)

    killed = 0
    for at in range(20):
        directory = tmp_path / str(at)
        make(directory, "pw/1", "pw/1-9-0-0400", "pw/1.KEY.env", "pw/2", "gone/1", "gone/1-9-0-0400")
        record = {"secrets": {"pw": 2}}
        fs = Dies()
        fs.left = at
        try:
            prune_secrets(fs, str(directory), [record], record, [])
        except KeyboardInterrupt:
            killed += 1
        prune_secrets(FileSystem(), str(directory), [record], record, [])
        assert left(directory) == ["pw/2"] and os.listdir(str(directory)) == ["pw"]
    assert killed == 5
