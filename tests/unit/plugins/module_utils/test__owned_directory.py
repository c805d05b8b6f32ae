# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._owned_directory import Owner, have, look, owner_of

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="files are owned by root")


def owner(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_what_is_missing_is_made_and_those_above_are_roots(tmp_path):
    umask = os.umask(0o077)
    try:
        have(str(tmp_path / "a/b/c"), Owner(10001, 10002, 0o2750))
    finally:
        os.umask(umask)
    assert [owner(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [(0, 0, 0o755), (0, 0, 0o755), (10001, 10002, 0o2750)]


def test_what_is_there_is_set_right_and_nothing_in_it(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").write_text("x")
    before = owner(tmp_path / "d/file")
    have(str(tmp_path / "d"), Owner(7, 8, 0o4711))
    assert owner(tmp_path / "d") == (7, 8, 0o4711)
    assert owner(tmp_path / "d/file") == before


def test_what_is_not_said_stays(tmp_path):
    (tmp_path / "d").mkdir(mode=0o711)
    have(str(tmp_path / "d"), Owner(gid=8))
    assert owner(tmp_path / "d") == (0, 8, 0o711)
    assert look(str(tmp_path / "d")) == (0, 8, 0o711)


def test_what_is_not_there_is_none(tmp_path):
    assert look(str(tmp_path / "a/b")) is None


@pytest.mark.parametrize("inner", ["", "/below"])
def test_no_link_is_followed(tmp_path, inner):
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(precious)
    for work in (look, lambda path: have(path, Owner(10001, 10001, 0o777))):
        with pytest.raises(StackError, match="is a link to .*declare and mount the path it stands for"):
            work(str(tmp_path / "link") + inner)
    assert owner(precious) == (0, 0, 0o700)
    assert os.listdir(precious) == []


def test_a_file_in_its_place_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StackError, match="file is no directory. Remedy: "):
        have(str(tmp_path / "file"), Owner(1, 1, 0o755))


def test_an_owner_is_read_from_a_document_and_told():
    assert owner_of({"uid": 1, "gid": 2, "mode": "0750", "labels": {}}) == (1, 2, 0o750)
    assert owner_of({}) == Owner()
    assert str(Owner(1, None, 0o750)) == "owner 1:, mode 0750"
    assert str(Owner(mode=0o2755)) == "mode 2755"
