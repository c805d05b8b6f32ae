# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.modules import engine_info
from fake_engine import FakeEngine
from module_runner import run_module


@pytest.fixture
def docker(monkeypatch):
    def set_up(path, answer):
        monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_keys: path)
        monkeypatch.setattr(AnsibleModule, "run_command", lambda *_args, **_keys: answer)

    return set_up


def test_a_host_without_docker_is_no_failure(docker, capsys, tmp_path, monkeypatch):
    docker(None, None)
    client = engine_info.EngineClient
    monkeypatch.setattr(engine_info, "EngineClient", lambda timeout: client(str(tmp_path / "x"), timeout))
    result = run_module(engine_info.main, capsys, {}, check=True).result
    assert (result["installed"], result["running"], result["compose_version"]) == (False, False, None)
    assert not result["changed"]


@pytest.mark.parametrize(
    ("answer", "compose"),
    [((0, "2.26.1-4\n", ""), "2.26.1-4"), ((0, "v2.40.3\n", ""), "2.40.3"), ((1, "", "not a docker command"), None)],
)
def test_versions_of_what_is_there(docker, capsys, tmp_path, monkeypatch, answer, compose):
    docker("/usr/bin/docker", answer)
    client = engine_info.EngineClient
    with FakeEngine(tmp_path / "docker.sock") as engine:
        monkeypatch.setattr(engine_info, "EngineClient", lambda timeout: client(engine.path, timeout))
        result = run_module(engine_info.main, capsys, {}).result
    assert (result["installed"], result["running"], result["engine_version"]) == (True, True, "26.1.5")
    assert result["compose_version"] == compose


def test_an_engine_that_is_down_is_installed(docker, capsys, tmp_path, monkeypatch):
    docker("/usr/bin/docker", (0, "2.26.1\n", ""))
    client = engine_info.EngineClient
    monkeypatch.setattr(engine_info, "EngineClient", lambda timeout: client(str(tmp_path / "x"), timeout))
    result = run_module(engine_info.main, capsys, {}).result
    assert (result["installed"], result["running"]) == (True, False)
    assert "no Docker engine answers" in result["unreachable_reason"]
