#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_check
short_description: Have an edge's configuration judged by the very program that is to read it
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Puts the configuration of an edge, nginx or cloudflared, in a container of its very image, and has the program there
    judge it with C(nginx -t) or C(cloudflared tunnel ingress validate).
  - What cloudflared only warns of, such as keys that it does not know, is refused as well.
  - The container has no network and is removed again. Nothing else is touched.
  - Keys of certificates are compared with them on the host, and never are in the container.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Without an engine, or without the image, nothing is judged, and a warning says so.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  stack:
    description: The name of the stack.
    type: str
    required: true
  service:
    description: The name of the service that is the edge, for messages.
    type: str
    default: edge
  kind:
    description: The program.
    type: str
    choices: [nginx, cloudflared]
    required: true
  image:
    description: The pin of the image, as RV(portside.stack.compose_stack#module:images) has it.
    type: str
    required: true
  files:
    description:
      - The text of each file by its path in C(/etc/portside). With V(nginx) these are C(nginx.conf) and any other C(*.conf)
        that nginx may be started with, with V(cloudflared) it is C(config.yml).
    type: dict
    required: true
  certificates:
    description: Paths in C(/etc/portside) at which the configuration has a key with its certificate. A throw-away pair is put there.
    type: list
    elements: str
    default: []
  brought:
    description: The certificates that a user brings. Each is refused unless it is for its key.
    type: list
    elements: dict
    default: []
    suboptions:
      file:
        description: The name of its file, for messages.
        type: str
        required: true
      certificate:
        description: The certificate and those above it, in PEM.
        type: str
        required: true
      secret:
        description: The secret that has the key.
        type: str
        required: true
      version:
        description: The version of it that the release has.
        type: int
        required: true
  values:
    description: The values of these secrets, as far as they are given anew.
    type: dict
    default: {}
  secrets:
    description: The directory with the secrets of before, as of M(portside.stack.secret_files). Needed with O(brought).
    type: path
    default: ""
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, the task is refused while a run has the lock.
    type: str
    default: ""
notes:
  - Certificates need C(openssl) on the host.
seealso:
  - module: portside.stack.compose_stack
  - module: portside.stack.external_check
"""

EXAMPLES = r"""
- name: Have the configuration judged before anything is released
  portside.stack.edge_check:
    stack: shop
    kind: nginx
    image: "{{ preflight.images['nginx:1.28'] }}"
    files:
      nginx.conf: "{{ stack | portside.stack.nginx_config }}"
    certificates: [certificates/self-signed.pem]
"""

RETURN = r"""
judged:
  description: The files that the program took. Empty when there was nothing to judge with.
  returned: success
  type: list
  elements: str
  sample: [challenge.conf, nginx.conf]
"""

import os
import signal
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._compose_report import Interrupted, error_text
from ansible_collections.portside.stack.plugins.module_utils._edge_check import EdgeCheck
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock

# What a container may take, with the time to make it.
SECONDS = 300


def image_of(module: AnsibleModule, engine: EngineClient) -> t.Optional[str]:
    """The image's id, none where a plan has to do without."""
    stack, service, pin = (module.params[key] for key in ("stack", "service", "image"))
    try:
        image = engine.image(pin)
    except EngineUnavailable:
        if not module.check_mode:
            raise
        image = None
    if image is None and not module.check_mode:
        raise StackError(
            "stack {0}: service {1}: image {2} is not on the host. Remedy: have it pulled first, with the module "
            "compose_stack and state pulled.".format(stack, service, pin)
        )
    if image is None:
        module.warn(
            "stack {0}: service {1}: the configuration of the edge was not judged by {2} itself: image {3} is not on the "
            "host yet.".format(stack, service, module.params["kind"], pin)
        )
    return image and image["Id"]


def judged(module: AnsibleModule) -> t.List[str]:
    engine, params = EngineClient(), module.params
    image = image_of(module, engine)
    if image is None:
        return []
    run = detached(module, os.environ, SOCKET)
    check = EdgeCheck(params["stack"], params["service"], params["kind"], image, engine, run, time.time())
    check.judge_brought(params["brought"], params["values"], params["secrets"])
    return check.carry_out(params["files"], params["certificates"])


def locked(module: AnsibleModule) -> t.List[str]:
    if module.check_mode:
        return judged(module)
    with StackLock(module.params["stack"], time.time).work(module.params["lock"], "edge check", SECONDS):
        return judged(module)


def interrupt(stack: str, came: int) -> None:
    raise Interrupted("stack {0}: interrupted by {1}. Nothing was changed.".format(stack, signal.Signals(came).name), "")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "service": {"type": "str", "default": "edge"},
            "kind": {"type": "str", "choices": ["nginx", "cloudflared"], "required": True},
            "image": {"type": "str", "required": True},
            "files": {"type": "dict", "required": True},
            "certificates": {"type": "list", "elements": "str", "default": []},
            "brought": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "file": {"type": "str", "required": True},
                    "certificate": {"type": "str", "required": True},
                    "secret": {"type": "str", "required": True, "no_log": False},  # its name
                    "version": {"type": "int", "required": True},
                },
            },
            "values": {"type": "dict", "default": {}, "no_log": True},
            "secrets": {"type": "path", "default": "", "no_log": False},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda came, _frame: interrupt(module.params["stack"], came))
    try:
        found = locked(module)
    except (StackError, OSError) as error:
        module.fail_json(msg=error_text(module.params["stack"], error))
    module.exit_json(changed=False, judged=found)


if __name__ == "__main__":
    main()
