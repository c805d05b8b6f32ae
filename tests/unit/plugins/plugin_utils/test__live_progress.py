# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.portside.stack.plugins.plugin_utils import _live_progress
from ansible_collections.portside.stack.plugins.plugin_utils._live_progress import LiveAction, ProgressReader


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(_live_progress, "_FIRST_LOOK", 0.02)
    monkeypatch.setattr(_live_progress, "_INTERVAL", 0.02)


class File:
    """A growing file; each look takes the next of its contents, and the last is signalled."""

    def __init__(self, *contents):
        self.contents, self.looks, self.seen_all = list(contents), 0, threading.Event()

    def read(self):
        self.looks += 1
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        if len(self.contents) == 1 and self.looks > 1:
            self.seen_all.set()
        return content


def watch(*contents):
    shown, file = [], File(*contents)
    with ProgressReader(file.read, shown.append) as reader:
        assert file.seen_all.wait(5)
    return shown, reader


def test_each_line_is_shown_once_as_it_comes():
    shown, _reader = watch("one\n", "one\ntwo\n", "one\ntwo\n")
    assert shown == ["one", "two"]


def test_a_line_that_is_being_written_waits():
    shown, _reader = watch("one\ntw", "one\ntwo\n", "one\ntwo\n")
    assert shown == ["one", "two"]


def test_an_empty_or_unreadable_file_shows_nothing():
    shown, _reader = watch(None, "", None)
    assert shown == []


def test_what_was_not_seen_live_is_shown_at_the_end():
    shown, reader = watch("one\n", "one\n")
    reader.show(["one", "two"])
    assert shown == ["one", "two"]


def test_a_short_run_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(_live_progress, "_FIRST_LOOK", 5)
    file = File("one\n")
    with ProgressReader(file.read, print):
        pass
    assert file.looks == 0


def test_the_thread_ends_when_the_module_fails():
    reader = ProgressReader(lambda: "", print)
    with pytest.raises(RuntimeError):
        with reader:
            raise RuntimeError("module died")
    assert not reader._thread.is_alive()


class Connection:
    def __init__(self, answer):
        self.answer, self.commands, self.become = answer, [], "sudo"

    def set_become_plugin(self, plugin):
        self.become = plugin

    def exec_command(self, command, sudoable=True):
        self.commands.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def remote_reader(connection):
    action = LiveAction.__new__(LiveAction)
    action._connection = connection
    return action._remote_reader("demo")


def test_the_file_is_read_as_the_plain_user_and_the_tasks_connection_is_not_touched():
    connection = Connection((0, b"one\n", b""))
    assert remote_reader(connection)() == "one\n"
    assert connection.commands == ["cat /run/portside/demo.progress"]
    assert connection.become == "sudo"


@pytest.mark.parametrize("answer", [(1, b"", b"no such file"), AnsibleConnectionFailure("gone"), OSError("gone")])
def test_a_failed_look_is_no_failure(answer):
    assert remote_reader(Connection(answer))() is None
