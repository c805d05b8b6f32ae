# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-playbook exits with, and what it shows, for each verdict."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 4))
DIFFERENCE = {"stack": "shop", "service": "api", "what": "is exited (1)", "remedy": "run site.yml"}
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - portside.stack.stack_verdict:
        drift: {stacks: [], differences: "{{ differences }}"}
        checks: []
        exposure: {violations: [], text: ""}
        probed: {violations: [], text: ""}
    - ansible.builtin.debug:
        msg: "went on"
"""


def play(tmp_path, hosts, *options):
    program = shutil.which("ansible-playbook")
    assert program, "ansible-playbook is not on the PATH"
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    variables = {name: {"differences": found, "ansible_connection": "local"} for name, found in hosts.items()}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": variables}}), encoding="utf-8")
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": os.path.join(ROOT, "collections"), "ANSIBLE_HOME": str(tmp_path / "home")}
    argv = [program, "-i", str(tmp_path / "hosts.json"), *options, str(tmp_path / "play.yml")]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["for real", "check mode"])
@pytest.mark.parametrize(("broken", "code", "word"), [(None, 0, "CLEAN"), (False, 2, "DRIFTED"), (True, 4, "BROKEN")])
def test_the_exit_code_tells_the_verdict(tmp_path, broken, code, word, options):
    done = play(tmp_path, {"web1": [] if broken is None else [dict(DIFFERENCE, broken=broken)]}, *options)
    assert done.returncode == code, done.stdout + done.stderr
    assert "web1: {0}: ".format(word) in done.stdout
    assert ("went on" in done.stdout) == (code == 0)


def test_of_several_hosts_the_worst_decides(tmp_path):
    hosts = {"good": [], "other": [dict(DIFFERENCE, broken=False)], "bad": [dict(DIFFERENCE, broken=True)]}
    done = play(tmp_path, hosts)
    assert done.returncode == 4
    assert all(line in done.stdout for line in ("good: CLEAN", "other: DRIFTED", "bad: BROKEN"))
    del hosts["bad"]
    assert play(tmp_path, hosts).returncode == 2
