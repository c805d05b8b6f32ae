# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stacks that an inventory of this checkout declares, as Ansible has them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

CHECKOUT = pathlib.Path(__file__).parents[2]
# As text, in which keys stay in their order.
MERGED = "text: {{ stacks | portside.stack.stack_merge(stack_overrides | default({})) | to_json }}"


def declared(inventory: str, empty_directory: pathlib.Path) -> dict[str, list[dict]]:
    """Host -> its stacks."""
    config = empty_directory / "empty.cfg"
    config.touch()
    ansible = os.path.join(os.path.dirname(sys.executable), "ansible")
    shown = ["-m", "ansible.builtin.debug", "-a", json.dumps({"msg": MERGED}), "--one-line"]
    done = subprocess.run(
        [ansible, "all", "-i", str(CHECKOUT / "inventories" / inventory), *shown],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"), "ANSIBLE_CONFIG": str(config)},
        text=True,
        check=True,
        capture_output=True,
    )
    told = [line.split(" | SUCCESS => ", 1) for line in done.stdout.splitlines()]
    return {host: json.loads(json.loads(found)["msg"].partition(" ")[2]) for host, found in told}
