# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import stat
import tempfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._files import parse
from ansible_collections.portside.stack.plugins.module_utils._files_apply import apply, preview
from ansible_collections.portside.stack.plugins.module_utils._files_diff import diff
from ansible_collections.portside.stack.plugins.module_utils._files_plan import Planner
from ansible_collections.portside.stack.plugins.module_utils._filesystem import STAGING_RE, Accounts, FileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = os.getuid() == 0
OPERATIONS = (
    "mkdir",
    "rmdir",
    "write_new",
    "chown",
    "chmod",
    "link",
    "rename",
    "unlink",
    "fsync",
    "make_staging",
    "remove_tree",
)


class Names:
    """`root` is whoever runs the tests; other names as in the table."""

    known = {"root": (os.getuid(), os.getgid()), "app": (1234, 1235) if ROOT else (os.getuid(), os.getgid())}

    def uid(self, name):
        return self.known.get(name, (None, None))[0]

    def gid(self, name):
        return self.known.get(name, (None, None))[1]


class Faulty:
    """The real file system, whose changing operation number `fails` fails (and all after it, if `forever`)."""

    def __init__(self, fails, error=errno.ENOSPC, forever=False):
        self._real = FileSystem()
        self._fails = fails
        self._error = error
        self._forever = forever
        self.count = 0
        self.failed = None

    def __getattr__(self, name):
        method = getattr(self._real, name)
        if name not in OPERATIONS:
            return method

        def operation(*arguments):
            index = self.count
            self.count += 1
            if index == self._fails or (self._forever and index > self._fails):
                self.failed = self.failed or name
                raise OSError(self._error, os.strerror(self._error), arguments[0])
            return method(*arguments)

        return operation


class Programs:
    """Validators: `refuse` says no to files that contain `bad`; `missing` is not installed; all others agree."""

    def __init__(self):
        self.asked = []

    def find(self, program):
        return None if program == "missing" else "/bin/" + program

    def run(self, argv):
        self.asked.append(argv)
        with open(argv[-1], encoding="utf-8") as file:
            content = file.read()
        return (1, "line 1: " + content) if argv[0] == "/bin/refuse" and "bad" in content else (0, "")


def no_label(path, target, replaces):
    pass


def make_plan(files, check_mode=False, fs=None, **options):
    return Planner(fs or FileSystem(), Names(), check_mode).plan(parse(files, **options))


def converge(files, fs=None, **options):
    fs = fs or FileSystem()
    return apply(make_plan(files, fs=fs, **options), fs, Programs(), no_label)


def tree(top, staging=False):
    """Everything below, with kind, attributes and content."""
    found = {}
    for directory, directories, names in os.walk(str(top)):
        if not staging:
            directories[:] = [name for name in directories if not STAGING_RE.match(name)]
        for name in directories + names:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            else:
                content = None
            found[path] = (
                stat.S_IFMT(status.st_mode),
                stat.S_IMODE(status.st_mode),
                status.st_uid,
                status.st_gid,
                content,
            )
    return found


def problems(files, **options):
    with pytest.raises(StackError) as caught:
        make_plan(files, **options)
    return str(caught.value)


# ---- the declaration


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"content": "x", "mode": 420}, "/f: mode 420 is not an octal string"),
        ({"content": "x", "mode": "u=rw"}, "/f: mode 'u=rw' is not an octal string"),
        ({"content": "x", "mode": "0o644"}, "/f: mode '0o644'"),
        ({"content": "x", "mode": "0688"}, "/f: mode '0688'"),
        ({"content": "x", "mode": "0644\n"}, "/f: mode"),
        ({"content": "x", "mdoe": "0644"}, "/f: unknown key 'mdoe': known are content, mode"),
        ({}, "/f: has no content"),
        (None, "/f: has no content"),
        ("text", "/f: must be a mapping"),
        ({"content": {"a": 1}}, "/f: content must be text, not dict"),
        ({"content": "\ud800"}, "/f: content is not valid Unicode"),
        ({"content": "x", "state": "file"}, "/f: state 'file': must be present or absent"),
        ({"content": "x", "validate": "visudo -cf %s"}, "/f: validate must be a list"),
        ({"content": "x", "validate": ["visudo"]}, "/f: validate must hold '%s' exactly once"),
        ({"content": "x", "validate": ["a", "%s", "%s"]}, "/f: validate must hold '%s' exactly once"),
        ({"content": "x", "sensitive": "yes"}, "/f: sensitive must be true or false"),
    ],
)
def test_wrong_entries_are_refused_by_path_and_key(entry, expected):
    assert expected in problems({"/f": entry})


@pytest.mark.parametrize("path", ["relative", "/", "/a/", "/a//b", "/a/../b", "/a/./b", "//a"])
def test_wrong_paths_are_refused(path):
    assert path in problems({path: {"content": ""}})
    assert path in problems({}, directories={path: {}})
    assert path in problems({}, purge=[path])


def test_all_problems_are_told_at_once():
    text = problems(
        {"/a": {}, "/b": {"content": "", "mode": 7}}, directories={"/c": {"mode": "9"}}, secret_contents={"/d": ""}
    )
    assert [line.split(":")[0] for line in text.splitlines()] == ["/a", "/b", "/d", "/c"]


def test_declarations_that_contradict_themselves():
    content = {"content": "x"}
    assert "/a/b: cannot exist below /a" in problems({"/a": content, "/a/b": content})
    assert "/a: is declared as a file and as a directory" in problems({"/a": content}, directories={"/a": {}})
    assert "/a: content is given in files and in secret_contents" in problems(
        {"/a": content}, secret_contents={"/a": "y"}
    )
    assert "/a: cannot be purged" in problems({"/a": content}, purge=["/a"])


def test_two_paths_of_the_same_file_are_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    files = {"%s/%s/f" % (tmp_path, name): {"content": name} for name in ("real", "alias")}
    assert "are the same file" in problems(files)


# ---- the plan and what comes of it


def test_creates_with_parents_and_attributes_whatever_the_umask(tmp_path):
    top = str(tmp_path)
    before = os.umask(0o077)
    try:
        converge(
            {
                top + "/a/b/f": {"content": "no newline"},
                top + "/d/g": {"content": "x\n", "mode": "4750", "owner": "app", "group": "app"},
            },
            directories={top + "/d": {"mode": "1770", "owner": "app"}, top + "/empty/below": {}},
        )
    finally:
        os.umask(before)
    me, app = Names.known["root"], Names.known["app"]
    directory, regular = stat.S_IFDIR, stat.S_IFREG
    assert tree(top, staging=True) == {
        top + "/a": (directory, 0o755, *me, None),
        top + "/a/b": (directory, 0o755, *me, None),
        top + "/a/b/f": (regular, 0o644, *me, b"no newline"),
        top + "/d": (directory, 0o1770, app[0], me[1], None),
        top + "/d/g": (regular, 0o4750, *app, b"x\n"),
        top + "/empty": (directory, 0o755, *me, None),
        top + "/empty/below": (directory, 0o755, *me, None),
    }


def test_what_is_as_declared_is_not_touched(tmp_path):
    files = {str(tmp_path / "f"): {"content": "ü\r\n"}}
    converge(files)
    inode = (tmp_path / "f").stat().st_ino
    plan = make_plan(files)
    assert not plan.changed
    fs = Faulty(0, errno.EIO)
    apply(plan, fs, Programs(), no_label)
    assert fs.count == 0
    assert (tmp_path / "f").stat().st_ino == inode


def test_a_trailing_newline_is_a_difference(tmp_path):
    path = str(tmp_path / "f")
    converge({path: {"content": "x"}})
    converge({path: {"content": "x\n"}})
    assert (tmp_path / "f").read_bytes() == b"x\n"


def test_mode_alone_is_a_change_and_needs_no_validator(tmp_path):
    path = str(tmp_path / "f")
    converge({path: {"content": "bad"}})
    converge({path: {"content": "bad", "mode": "0600", "validate": ["refuse", "%s"]}})
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.skipif(not ROOT, reason="changing owners needs root")
def test_owner_alone_is_a_change(tmp_path):
    path = str(tmp_path / "f")
    converge({path: {"content": "x"}})
    converge({path: {"content": "x", "owner": "app", "group": "app"}})
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == Names.known["app"]


def test_a_reader_of_the_old_file_goes_on_reading_the_old_file(tmp_path):
    path = str(tmp_path / "f")
    converge({path: {"content": "old"}})
    with open(path, encoding="utf-8") as reader:
        converge({path: {"content": "new"}})
        assert reader.read() == "old"


def test_absent_removes_files_and_symlinks_but_not_what_they_point_at(tmp_path):
    (tmp_path / "kept").write_text("x")
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "f").write_text("x")
    converge(
        {str(tmp_path / name): {"state": "absent"} for name in ("link", "dangling", "f", "never/deep", "kept/deep")}
    )
    assert os.listdir(str(tmp_path)) == ["kept"]


def test_purge_removes_unlisted_files_and_symlinks_directly_inside(tmp_path):
    (tmp_path / "real").mkdir()
    top = tmp_path / "real"
    for name in ("listed", "unlisted"):
        (top / name).write_text("x")
    (top / "deep").mkdir()
    (top / "deep" / "f").write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text("x")
    (top / "link").symlink_to(tmp_path / "outside")
    (top / "dangling").symlink_to("nowhere")
    os.mkfifo(str(top / "pipe"))
    (tmp_path / "alias").symlink_to("real")
    # listed through another name of the same directory
    converge({str(tmp_path / "alias" / "listed"): {"content": "x"}}, purge=[str(top), str(tmp_path / "missing")])
    assert sorted(os.listdir(str(top))) == ["deep", "listed", "pipe"]
    assert (top / "deep" / "f").exists() and (tmp_path / "outside" / "f").exists()


def test_purge_knows_listed_files_by_another_name_of_a_parent(tmp_path):
    (tmp_path / "real" / "d").mkdir(parents=True)
    (tmp_path / "alias").symlink_to("real")
    (tmp_path / "real" / "d" / "unlisted").write_text("x")
    converge({str(tmp_path / "real" / "d" / "listed"): {"content": "x"}}, purge=[str(tmp_path / "alias" / "d")])
    converge({str(tmp_path / "real" / "d" / "listed"): {"content": "x"}}, purge=[str(tmp_path / "alias" / "d")])
    assert os.listdir(str(tmp_path / "real" / "d")) == ["listed"]


def test_purge_never_follows_a_symlink(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    assert "alias: is a symlink, and only a directory can be purged" in problems({}, purge=[str(tmp_path / "alias")])


def test_conflicts_with_what_is_there(tmp_path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "lost").symlink_to("nowhere")
    os.mkfifo(str(tmp_path / "pipe"))
    expected = {
        "directory": "directory: is a directory, not a file",
        "link": "link: is a symlink to file, and is not replaced",
        "dangling": "dangling: is a symlink to nowhere, and is not replaced",
        "pipe": "pipe: is a pipe, and is not replaced",
        "file/below": "file: is a file, but must be a directory",
        "lost/below": "lost: is a symlink to nowhere, which does not exist",
    }
    text = problems({str(tmp_path / name): {"content": ""} for name in expected})
    for message in expected.values():
        assert "/" + message in text
    assert len(text.splitlines()) == len(expected)
    assert "is a directory, not a file" in problems({str(tmp_path / "directory"): {"state": "absent"}})
    assert "file: is a file, but must be" in problems({}, directories={str(tmp_path / "file"): {}})


def test_directories_may_be_reached_through_symlinks(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    converge({str(tmp_path / "alias" / "f"): {"content": "x"}}, directories={str(tmp_path / "alias"): {"mode": "0700"}})
    assert (tmp_path / "real" / "f").read_text() == "x"
    assert (tmp_path / "alias").is_symlink()
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o700


def test_missing_accounts(tmp_path):
    files = {str(tmp_path / "f"): {"content": "x", "owner": "deploy", "group": "crew"}}
    text = problems(files)
    assert "f: owner 'deploy' does not exist on this host: create it" in text
    assert "f: group 'crew' does not exist" in text
    plan = make_plan(files, check_mode=True)
    assert plan.changed
    assert len(plan.warnings) == 2 and "owner 'deploy' does not exist on this host yet" in plan.warnings[1]
    assert "owner deploy group crew" in diff(plan, FileSystem())[0]["after_header"]


def test_accounts_by_name_and_number():
    accounts = Accounts()
    assert (accounts.uid("root"), accounts.gid("root"), accounts.uid("4321"), accounts.gid("4322")) == (
        0,
        0,
        4321,
        4322,
    )
    assert accounts.uid("no-such-account") is None and accounts.gid("no-such-account") is None


# ---- validation


def test_validators_see_the_final_name_and_attributes_before_anything_changes(tmp_path):
    seen = []

    class Watching(Programs):
        def run(self, argv):
            status = os.stat(argv[1])
            seen.append(
                (
                    os.path.basename(argv[1]),
                    argv[1].startswith(str(tmp_path)),
                    stat.S_IMODE(status.st_mode),
                    tree(tmp_path),
                )
            )
            return 0, ""

    files = {str(tmp_path / "a" / "sudo"): {"content": "x", "mode": "0440", "validate": ["visudo", "%s"]}}
    apply(make_plan(files), FileSystem(), Watching(), no_label)
    assert seen == [("sudo", True, 0o440, {})]


def test_one_refused_candidate_stops_all_and_all_refusals_are_told(tmp_path):
    (tmp_path / "a").write_text("old")
    before = tree(tmp_path)
    files = {
        str(tmp_path / "a"): {"content": "new"},
        str(tmp_path / "b"): {"content": "bad b", "validate": ["refuse", "%s"]},
        str(tmp_path / "c"): {"content": "bad c", "validate": ["refuse", "%s"], "sensitive": True},
        str(tmp_path / "d"): {"content": "x", "validate": ["missing", "%s"]},
    }
    with pytest.raises(StackError) as caught:
        converge(files)
    text = str(caught.value)
    assert "b: refused by refuse %s (exit 1): line 1: bad b" in text
    assert "c: refused by" in text and "bad c" not in text
    assert "d: its validator missing is not on this host" in text
    assert tree(tmp_path, staging=True) == before


def test_check_mode_validates_elsewhere_and_names_what_it_could_not_ask(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    top = tmp_path / "top"
    programs = Programs()
    files = {
        str(top / "a"): {"content": "x", "validate": ["missing", "%s"], "owner": "app"},
        str(top / "b"): {"content": "x", "validate": ["refuse", "-c", "%s"]},
        str(top / "gone"): {"state": "absent"},
    }
    assert preview(make_plan(files, check_mode=True), FileSystem(), programs, str(scratch)) == [
        (str(top / "a"), "missing")
    ]
    assert len(programs.asked) == 1 and programs.asked[0][-1].startswith(str(scratch))
    assert os.listdir(str(tmp_path)) == ["scratch"] and os.listdir(str(scratch)) == []
    files[str(top / "b")]["content"] = "bad"
    with pytest.raises(StackError, match="refused by"):
        preview(make_plan(files, check_mode=True), FileSystem(), Programs(), str(scratch))
    assert os.listdir(str(scratch)) == []


# ---- all or nothing


def old_tree(top):
    top.mkdir()
    for name in ("replaced", "removed", "kept"):
        (top / name).write_text("old " + name)
        (top / name).chmod(0o640)
    (top / "tightened").write_text("same")
    (top / "conf.d").mkdir(mode=0o777)
    (top / "conf.d").chmod(0o777)
    (top / "conf.d" / "unlisted").write_text("x")
    (top / "conf.d" / "link").symlink_to("nowhere")
    (top / ".portside-999999999-killed").mkdir()


def new_tree(top):
    top = str(top)
    return {
        "files": {
            top + "/replaced": {"content": "new", "owner": "app", "mode": "0444"},
            top + "/removed": {"state": "absent"},
            top + "/tightened": {"content": "same", "mode": "0400"},
            top + "/conf.d/listed": {"content": "new"},
            top + "/x/y/z": {"content": "new"},
            top + "/before": {"content": "new"},
        },
        "directories": {top + "/conf.d": {"mode": "0750", "group": "app"}, top + "/data": {"owner": "app"}},
        "purge": [top + "/conf.d"],
    }


def test_a_failure_of_any_operation_leaves_all_old_or_all_new(tmp_path):
    old_tree(tmp_path / "reference")
    fs = Faulty(-1)
    assert converge(fs=fs, **new_tree(tmp_path / "reference")) == []
    total = fs.count
    assert total > 50
    outcomes = set()
    for index in range(total):
        top = tmp_path / str(index)
        old_tree(top)
        old = tree(top)
        fs = Faulty(index)
        try:
            warnings = converge(fs=fs, **new_tree(top))
        except StackError as exc:
            assert tree(top) == old, fs.failed
            assert str(top) in str(exc) and "No space left on device" in str(exc) and "Nothing was changed" in str(exc)
            outcomes.add("old")
        else:
            new = {path.replace(str(top), str(tmp_path / "reference")): what for path, what in tree(top).items()}
            assert new == tree(tmp_path / "reference"), fs.failed
            assert fs.failed == "remove_tree" and "could not be removed" in warnings[0]
            outcomes.add("new")
        assert fs.failed
        if fs.failed != "remove_tree":
            left = [path for path in tree(top, staging=True) if "/.portside-%d-" % os.getpid() in path]
            assert left == [], fs.failed
    assert outcomes == {"old", "new"}


def test_when_undoing_fails_too_the_old_files_are_kept_and_named(tmp_path):
    reported = 0
    for index in range(200):
        top = tmp_path / str(index)
        old_tree(top)
        fs = Faulty(index, errno.EROFS, forever=True)
        try:
            converge(fs=fs, **new_tree(top))
        except StackError as exc:
            if "by hand" in str(exc):
                reported += 1
                kept = {what[-1] for path, what in tree(top, staging=True).items() if what[-1]}
                assert {b"old replaced", b"old removed", b"same", b"x"} <= kept
                assert ".portside-" in str(exc)
        if fs.failed is None:
            break
    assert fs.failed is None and reported > 10


def test_content_is_on_disk_before_it_is_in_place_and_names_are_in_the_end(tmp_path):
    done = []

    class Recording(FileSystem):
        def fsync(self, path):
            super().fsync(path)
            done.append(("fsync", path))

        def rename(self, old, new):
            super().rename(old, new)
            done.append(("rename", old))

    converge({str(tmp_path / "d" / name): {"content": name} for name in "ab"}, fs=Recording())
    renamed = [path for what, path in done if what == "rename"]
    assert len(renamed) == 2
    assert done == [("fsync", path) for path in renamed] + [("rename", path) for path in renamed] + [
        ("fsync", str(tmp_path)),
        ("fsync", str(tmp_path / "d")),
    ]


def test_an_interruption_undoes_everything(tmp_path):
    old_tree(tmp_path / "t")
    old = tree(tmp_path / "t")

    class Interrupted(FileSystem):
        def link(self, existing, new):
            if existing.endswith("tightened"):
                raise KeyboardInterrupt
            super().link(existing, new)

    with pytest.raises(KeyboardInterrupt):
        converge(fs=Interrupted(), **new_tree(tmp_path / "t"))
    assert tree(tmp_path / "t") == old


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path):
    (tmp_path / ".portside-999999999-killed").mkdir()
    living = ".portside-%d-living" % os.getppid()
    (tmp_path / living).mkdir()
    files = {str(tmp_path / "d" / "f"): {"content": "x"}}
    (tmp_path / "d").write_text("in the way")
    with pytest.raises(StackError):
        converge(files)
    assert len(os.listdir(str(tmp_path))) == 3  # a failing run leaves alone what may hold the only copy of a file
    (tmp_path / "d").unlink()
    converge(files)
    (tmp_path / "d" / ".portside-999999999-killed").mkdir()
    converge(files)
    assert sorted(os.listdir(str(tmp_path))) == [living, "d"] and os.listdir(str(tmp_path / "d")) == ["f"]


def test_every_new_path_is_labelled_under_its_target_before_it_is_in_place(tmp_path):
    labelled = []
    (tmp_path / "old").write_text("x")
    files = {str(tmp_path / "d" / "new"): {"content": "y"}, str(tmp_path / "old"): {"content": "y"}}
    apply(
        make_plan(files),
        FileSystem(),
        Programs(),
        lambda path, target, replaces: labelled.append((target, replaces, path == target)),
    )
    top = str(tmp_path)
    assert labelled == [(top + "/d/new", False, False), (top + "/old", True, False), (top + "/d", False, True)]


# ---- any set of files


NAMES = st.sampled_from(["a", "b", "c", "d"])
ATTRIBUTES = st.fixed_dictionaries(
    {"mode": st.sampled_from(["0644", "0600", "0440"]), "owner": st.sampled_from(["root", "app"])}
)
PRESENT = st.builds(
    lambda content, attributes: dict(attributes, content=content),
    st.text(st.characters(codec="utf-8"), max_size=20),
    ATTRIBUTES,
)
PATHS = st.builds(lambda directory, name: "d%s/%s" % (directory, name), NAMES, NAMES)
DECLARED = st.dictionaries(PATHS, st.one_of(PRESENT, st.just({"state": "absent"})), max_size=8)
PURGED = st.lists(st.builds("d{}".format, NAMES), max_size=2)


@settings(max_examples=60, deadline=None)
@given(first=DECLARED, second=DECLARED, purge=PURGED, index=st.integers(0, 120))
def test_any_set_of_files(first, second, purge, index):
    with tempfile.TemporaryDirectory() as top:
        first, second = ({"%s/%s" % (top, path): entry for path, entry in files.items()} for files in (first, second))
        purge = ["%s/%s" % (top, path) for path in purge]
        converge(first)
        old = tree(top)
        try:
            converge(second, fs=Faulty(index), purge=purge)
        except StackError:
            assert tree(top) == old
        converge(second, purge=purge)
        files = {
            path: what
            for path, what in tree(top, staging=True).items()
            if what[0] == stat.S_IFREG and "/.portside-" not in path
        }
        expected = {path: entry for path, entry in first.items() if os.path.dirname(path) not in purge}
        expected.update(second)
        assert {path: (oct(what[1]), what[2], what[3], what[4].decode()) for path, what in files.items()} == {
            path: (oct(int(entry["mode"], 8)), Names().uid(entry["owner"]), os.getgid(), entry["content"])
            for path, entry in expected.items()
            if "content" in entry
        }
        assert not make_plan(second, purge=purge).changed


# ---- the diff


def test_diff_tells_content_attributes_and_withholds_what_is_sensitive(tmp_path):
    top = str(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("x" * 200000)
    (tmp_path / "mode").write_text("same\n")
    (tmp_path / "mode").chmod(0o644)
    (tmp_path / "gone").write_text("gone\n")
    (tmp_path / "gone-secret").write_text("s3cret\n")
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "unlisted").write_text("s3cret\n")
    plan = make_plan(
        {
            top + "/binary": {"content": "text\n"},
            top + "/long": {"content": "short\n"},
            top + "/mode": {"content": "same\n", "mode": "0600"},
            top + "/gone": {"state": "absent"},
            top + "/link": {"state": "absent"},
            top + "/gone-secret": {"state": "absent", "sensitive": True},
            top + "/new": {"content": "new\n"},
            top + "/secret": {},
        },
        secret_contents={top + "/secret": "n3w"},
        directories={top + "/d": {}},
        purge=[top + "/p"],
    )
    entries = diff(plan, FileSystem())
    shown = {entry["before_header"].replace(top + "/", ""): (entry["before"], entry["after"]) for entry in entries}
    me = "owner %d group %d\n" % (os.getuid(), os.getgid())
    assert shown == {
        "binary": ("(binary, 2 bytes)\n", "text\n"),
        "d/": ("", "mode 0755 " + me),
        "gone": ("gone\n", ""),
        "gone-secret": ("(content withheld)\n", ""),
        "link": ("(a symlink)\n", ""),
        "long": ("(200000 bytes: too long to show)\n", "short\n"),
        "mode": ("mode 0644 " + me, "mode 0600 " + me),
        "new (absent)": ("", "new\n"),
        "p/unlisted": ("(content withheld)\n", ""),
        "secret": ("(content withheld)\n", "(new content withheld)\n"),
    }
    assert all(entry["after_header"].endswith("(absent)") == (entry["after"] == "") for entry in entries)
