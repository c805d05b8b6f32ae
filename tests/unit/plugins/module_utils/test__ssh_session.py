# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._ssh_session import Session, session


@pytest.fixture
def proc(tmp_path):
    def add(pid, name, parent, started, *variables):
        (tmp_path / str(pid)).mkdir()
        rest = "S {0} ".format(parent) + "0 " * 17 + "{0} 0 0".format(started)
        (tmp_path / str(pid) / "stat").write_text("{0} ({1}) {2}\n".format(pid, name, rest))
        (tmp_path / str(pid) / "environ").write_bytes(b"".join(one.encode() + b"\0" for one in variables))

    add.session = lambda pid: session(pid, str(tmp_path))
    return add


def test_it_is_found_above_sudo(proc):
    proc(10, "sshd", 1, 5)
    proc(20, "sshd-session", 10, 100)
    proc(21, "sshd-session", 20, 102)
    proc(22, "sh", 21, 103, "HOME=/x", "SSH_CONNECTION=192.0.2.9 50000 192.0.2.1 2222")
    proc(23, "sudo", 22, 104, "SSH_CONNECTION=192.0.2.9 50000 192.0.2.1 2222")
    proc(24, "py (x) thon", 23, 105)
    assert proc.session(24) == Session(2222, 102)


def test_a_process_of_nobody(proc):
    proc(20, "systemd", 1, 100)
    proc(21, "python3", 20, 101, "SSH_CONNECTION=")
    assert proc.session(21) == Session(0, 0)
    assert proc.session(4711) == Session(0, 0)
