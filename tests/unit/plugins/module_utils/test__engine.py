# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import struct
import threading

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import (
    EngineClient,
    EngineError,
    EngineUnavailable,
    demultiplex,
    engine_facts,
    negotiate,
)
from fake_engine import FakeEngine, Handler


@pytest.fixture
def engine(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as fake:
        yield fake


@pytest.mark.parametrize(
    ("oldest", "newest", "expected"),
    [
        ("1.24", "1.45", "1.41"),
        ("1.12", "1.40", "1.40"),
        ("1.44", "1.52", "1.44"),
        ("1.9", "1.41", "1.41"),
    ],
)
def test_negotiate(oldest, newest, expected):
    assert negotiate(oldest, newest) == expected


def test_requests_carry_the_negotiated_version_asked_for_once(engine):
    engine.api = ("1.44", "1.52")
    client = EngineClient(engine.path)
    client.get("/info")
    client.get("/networks")
    assert engine.requests == ["GET  version", "GET v1.44 info", "GET v1.44 networks"]


def test_containers_are_asked_for_by_label(engine):
    mine = engine.add("api", "d")
    engine.add("api", "d", project="other")
    client = EngineClient(engine.path)
    assert [one["Id"] for one in client.inspect_all("com.docker.compose.project=demo")] == [mine]
    assert len(client.containers()) == 2


def test_stopped_containers_are_left_out_on_request(engine):
    engine.add("api", "d", state="exited")
    assert EngineClient(engine.path).containers(stopped=False) == []


def test_a_container_that_vanishes_meanwhile_is_left_out(engine):
    engine.add("api", "d")
    client = EngineClient(engine.path)
    listed = client.containers
    client.containers = lambda label: [*listed(label), {"Id": "gone"}]
    assert len(client.inspect_all("com.docker.compose.project=demo")) == 1


def test_an_image_that_is_not_there_is_none(engine):
    engine.images["registry.test:5000/a/b:1"] = "sha256:1"
    client = EngineClient(engine.path)
    assert client.image("registry.test:5000/a/b:1") == {"Id": "sha256:1"}
    assert client.image("a/c:1") is None


def test_the_engines_own_words_are_in_the_error(engine):
    engine.networks["n"] = {"Containers": {"x": {}}}
    with pytest.raises(EngineError, match="active endpoints") as caught:
        EngineClient(engine.path).delete("/networks/id-n")
    assert caught.value.status == 403


def test_a_missing_socket_is_named_with_a_remedy(tmp_path):
    with pytest.raises(EngineUnavailable, match="no Docker engine answers on .*docker.sock.*Remedy"):
        EngineClient(str(tmp_path / "docker.sock")).get("/info")


def test_a_socket_nobody_listens_on_is_unavailable(tmp_path):
    with FakeEngine(tmp_path / "docker.sock"):
        pass
    assert os.path.exists(tmp_path / "docker.sock")
    with pytest.raises(EngineUnavailable, match="refused"):
        EngineClient(str(tmp_path / "docker.sock")).get("/info")


def test_logs_are_the_last_lines(engine):
    engine.logs = b"one\ntwo\nthree\n"
    identifier = engine.add("api", "d")
    assert EngineClient(engine.path).logs(identifier, 2) == ["two", "three"]


def test_it_can_be_used_from_several_threads(engine):
    identifiers = [engine.add("api", "d") for _number in range(20)]
    client = EngineClient(engine.path)
    threads = [threading.Thread(target=client.remove_container, args=(one,)) for one in identifiers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.containers == {}


def frame(stream, data):
    return struct.pack(">BxxxL", stream, len(data)) + data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(1, b"out\n") + frame(2, b"err\n"), "out\nerr\n"),
        (b"plain text of a terminal\n", "plain text of a terminal\n"),
        (b"short", "short"),
        (b"", ""),
        (frame(1, b"\xff\n"), "\ufffd\n"),
    ],
)
def test_demultiplex(data, expected):
    assert demultiplex(data) == expected


def test_facts_without_an_engine_say_why(tmp_path):
    facts = engine_facts(EngineClient(str(tmp_path / "docker.sock")), "x86_64")
    assert facts["running"] is False
    assert "no Docker engine answers" in facts["unreachable_reason"]
    assert (facts["architecture"], facts["engine_version"], facts["cpus"]) == ("x86_64", None, 0)


def test_facts_of_an_engine(engine):
    facts = engine_facts(EngineClient(engine.path), "x86_64")
    assert facts["running"] is True
    assert (facts["engine_version"], facts["api_version"]) == ("26.1.5", "1.45")
    assert (facts["architecture"], facts["memory"], facts["containers_running"]) == ("aarch64", 4096, 3)


def test_a_lifeline_breaks_with_the_engine_and_not_before(engine):
    client = EngineClient(engine.path)
    lifeline = client.lifeline()
    client.get("/info")
    assert not lifeline.broken()
    engine.restart()
    client.get("/info")
    assert lifeline.broken()
    lifeline.close()


def test_there_is_no_lifeline_without_an_engine(tmp_path):
    with pytest.raises(EngineUnavailable):
        EngineClient(str(tmp_path / "nowhere.sock")).lifeline()


def test_a_container_that_somebody_else_is_removing_counts_as_removed(engine, monkeypatch):
    identifier = engine.add("api", "d")
    conflict = {"message": "removal of container is already in progress"}
    monkeypatch.setattr(Handler, "delete_containers", lambda handler, *_arguments: handler.answer(409, conflict))
    EngineClient(engine.path).remove_container(identifier)


def test_an_archive_that_is_too_large_is_an_error(engine, monkeypatch):
    monkeypatch.setattr(Handler, "get_containers", lambda self, _engine, parts, _query, _body: self.answer(200, b"x" * 1000))
    client = EngineClient(engine.path)
    assert len(client.archive("c", "/etc", 1000)) == len(client.archive("c", "/etc")) == 1000
    with pytest.raises(EngineError, match="larger than 999 bytes"):
        client.archive("c", "/etc", 999)
