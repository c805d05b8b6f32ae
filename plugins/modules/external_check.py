#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: external_check
short_description: Try services that run elsewhere, from a stack's own network
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Reaches services such as a managed PostgreSQL from a container on the network of the stack that needs them, and logs
    in as its services will. What fails is told apart, DNS, a refused connection, a timeout, TLS, and credentials.
  - The container runs the host's own Python, as nobody, on an empty image. Nothing is pulled. What it is to try comes over
    its standard input, and no secret is in its arguments, its environment or a log.
  - Nothing is changed. A network of the stack that is not there yet is made for that time, and removed again. The empty
    image C(portside.stack/external/probe) stays.
  - A PostgreSQL server is asked to let in, with C(sslmode) as libpq understands it, and asked nothing more. A
    Redis server is asked to let in and for C(PING).
  - Certificates are judged by what the host trusts. Where a URL names a file with whom to trust (C(sslrootcert),
    C(ssl_ca_certs)), that is in a container of the stack, so there TLS is tried without judging the certificate.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Services on a network that is not on the host yet are not tried.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  stack:
    description: The name of the stack.
    type: str
    required: true
  external:
    description: The services, as P(portside.stack.stack_externals#filter) returns them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      kind:
        description:
          - What it speaks. With V(tcp) it only has to accept a connection, with V(tls) it has to have a certificate besides
            that is valid for its name.
        type: str
        choices: [postgresql, redis, tls, tcp]
        required: true
      network:
        description: The network to try it from, as the engine calls it.
        type: str
        required: true
      secret:
        description: The secret whose value is its URL, for V(postgresql) and V(redis).
        type: str
      host:
        description: Its host, for V(tls) and V(tcp).
        type: str
      port:
        description: Its port, for V(tls) and V(tcp).
        type: int
  networks:
    description: The networks that the stack makes itself, by the engine's names, as C(x-portside) of its document has them.
    type: dict
    default: {}
  directory:
    description: The directory of the stack's secrets, for example C(/opt/stacks/selflink/secrets). It is only read.
    type: path
    required: true
  secrets:
    description: The secrets that are needed, as in O(portside.stack.secret_files#module:secrets).
    type: dict
    default: {}
  values:
    description: Values by name, as in O(portside.stack.secret_files#module:values).
    type: dict
    default: {}
  timeout:
    description: Seconds after which a service has not answered.
    type: float
    default: 10
seealso:
  - module: portside.stack.health_check
"""

EXAMPLES = r"""
- name: Reach the managed database before anything is released
  portside.stack.external_check:
    stack: shop
    external:
      - {name: database, kind: postgresql, secret: database_url, network: shop_default}
      - {name: mail, kind: tcp, host: mail.example.com, port: 587, network: shop_default}
    networks:
      shop_default: {driver: bridge}
    directory: /opt/stacks/shop/secrets
    secrets:
      database_url: {}
    values:
      database_url: "{{ vault_database_url }}"
"""

RETURN = r"""
external:
  description: What came of each.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: What it speaks.
      type: str
    network:
      description: The network that it was tried from.
      type: str
    address:
      description: Its host and port.
      type: str
    outcome:
      description:
        - What came of it. V(protocol) is an answer of something that is not of this kind, or of a server that cannot be used
          as the URL says.
      type: str
      choices: [ok, dns, refused, timeout, unreachable, tls, authentication, protocol, not_checked]
    text:
      description: The same in words, and what to do about it.
      type: str
  sample:
    - name: mail
      kind: tcp
      network: shop_default
      address: mail.example.com:587
      outcome: ok
      text: "stack shop: external service mail (tcp, mail.example.com:587) answers."
"""

import os
import time
import typing as t
from secrets import choice

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._compose_report import error_text
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._external_check import (
    External,
    ExternalCheck,
    Tried,
    targets_of,
)
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import parse
from ansible_collections.portside.stack.plugins.module_utils._secrets import SecretStore

# Shorter ones would be masked wherever they occur in the texts.
MASKED = 6


def values_of(module: AnsibleModule) -> t.Dict[str, bytes]:
    """The value that each secret has, or would have."""
    secrets = parse(module.params["secrets"], module.params["values"])
    plan = SecretStore(FileSystem(), module.params["directory"], choice).plan(secrets)
    return {change.name: change.data for change in plan.changes}


def mask(module: AnsibleModule, texts: t.Iterable[str]) -> None:
    module.no_log_values.update(text for text in texts if len(text) >= MASKED)


def check(module: AnsibleModule) -> t.List[Tried]:
    stack = module.params["stack"]
    externals = [External(**one) for one in module.params["external"]]
    values = values_of(module)
    mask(module, (value.decode("utf-8", "replace") for value in values.values()))
    targets = targets_of(stack, externals, values)
    mask(module, (one.password or "" for one in targets))
    engine, run = EngineClient(), detached(module, os.environ, SOCKET)
    work = ExternalCheck(stack, module.params["networks"], engine, run, time.time(), module.check_mode)
    return work.carry_out(externals, targets, module.params["timeout"])


def main() -> None:
    text = {"type": "str", "required": True}
    external = {
        "name": text,
        "kind": {"type": "str", "choices": ["postgresql", "redis", "tls", "tcp"], "required": True},
        "network": text,
        "secret": {"type": "str", "no_log": False},  # a name, not a value
        "host": {"type": "str"},
        "port": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "stack": text,
            "external": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": external,
                "required_one_of": [("secret", "host")],
                "mutually_exclusive": [("secret", "host")],
                "required_together": [("host", "port")],
            },
            "networks": {"type": "dict", "default": {}},
            "directory": {"type": "path", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": False},  # names, not values
            "values": {"type": "dict", "default": {}, "no_log": True},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        found = check(module)
    except (StackError, OSError) as error:
        module.fail_json(msg=error_text(module.params["stack"], error), external=[])
    result = {"changed": False, "external": [one.result() for one in found]}
    failed = [one.text for one in found if one.outcome not in ("ok", "not_checked")]
    if failed:
        module.fail_json(msg="\n".join(failed), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
