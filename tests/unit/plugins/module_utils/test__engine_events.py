# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import socket
import threading
import urllib.parse

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._engine_events import EventStream

FILTERS = {"type": ["container"], "event": ["health_status", "die"]}


class Engine:
    """An engine that says what a test has it say."""

    def __init__(self, path, head=b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"):
        self.path, self.head, self.asked, self.connection = str(path), head, b"", None
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen()
        threading.Thread(target=self.answer, daemon=True).start()

    def answer(self):
        self.connection, _address = self.server.accept()
        self.asked = self.connection.recv(65536)
        self.connection.sendall(self.head)

    def say(self, text):
        self.connection.sendall(text)


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path / "docker.sock")


def test_what_happens_is_told_line_by_line(engine):
    with contextlib.closing(EventStream("1.41", FILTERS, engine.path)) as events:
        target = urllib.parse.urlsplit(engine.asked.split(b" ")[1].decode())
        assert (target.path, json.loads(urllib.parse.parse_qs(target.query)["filters"][0])) == ("/v1.41/events", FILTERS)
        assert events.wait(0) == events.wait(0.05) == []
        engine.say(b'{"Action":"die"}\n{"Action":"health_status: unhealthy"}\r\n{"Act')
        assert events.wait(5) == [{"Action": "die"}, {"Action": "health_status: unhealthy"}]
        assert events.wait(0.05) == []
        engine.say(b'ion":"oom"}\n')
        assert events.wait(5) == [{"Action": "oom"}]


def test_what_comes_with_the_head_is_not_lost(tmp_path):
    engine = Engine(tmp_path / "docker.sock", b'HTTP/1.0 200 OK\r\n\r\n{"Action":"die"}\n')
    with contextlib.closing(EventStream("1.41", FILTERS, engine.path)) as events:
        assert events.wait(5) == [{"Action": "die"}]


def test_its_end_is_told(engine):
    with contextlib.closing(EventStream("1.41", FILTERS, engine.path)) as events:
        engine.connection.close()
        with pytest.raises(EngineUnavailable, match="its end"):
            events.wait(5)


@pytest.mark.parametrize("head", [b"HTTP/1.0 400 Bad Request\r\n\r\n{}", b""])
def test_an_engine_that_refuses_is_told(tmp_path, head):
    engine = Engine(tmp_path / "docker.sock", head)
    if not head:
        threading.Timer(0.1, lambda: engine.connection.close()).start()
    with pytest.raises(EngineUnavailable, match="400|its end"):
        EventStream("1.41", FILTERS, engine.path)


def test_no_engine_is_told(tmp_path):
    with pytest.raises(EngineUnavailable, match="No such file"):
        EventStream("1.41", FILTERS, str(tmp_path / "none.sock"))
