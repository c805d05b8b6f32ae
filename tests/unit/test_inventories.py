# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people copy is without problems, by the very judgement of a deploy."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

CHECKOUT = pathlib.Path(__file__).parents[2]
JUDGED = "stacks | portside.stack.stack_problems(dict(stack_secrets.keys() | zip(stack_secrets.values() | map('list')))) == []"


@pytest.mark.parametrize("name", sorted(path.name for path in (CHECKOUT / "inventories").iterdir()))
def test_every_inventory_is_without_problems(name, tmp_path):
    (tmp_path / "empty.cfg").touch()
    ansible = os.path.join(os.path.dirname(sys.executable), "ansible")
    judge = ["-m", "ansible.builtin.assert", "-a", json.dumps({"that": JUDGED})]
    # Passwords that the inventory would make land here.
    elsewhere = ["-e", "selflink_passwords=%s" % tmp_path]
    done = subprocess.run(
        [ansible, "all", "-i", str(CHECKOUT / "inventories" / name), *judge, *elsewhere],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"), "ANSIBLE_CONFIG": str(tmp_path / "empty.cfg")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    assert "All assertions passed" in done.stdout
