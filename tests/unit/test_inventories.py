# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people copy is without problems, by the very judgement of a deploy."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

CHECKOUT = pathlib.Path(__file__).parents[2]
# metrics has no host: it is included, as in the inventory of its test.
OWN = sorted(path for path in (CHECKOUT / "inventories").iterdir() if path.name != "metrics")
INVENTORIES = OWN + [CHECKOUT / "tests" / one / "inventory" for one in ("exposure", "faults", "metrics")]
JUDGED = (
    "{0} | portside.stack.stack_problems(dict(stack_secrets.keys() | zip(stack_secrets.values() | map('list')))) == []",
    "{0} | portside.stack.secret_problems(stack_secrets) == []",
    "{0} | map('portside.stack.stack_warnings', {0}) | flatten == []",
)
# Whatever an inventory is for: what people copy would do in production.
IN_PRODUCTION = "(stacks | map('combine', {'environment': 'production'}))"
MERGED = "(stacks | portside.stack.stack_merge(stack_overrides | default({})))"


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_inventory_is_without_problems(path, tmp_path):
    (tmp_path / "empty.cfg").touch()
    ansible = os.path.join(os.path.dirname(sys.executable), "ansible")
    asserted = [judged.format(stacks) for stacks in ("stacks", IN_PRODUCTION, MERGED) for judged in JUDGED]
    judge = ["-m", "ansible.builtin.assert", "-a", json.dumps({"that": asserted})]
    # Passwords that the inventory makes beside itself land here.
    inventory = shutil.copytree(path, tmp_path / "inventory", ignore=shutil.ignore_patterns(".secrets"))
    (inventory / ".secrets").mkdir()
    # Made by cloudflared for whoever deploys.
    (inventory / ".secrets" / "tunnel.json").write_text('{"AccountTag": "a", "TunnelSecret": "bm90aGluZw=="}')
    done = subprocess.run(
        [ansible, "all", "-i", str(inventory), *judge],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"), "ANSIBLE_CONFIG": str(tmp_path / "empty.cfg")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    assert "All assertions passed" in done.stdout
