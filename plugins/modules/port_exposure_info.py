#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_exposure_info
short_description: Who is reachable on a host, and what of that nobody declared
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Looks at every listening TCP and UDP socket, every published port of every container, networks, the engine and its settings,
    and the packet filter, and tells for each who has it, a stack's service, a container, or a process.
  - Compares that with what is declared, which is what the current releases on the host publish, and what the host's own settings
    allow. Everything else that is reachable is a violation, with the reason why it is, since when, and what to do.
  - Reads only, and works without Docker as well. Without root it sees less, and says so in RV(unseen).
  - UDP sockets on ports that the kernel picks are warned of, never violations. A client that waits for an answer, of DNS
    or NTP for example, looks like a server there.
  - Whether a firewall such as ufw lets a process's port in is not judged. What the collection's own firewall drops is a warning,
    for as long as that is in place.
  - What stands in front of the host, such as NAT or a provider's firewall, is only seen from outside.
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
options:
  stack_root:
    description: The directory of the host's stacks.
    type: path
    default: /opt/stacks
  releases:
    description: Releases by stack that are judged in the place of the current ones, as while one of them is verified.
    type: dict
    default: {}
  settings:
    description: What the host itself may show, as the role P(portside.stack.firewall#role) writes it. Without the file it is ssh.
    type: path
    default: /etc/portside/exposure.json
  judge:
    description: Whether to compare with what is declared. V(false) tells facts alone, also of a host that has no stacks.
    type: bool
    default: true
  fail:
    description:
      - Which violations fail the task, with them as the message. V(high) are those by which somebody is reached whom nobody declared.
        V(any) adds what opens more under further conditions, such as an engine before 28 without the firewall, or a container that
        controls Docker.
    type: str
    choices: [never, high, any]
    default: never
  except_stacks:
    description: Stacks whose own violations do not fail the task, as a run is about to change them.
    type: list
    elements: str
    default: []
seealso:
  - module: portside.stack.engine_info
  - module: portside.stack.port_probe
"""

EXAMPLES = r"""
- name: Fail when anything is reachable that nobody declared
  portside.stack.port_exposure_info:
    fail: high
  become: true

- name: See what a release that is being verified opens
  portside.stack.port_exposure_info:
    releases:
      shop: 5f0c9a3b1d2e4f67
  become: true
  register: exposure

- name: Look at a host that this project never touched
  portside.stack.port_exposure_info:
    judge: false
  become: true
  register: exposure

- name: Show it
  ansible.builtin.debug:
    msg: "{{ exposure.text.splitlines() }}"
"""

RETURN = r"""
endpoints:
  description:
    - Every listening socket, with RV(ignore:protocol), RV(ignore:family), RV(ignore:address), RV(ignore:port) and
      RV(ignore:owner). With RV(ignore:published) it is there for a published port of a container.
  returned: always
  type: list
  elements: dict
  sample:
    - protocol: tcp
      family: ipv4
      address: 0.0.0.0
      port: 443
      published: true
      owner:
        kind: service
        stack: shop
        service: edge
        container: shop-edge-1
        container_id: 4f5b7cdd2f0c
        since: "2026-11-20T08:11:02.31Z"
        process: ""
        pid: 0
        user: ""
        routes: [example.com prefix / -> web:3000]
published:
  description: Every published port of every running container, also of those that are in no stack.
  returned: always
  type: list
  elements: dict
containers:
  description:
    - The running containers, with what of them bears on who is reachable. RV(ignore:own_addresses) are addresses at which one is
      reached itself, with the network and why, which is its driver or the mode of its gateway.
  returned: always
  type: list
  elements: dict
networks:
  description: The engine's networks, with the options that matter and the names of the containers attached.
  returned: always
  type: list
  elements: dict
mesh:
  description: The ports that Swarm's routing mesh publishes on every node.
  returned: always
  type: list
  elements: dict
engine:
  description: The engine's version and the settings of its daemon that matter; RV(ignore:running) is false without one.
  returned: always
  type: dict
firewall:
  description: What the packet filter says, by family, and which firewalls are there. None where a family could not be seen.
  returned: always
  type: dict
addresses:
  description: The host's global addresses by family, without those of the engine's bridges.
  returned: always
  type: dict
  sample:
    ipv4: [192.0.2.2]
    ipv6: ["2001:db8::2"]
tunnels:
  description: Processes of known tunnels that are in no container.
  returned: always
  type: list
  elements: dict
unseen:
  description: What could not be seen, in sentences. What is told is only complete when there are none.
  returned: always
  type: list
  elements: str
text:
  description: All of it for people.
  returned: always
  type: str
declared:
  description: What may be reached, as rows.
  returned: with O(judge=true)
  type: list
  elements: dict
rows:
  description:
    - Who of the stacks' services is reached where, as it is. RV(ignore:routes) lead to a service, through RV(ignore:via) where they let in more
      than its own port does; RV(ignore:reach) counts them. RV(ignore:behind) is what a port of an edge leads to.
  returned: with O(judge=true)
  type: list
  elements: dict
  sample:
    - stack: shop
      service: edge
      exposure: public
      addresses: [0.0.0.0, "::"]
      published: "443"
      target: 443
      protocol: tcp
      routes: []
      reach: public
      via: ""
      behind: [example.com prefix / -> web:3000]
probe:
  description:
    - What is to be tried from outside, as options of M(portside.stack.port_probe). RV(ignore:addresses) are the host's that are the
      same for everybody; a private one may be somebody else's where the controller is.
  returned: with O(judge=true)
  type: dict
  sample:
    addresses: ["2001:db8::2"]
    open: [{port: 443, protocol: tcp, owner: "stack shop: service edge"}]
    closed: [{port: 5432, protocol: tcp, owner: container db}]
    control: [22]
violations:
  description: What is reachable, or opens more, and nobody declared; the worst first.
  returned: with O(judge=true)
  type: list
  elements: dict
  contains:
    rule:
      description: The rule that it breaks.
      type: str
    what:
      description: Who is reachable where.
      type: str
    why:
      description: Why it is.
      type: str
    since:
      description: When the container was started; empty for others.
      type: str
    remedy:
      description: What to do.
      type: str
    stack:
      description: The stack, or Compose project.
      type: str
    service:
      description: The service.
      type: str
    container:
      description: The container.
      type: str
    process:
      description: The process.
      type: str
    endpoint:
      description: Where, or none where there is no single place.
      type: dict
    severity:
      description: How bad it is.
      type: str
      choices: [high, medium, low]
    blocked:
      description: Whether the collection's firewall keeps it from outside.
      type: bool
notices:
  description: The same, of what the firewall keeps from outside, and of what is perhaps nothing.
  returned: with O(judge=true)
  type: list
  elements: dict
waived:
  description: The same, of what a stack or the host waives, with the C(reason).
  returned: with O(judge=true)
  type: list
  elements: dict
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_declared import (
    Declared,
    declared_rows,
    read_declared,
)
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import judge
from ansible_collections.portside.stack.plugins.module_utils._exposure_look import look
from ansible_collections.portside.stack.plugins.module_utils._exposure_probe import probe_of
from ansible_collections.portside.stack.plugins.module_utils._exposure_rows import observed_rows
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import read_settings
from ansible_collections.portside.stack.plugins.module_utils._exposure_text import message, text_of
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem


def runner(module: AnsibleModule) -> Run:
    """What asks the host's programs; one that is not there is no error."""

    def run(argv: t.List[str], data: t.Optional[str]) -> t.Tuple[int, str, str]:
        program = module.get_bin_path(argv[0])
        if not program:
            return 127, "", "there is no program {0}".format(argv[0])
        return module.run_command([program, *argv[1:]], data=data, errors="replace")

    return run


def declared_of(module: AnsibleModule) -> Declared:
    settings = read_settings(FileSystem(), path=module.params["settings"])
    return read_declared(module.params["stack_root"], module.params["releases"], settings)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack_root": {"type": "path", "default": "/opt/stacks"},
            "releases": {"type": "dict", "default": {}},
            "settings": {"type": "path", "default": "/etc/portside/exposure.json"},
            "judge": {"type": "bool", "default": True},
            "fail": {"type": "str", "choices": ["never", "high", "any"], "default": "never"},
            "except_stacks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        declared = declared_of(module) if module.params["judge"] else Declared()
        facts = look(EngineClient(timeout=20), runner(module), os.geteuid() == 0, declared)
    except (StackError, OSError) as error:
        module.fail_json(msg=str(error))
    if not module.params["judge"]:
        module.exit_json(changed=False, text=text_of(facts, declared, None), **facts)
    judgement = judge(facts, declared)
    found = dict(
        facts,
        **judgement._asdict(),
        declared=declared_rows(declared),
        rows=observed_rows(facts, declared),
        probe=probe_of(facts, declared),
        text=text_of(facts, declared, judgement),
    )
    counting = [one for one in judgement.violations if one["stack"] not in module.params["except_stacks"]]
    failing = [one for one in counting if module.params["fail"] in ("any", one["severity"])]
    if failing:
        module.fail_json(msg=message(failing), **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
