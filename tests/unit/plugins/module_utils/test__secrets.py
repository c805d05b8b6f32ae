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
from ansible_collections.portside.stack.plugins.module_utils._secrets import (
    ALPHABET,
    SECRET_NAME_RE,
    SecretStore,
    diff,
    parse,
    secret_path,
)
from hypothesis import given, settings
from hypothesis import strategies as st

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="secrets are owned by root")
OPERATIONS = ("mkdir", "write_new", "chown", "chmod", "link", "rename", "fsync", "make_staging", "remove_tree")


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


def keep(directory, secrets, values=None, **objects):
    """Returns the versions, and whether anything changed."""
    kept = store(directory, **objects)
    plan = kept.plan(parse(secrets, values))
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


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "ä", "a" * 65])
def test_names_that_are_no_file_names_are_refused(name):
    assert not SECRET_NAME_RE.fullmatch(name)
    with pytest.raises(StackError, match="a name is made of"):
        parse({name: {"generate": 32}})


# ---- the declaration


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, "secret 'pw': has no value: give it one"),
        (None, "secret 'pw': has no value"),
        ("hunter2hunter2", "secret 'pw': must be a mapping of generate and files"),
        ({"generate": 15}, "secret 'pw': generate 15: must be a length from 16"),
        ({"generate": True}, "secret 'pw': generate True"),
        ({"generate": "64"}, "secret 'pw': generate '64'"),
        ({"generate": 64, "value": "x"}, "secret 'pw': unknown key 'value'"),
        ({"generate": 64, "files": {"uid": 1}}, "secret 'pw': files must be a list"),
        ({"generate": 64, "files": ["x"]}, "secret 'pw': each entry of files is a mapping"),
        ({"generate": 64, "files": [{"user": 1}]}, "secret 'pw': each entry of files is a mapping"),
        ({"generate": 64, "files": [{"uid": "postgres"}]}, "secret 'pw': uid 'postgres' is not a number"),
        ({"generate": 64, "files": [{"gid": -1}]}, "secret 'pw': gid -1 is not a number"),
        ({"generate": 64, "files": [{"mode": 256}]}, "secret 'pw': mode 256 is not an octal string"),
        ({"generate": 64, "files": [{"mode": "0444"}]}, "secret 'pw': mode 0444 lets everybody"),
    ],
)
def test_wrong_declarations_are_refused(entry, expected):
    with pytest.raises(StackError) as caught:
        parse({"pw": entry})
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_all_problems_are_told_at_once_and_no_value_is():
    values = {"extra": "hunter2a", "number": 271828, "empty": "", "short": "7", "odd": "hunter2\ud800"}
    with pytest.raises(StackError) as caught:
        parse({"none": {}, "no": {}, "number": {}, "empty": {}, "short": {}, "odd": {}}, values)
    text = str(caught.value)
    for expected in (
        "'none': has no value",
        "'no': has no value",
        "'extra': has a value but is not declared",
        "'number': its value is not text but int",
        "'empty': its value is empty",
        "'short': its value is too short",
        "'odd': its value is not valid Unicode",
    ):
        assert "secret " + expected in text
    assert len(text.splitlines()) == 7
    assert "hunter2" not in text and "271828" not in text


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
    assert keep(tmp_path, {"pw": {}}, {"pw": "next"}) == ({"pw": 11}, True)


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
