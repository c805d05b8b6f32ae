# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import itertools
import os
import stat
import tempfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import parse
from ansible_collections.portside.stack.plugins.module_utils._secrets import (
    ALPHABET,
    SecretStore,
    diff,
    secret_path,
    shred_tree,
)
from hypothesis import given, settings
from hypothesis import strategies as st

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="secrets are owned by root")
OPERATIONS = (
    *("mkdir", "rmdir", "write_new", "shred", "chown", "chmod"),
    *("link", "rename", "unlink", "fsync", "make_staging"),
)


class Dies(FileSystem):
    """A process that is killed at its changing operation number `at`: no clean-up after it either."""

    def __init__(self, at):
        self._left = at

    def __getattribute__(self, name):
        method = super().__getattribute__(name)
        if name not in OPERATIONS:
            return method

        def operation(*arguments):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            return method(*arguments)

        return operation


def store(directory, fs=None, choose=None):
    picks = itertools.cycle(ALPHABET)
    return SecretStore(fs or FileSystem(), str(directory), choose or (lambda sequence: next(picks)))


def keep(directory, secrets, values=None, rotate=(), **objects):
    """Returns the versions, and whether anything changed."""
    kept = store(directory, **objects)
    plan = kept.plan(parse(secrets, values, rotate))
    kept.apply(plan)
    return plan.versions, plan.changed


def files(directory):
    found = {}
    for path, _directories, names in os.walk(str(directory)):
        for name in names:
            full = os.path.join(path, name)
            status = os.lstat(full)
            with open(full, "rb") as file:
                found[os.path.relpath(full, str(directory))] = (
                    status.st_uid,
                    status.st_gid,
                    stat.S_IMODE(status.st_mode),
                    file.read(),
                )
    return found


# ---- names and paths


def test_secret_path_is_stable_as_releases_name_it():
    assert secret_path("/s", "pw", 3) == "/s/pw/3"
    assert secret_path("/s", "pw", 3, 0, 0, "0400") == "/s/pw/3"
    assert secret_path("/s", "pw", 3, 0, 0, "400") == "/s/pw/3"
    assert secret_path("/s", "pw", 3, 999, 998, "0440") == "/s/pw/3-999-998-0440"
    assert secret_path("/s", "pw", 3, "999", "998", "440") == "/s/pw/3-999-998-0440"
    assert secret_path("/s", "pw", 3, 0, 0, "0440") == "/s/pw/3-0-0-0440"
    assert secret_path("/s", "pw", 3, variable="A_KEY") == "/s/pw/3.A_KEY.env"
    assert secret_path("/s", "pw", 3, 9, 0, variable="A_KEY") == "/s/pw/3-9-0-0400.A_KEY.env"


# ---- versions


@needs_root
def test_layout_owners_and_bytes(tmp_path):
    directory = tmp_path / "stack" / "secrets"
    value = "two\nlines, ünïcode, no newline at the end"
    owners = [{"uid": 999, "gid": "998"}, {"mode": "0440", "gid": 7}, {}, {"uid": 999, "gid": 998, "mode": "400"}]
    assert keep(directory, {"pw": {"files": owners}}, {"pw": value}) == ({"pw": 1}, True)
    data = value.encode()
    assert files(directory) == {
        "pw/1": (0, 0, 0o400, data),
        "pw/1-0-7-0440": (0, 7, 0o440, data),
        "pw/1-999-998-0400": (999, 998, 0o400, data),
    }
    modes = {
        path: stat.S_IMODE(os.stat(str(path)).st_mode) for path in (tmp_path / "stack", directory, directory / "pw")
    }
    assert list(modes.values()) == [0o755, 0o700, 0o700]
    assert keep(directory, {"pw": {"files": owners}}, {"pw": value}) == ({"pw": 1}, False)


@needs_root
def test_another_value_is_the_next_version_and_older_ones_stay(tmp_path):
    for number, value in enumerate(["first", "second", "first\n"], start=1):
        assert keep(tmp_path, {"pw": {"files": [{"uid": 9}]}}, {"pw": value}) == ({"pw": number}, True)
    assert {name: what[3] for name, what in files(tmp_path).items() if "-" not in name} == {
        "pw/1": b"first",
        "pw/2": b"second",
        "pw/3": b"first\n",
    }


@needs_root
def test_a_value_that_comes_back_has_the_version_it_had(tmp_path):
    for value in ("first", "second"):
        keep(tmp_path, {"pw": {}}, {"pw": value})
    before = files(tmp_path)
    assert keep(tmp_path, {"pw": {}}, {"pw": "first"}) == ({"pw": 1}, False)
    assert files(tmp_path) == before
    assert keep(tmp_path, {"pw": {"files": [{"uid": 9}]}}, {"pw": "first"}) == ({"pw": 1}, True)
    assert keep(tmp_path, {"pw": {}}, {"pw": "third"}) == ({"pw": 3}, True)


@needs_root
def test_version_ten_is_newer_than_nine_and_only_canonical_numbers_are_versions(tmp_path):
    keep(tmp_path, {"pw": {}}, {"pw": "value"})
    for name in ("9", "10", "011", "99-1-1-0400", "0", "v12", "1e3", "\u0661\u0662", "12.tmp"):
        (tmp_path / "pw" / name).write_text("value" if name == "10" else "other")
        (tmp_path / "pw" / name).chmod(0o400)
    assert keep(tmp_path, {"pw": {}}, {"pw": "value"}) == ({"pw": 10}, False)
    # Of version 99 there is a copy.
    assert keep(tmp_path, {"pw": {}}, {"pw": "next"}) == ({"pw": 100}, True)


@needs_root
def test_generated_once_then_kept_and_a_value_wins(tmp_path):
    assert keep(tmp_path, {"key": {"generate": 20}}) == ({"key": 1}, True)
    made = files(tmp_path)["key/1"][3]
    assert made == ALPHABET[:20].encode()
    assert keep(tmp_path, {"key": {"generate": 64}}, choose=lambda sequence: "!") == ({"key": 1}, False)
    assert keep(tmp_path, {"key": {"generate": 64}}, {"key": "given"}) == ({"key": 2}, True)
    assert keep(tmp_path, {"key": {"generate": 64}}) == ({"key": 2}, False)
    assert files(tmp_path)["key/1"][3] == made and files(tmp_path)["key/2"][3] == b"given"


@needs_root
def test_the_number_of_a_lost_version_never_gets_another_value(tmp_path):
    secrets = {"key": {"generate": 32, "files": [{"uid": 9, "gid": 9}]}}
    keep(tmp_path, secrets)
    os.unlink(str(tmp_path / "key" / "1"))
    copy = (tmp_path / "key" / "1-9-9-0400").read_text()
    assert keep(tmp_path, secrets) == ({"key": 2}, True)
    assert (tmp_path / "key" / "1-9-9-0400").read_text() == copy
    assert keep(tmp_path, secrets) == ({"key": 2}, False)


@needs_root
def test_a_copy_that_is_missing_or_altered_is_made_again_under_the_same_version(tmp_path):
    secrets = {"pw": {"files": [{"uid": 9}]}}
    keep(tmp_path, secrets, {"pw": "value"})
    good = files(tmp_path)
    copy = tmp_path / "pw" / "1-9-0-0400"
    for spoil in (
        copy.unlink,
        lambda: copy.write_text("other"),
        lambda: copy.chmod(0o644),
        lambda: (tmp_path / "pw" / "1").chmod(0o444),
    ):
        spoil()
        assert keep(tmp_path, secrets, {"pw": "value"}) == ({"pw": 1}, True)
        assert files(tmp_path) == good
    (tmp_path / "pw").chmod(0o755)
    assert keep(tmp_path, secrets, {"pw": "value"}) == ({"pw": 1}, True)
    assert keep(tmp_path, secrets, {"pw": "value"}) == ({"pw": 1}, False)


@needs_root
def test_symlinks_are_never_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o700)
    (directory / "pw").symlink_to(outside)
    with pytest.raises(StackError, match="pw: must be a directory"):
        keep(directory, {"pw": {}}, {"pw": "value"})
    (directory / "pw").unlink()
    (directory / "pw").mkdir()
    (outside / "f").write_text("value")
    (directory / "pw" / "1").symlink_to(outside / "f")
    with pytest.raises(StackError, match="pw/1: must be a file"):
        keep(directory, {"pw": {}}, {"pw": "value"})
    assert os.listdir(str(outside)) == ["f"]


@needs_root
@pytest.mark.parametrize("fill", [{"pw": "second"}, {}])
def test_killed_at_any_moment_no_version_is_half_there_and_the_next_run_completes(tmp_path, fill):
    secrets = {"pw": {"generate": 32, "files": [{"uid": 9}, {"uid": 10, "mode": "0440"}]}, "then": {"generate": 32}}
    killed = 0
    for at in range(200):
        directory = tmp_path / str(at) / "secrets"
        if fill:
            keep(directory, secrets, {"pw": "first"})
        version = 2 if fill else 1
        try:
            keep(directory, secrets, fill, fs=Dies(at))
        except KeyboardInterrupt:
            killed += 1
        else:
            break
        half = {name: what for name, what in files(directory).items() if "/.portside-" not in "/" + name}
        for name, what in half.items():
            expected = (
                (b"second" if fill else ALPHABET[:32].encode()) if name.startswith("pw/%d" % version) else what[3]
            )
            assert what[3] == expected and what[3] and what[2] & 0o007 == 0
        left = [
            entry
            for entry in (os.listdir(str(directory / "pw")) if (directory / "pw").exists() else [])
            if entry.startswith(".portside")
        ]
        for entry in left:  # the killed process is this one, which lives
            (directory / "pw" / entry).rename(directory / "pw" / ".portside-999999999-x")
        versions, _changed = keep(directory, secrets, fill, choose=lambda sequence: "!")
        assert versions["pw"] == version
        assert not keep(directory, secrets, fill)[1]
        assert not left or not [entry for entry in os.listdir(str(directory / "pw")) if entry.startswith(".portside")]
        newest = {what[3] for name, what in files(directory / "pw").items() if name.startswith("%d" % version)}
        assert len(newest) == 1
        assert {name for name in os.listdir(str(directory / "pw")) if name.startswith("%d" % version)} == {
            "%d" % version,
            "%d-9-0-0400" % version,
            "%d-10-0-0440" % version,
        }
    assert killed > 15


@needs_root
def test_an_error_while_writing_names_the_place_not_the_value_and_leaves_nothing_behind(tmp_path):
    class Full(FileSystem):
        def write_new(self, path, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    with pytest.raises(StackError) as caught:
        keep(tmp_path, {"pw": {}}, {"pw": "hunter2"}, fs=Full())
    assert (
        str(tmp_path / "pw") in str(caught.value)
        and "No space left" in str(caught.value)
        and "hunter2" not in str(caught.value)
    )
    assert os.listdir(str(tmp_path / "pw")) == []


@needs_root
def test_content_is_on_disk_before_it_is_a_version(tmp_path):
    class Recording(FileSystem):
        synced = ()

        def fsync(self, path):
            super().fsync(path)
            self.synced += (path,)

        def link(self, existing, new):
            assert self.synced[-1] == existing
            super().link(existing, new)

    fs = Recording()
    keep(tmp_path, {"pw": {"files": [{"uid": 9}]}}, {"pw": "value"}, fs=fs)
    assert len(fs.synced) == 3 and fs.synced[-1] == str(tmp_path / "pw")


@needs_root
def test_a_version_that_another_run_made_meanwhile_is_not_overwritten(tmp_path):
    first, second = store(tmp_path), store(tmp_path)
    plans = [one.plan(parse({"pw": {}}, {"pw": value})) for one, value in ((first, "mine"), (second, "theirs"))]
    second.apply(plans[1])
    with pytest.raises(StackError, match="File exists"):
        first.apply(plans[0])
    assert files(tmp_path)["pw/1"][3] == b"theirs"


def test_the_plan_writes_nothing_and_predicts(tmp_path):
    directory = tmp_path / "secrets"
    plan = store(directory).plan(parse({"pw": {}, "key": {"generate": 32}}, {"pw": "value"}))
    assert plan.changed and plan.versions == {"pw": 1, "key": 1}
    assert os.listdir(str(tmp_path)) == []


@needs_root
def test_diff_tells_versions_and_nothing_of_the_values(tmp_path):
    secrets = {"pw": {"files": [{"uid": 9}]}, "key": {"generate": 32}, "same": {}}
    keep(tmp_path, secrets, {"pw": "hunter2", "same": "hunter3"})
    (tmp_path / "key" / "1").chmod(0o444)
    plan = store(tmp_path).plan(parse(dict(secrets, new={"generate": 16}), {"pw": "hunter4", "same": "hunter3"}))
    assert diff(plan)["prepared"].splitlines() == [
        "%s/new/: mode 0700" % tmp_path,
        "key: version 1, files 1",
        "new: version none -> 1",
        "pw: version 1 -> 2",
    ]


VALUES = st.text(st.characters(codec="utf-8"), min_size=4, max_size=30)


@needs_root
@settings(max_examples=40, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=6))
def test_any_sequence_of_values(values):
    with tempfile.TemporaryDirectory() as directory:
        versions = {}
        for value in values:
            changed = value not in versions
            version = versions.setdefault(value, len(versions) + 1)
            assert keep(directory, {"pw": {}}, {"pw": value}) == ({"pw": version}, changed)
            with open(secret_path(directory, "pw", version), "rb") as file:
                assert file.read() == value.encode()


# ---- rotated and composed

URL = {"template": "postgresql://{app:login}:{app}@db/shop?x={given}", "files": [{"uid": 9}]}
APP = {"generate": 32, "login": {"service": "db", "role": "shop"}}


def planned(directory, secrets, values=None, rotate=()):
    picks = itertools.cycle(ALPHABET[::-1])
    return store(directory, choose=lambda sequence: next(picks)).plan(parse(secrets, values, rotate))


@needs_root
def test_a_rotated_secret_and_what_is_composed_from_it_get_the_next_version(tmp_path):
    secrets = {"app": APP, "given": {}, "url": URL, "other": {"generate": 16}}
    keep(tmp_path, secrets, {"given": "a b"})
    first = files(tmp_path)
    old = first["app/1"][3].decode()
    assert first["url/1"][3].decode() == "postgresql://app_v1:%s@db/shop?x=a%%20b" % old
    plan = planned(tmp_path, secrets, {"given": "a b"}, ["app"])
    assert plan.versions == {"app": 2, "given": 1, "other": 1, "url": 2} and plan.renewed == ["app", "url"]
    assert files(tmp_path) == first
    store(tmp_path).apply(plan)
    second = files(tmp_path)
    new = second["app/2"][3].decode()
    assert len(new) == 32 and new != old
    assert second["url/2"] == (0, 0, 0o400, ("postgresql://app_v2:%s@db/shop?x=a%%20b" % new).encode())
    assert second["url/2-9-0-0400"][3] == second["url/2"][3]
    assert {name: what for name, what in second.items() if name in first} == first
    again = planned(tmp_path, secrets, {"given": "a b"})
    assert not again.changed and again.versions == plan.versions and again.renewed == []


@needs_root
def test_a_part_that_comes_back_brings_back_what_was_composed_with_it(tmp_path):
    secrets = {"app": {"login": {"role": "shop"}}, "given": {}, "url": URL}
    for value, version in (("one", 1), ("two", 2), ("one", 1)):
        versions, _changed = keep(tmp_path, secrets, {"app": value, "given": "x"})
        assert versions == {"app": version, "given": 1, "url": version}


@needs_root
def test_rotating_what_is_not_there_yet_makes_its_first_version(tmp_path):
    plan = planned(tmp_path, {"app": APP}, None, ["app"])
    assert plan.versions == {"app": 1} and plan.renewed == []


def test_the_plan_has_the_values_of_all_before_any_is_written(tmp_path):
    plan = planned(tmp_path, {"app": APP, "given": {}, "url": URL}, {"given": "x"})
    values = {change.name: change.data.decode() for change in plan.changes}
    assert values["url"] == "postgresql://app_v1:%s@db/shop?x=x" % values["app"]
    assert plan.changes[0].login == "app_v1" and os.listdir(str(tmp_path)) == []


@needs_root
def test_a_part_that_cannot_be_written_there_names_both_and_shows_nothing(tmp_path):
    secrets = {"given": {}, "conf": {"template": "requirepass {given:redis_conf}"}}
    with pytest.raises(StackError, match="secret 'conf': template: .given:redis_conf.: the value of 'given'") as caught:
        planned(tmp_path, secrets, {"given": "hunter2\0"})
    assert "hunter2" not in str(caught.value)
    keep(tmp_path, {"given": {}}, {"given": "value"})
    (tmp_path / "given" / "1").write_bytes(b"hunter2\xff")
    with pytest.raises(StackError, match="secret 'given': its newest version on the host is not text") as caught:
        planned(tmp_path, {"given": {"generate": 16}, "conf": secrets["conf"]})
    assert "hunter2" not in str(caught.value)


# ---- lines for env_file


@needs_root
def test_a_variable_is_a_line_beside_the_version(tmp_path):
    readers = [{"variable": "A_KEY"}, {"variable": "B", "uid": 9, "mode": "0440"}]
    assert keep(tmp_path, {"pw": {"files": readers}}, {"pw": 'a"$\n'}) == ({"pw": 1}, True)
    assert files(tmp_path) == {
        "pw/1": (0, 0, 0o400, b'a"$\n'),
        "pw/1.A_KEY.env": (0, 0, 0o400, b'A_KEY="a\\"$$\\n"\n'),
        "pw/1-9-0-0440.B.env": (9, 0, 0o440, b'B="a\\"$$\\n"\n'),
    }
    assert keep(tmp_path, {"pw": {"files": readers}}, {"pw": 'a"$\n'}) == ({"pw": 1}, False)
    with pytest.raises(StackError, match="secret 'pw': variable A_KEY: a NUL character") as caught:
        keep(tmp_path, {"pw": {"files": readers}}, {"pw": "hunter2\0"})
    assert "hunter2" not in str(caught.value)


# ---- shredded


@needs_root
def test_a_tree_is_gone_with_its_content_and_nothing_outside_it(tmp_path):
    tree, outside = tmp_path / "secrets", tmp_path / "outside"
    (tree / "pw").mkdir(parents=True)
    outside.write_text("stays")
    (tree / "pw" / "link").symlink_to(outside)
    (tree / "pw" / "1").write_text("hunter2")
    (tree / "pw" / "2").write_text("hunter3")
    os.link(str(tree / "pw" / "2"), str(tree / "pw" / "2-9-0-0400"))
    os.link(str(outside), str(tree / "pw" / "3"))
    (tree / "pw" / "1").chmod(0)
    open_files = [open(str(tree / "pw" / name), "rb") for name in ("1", "2")]
    shred_tree(FileSystem(), str(tree))
    for file in open_files:
        with file:
            assert file.read() == bytes(7)
    assert os.listdir(str(tmp_path)) == ["outside"] and outside.read_text() == "stays"
    shred_tree(FileSystem(), str(tree))


@needs_root
@pytest.mark.parametrize("at", ["unlink", "fsync"])
def test_zeros_of_a_shredding_that_was_cut_off_are_never_taken_for_the_secret(tmp_path, monkeypatch, at):
    keep(tmp_path, {"pw": {"generate": 32}})

    def killed(_argument):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, at, killed)
        with pytest.raises(KeyboardInterrupt):
            shred_tree(FileSystem(), str(tmp_path / "pw"))
    keep(tmp_path, {"pw": {"generate": 32}})
    ((*_owner, content),) = files(tmp_path).values()
    assert len(content) == 32 and set(content.decode()) <= set(ALPHABET)


@needs_root
def test_what_a_killed_run_left_is_removed_and_its_version_stays(tmp_path):
    keep(tmp_path, {"pw": {}}, {"pw": "first"})
    left = tmp_path / "pw" / ".portside-999999999-x"
    left.mkdir()
    os.link(str(tmp_path / "pw" / "1"), str(left / "1"))
    keep(tmp_path, {"pw": {}}, {"pw": "first"})
    assert files(tmp_path) == {"pw/1": (0, 0, 0o400, b"first")}
