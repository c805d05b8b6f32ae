#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: What Docker Engine and Compose a host has
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Tells whether Docker is installed and answers, and in which versions. Never fails where it is not there.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: N/A
    description: Only reads.
  idempotent:
    support: full
    description: Only reads.
options: {}
seealso:
  - module: portside.stack.compose_stack
"""

EXAMPLES = r"""
- name: Look at the engine
  portside.stack.engine_info:
  register: engine

- name: Say what answers
  ansible.builtin.debug:
    msg: "Docker {{ engine.engine_version }}, Compose {{ engine.compose_version }}"
  when: engine.running
"""

RETURN = r"""
installed:
  description: Whether the program C(docker) is there, or an engine answers.
  returned: always
  type: bool
running:
  description: Whether an engine answers on its socket.
  returned: always
  type: bool
unreachable_reason:
  description: Why no engine answers; empty when one does.
  returned: always
  type: str
engine_version:
  description: The engine's version, or none.
  returned: always
  type: str
  sample: 26.1.5
api_version:
  description: The newest version of the API that the engine speaks, or none.
  returned: always
  type: str
  sample: "1.45"
compose_version:
  description: The version of the Compose plugin, or none.
  returned: always
  type: str
  sample: 2.26.1
architecture:
  description: The processor architecture as the engine names it, or as the kernel does where no engine answers.
  returned: always
  type: str
  sample: aarch64
live_restore:
  description: Whether containers go on while the engine is restarted.
  returned: always
  type: bool
containers_running:
  description: How many containers run.
  returned: always
  type: int
memory:
  description: The host's memory in bytes; 0 where no engine answers.
  returned: always
  type: int
cpus:
  description: The number of processors; 0 where no engine answers.
  returned: always
  type: int
"""

import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, engine_facts
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    docker = module.get_bin_path("docker")
    compose = ""
    if docker:
        code, out, _err = module.run_command([docker, "compose", "version", "--short"])
        compose = out.strip() if code == 0 else ""
    try:
        facts = engine_facts(EngineClient(timeout=20), platform.machine())
    except StackError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        installed=bool(docker) or facts["running"],
        compose_version=compose.lstrip("v") or None,
        **facts,
    )


if __name__ == "__main__":
    main()
