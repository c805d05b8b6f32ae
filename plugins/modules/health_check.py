#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until HTTP probes pass."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Wait until checks of many kinds pass, all at once
version_added: 1.0.0
description:
  - Makes all checks from the host at once, and repeats each until it passes or its deadline is over.
  - A check asks for one of HTTP, a WebSocket, server-sent events (all O(checks[].url)), a TCP port, the health of
    containers, a command in one, PostgreSQL, Redis, the workers of Celery, or the length of a queue.
  - Redirects are not followed, and no proxy of the environment is used, so what is checked is what the address itself
    answers.
  - A place such as O(checks[].tcp) is C(SERVICE:PORT) for each container of a service of the stack, at its address in a
    network of the stack, or C(HOST:PORT), as seen from the host. A name without a dot is a service.
  - When a check does not pass, the error names it with what was seen last, and tells a service that is dead from one
    that is unsteady.
extends_documentation_fragment:
  - portside.stack.attributes
  - portside.stack.checks
attributes:
  check_mode:
    support: partial
    details:
      - Checks nothing, as what is to be checked may not exist yet, and returns the names in RV(not_checked).
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
options:
  stack:
    description:
      - Name of the stack, for its containers and the error message.
    type: str
    required: true
  release:
    description:
      - ID of a release in C(releases) in O(directory). The checks are those of its record. Either it or O(checks) is
        required.
    type: str
  directory:
    description:
      - The stack's directory on the host, for O(release) and O(checks[].password_secret). Values of its secrets are taken out
        of what an error shows of an answer.
    type: path
  deadline:
    description:
      - After how many seconds the checks that have not passed have failed.
    type: float
    default: 60
  fail:
    description:
      - Whether the task fails when a check does not pass. With V(false) they are just returned in RV(not_passed).
    type: bool
    default: true
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned, when the checks are a part of a deploy.
        Its lease is renewed for as long as they take.
    type: str
    default: ""
author:
  - the portside.stack contributors (@portside)
"""

EXAMPLES = r"""
- name: Wait until the stack serves
  portside.stack.health_check:
    stack: selflink
    directory: /opt/stacks/selflink
    deadline: 90
    checks:
      - name: api
        url: http://127.0.0.1:8000/api/docs/
        successes: 3
      - name: login is asked for
        url: http://127.0.0.1:8000/admin/
        location: ^/admin/login/
      - name: edge, as the world will see it
        url: https://selflink.example.org/health
        address: 127.0.0.1:443
        body: '"database": *"ok"'
        certificate_days: 14
      - name: realtime
        url: ws://127.0.0.1/ws
      - name: stream
        url: http://127.0.0.1/api/v1/mentor/stream/
        event: ""
      - {name: database, postgresql: pgbouncer:6432}
      - {name: redis, redis: redis, password_secret: redis_password}
      - {name: workers, celery: worker, app: core, workers: 1}
      - name: queue
        queue: {redis: redis, database: 1, max: 500}
        password_secret: redis_password
      - name: beat
        command: [pgrep, -f, celery beat]
        service: beat
"""

RETURN = r"""
timeline:
  description: The story of every check, in the order of O(checks), in seconds since the start.
  returned: always, except in check mode
  type: list
  elements: dict
  contains:
    name:
      description: The check's name.
      type: str
    kind:
      description: What it asks, one of http, websocket, events, tcp, container, command, postgresql, redis, celery, queue.
      type: str
    passed:
      description: Whether it passed in the end.
      type: bool
    first_failure:
      description: When a try first failed, or null.
      type: float
    first_success:
      description: When a try first passed, or null.
      type: float
    failures:
      description: How many tries failed.
      type: int
    tries:
      description: How many times it was tried.
      type: int
    seconds:
      description: How long it took to pass, or was tried in vain.
      type: float
    last:
      description: What was wrong with the last try that failed; empty where none did.
      type: str
    story:
      description: The same in words, by which a slow start is told from a service that is dead, or unsteady.
      type: str
  sample:
    - name: api
      kind: http
      passed: true
      first_failure: 0.004
      first_success: 3.02
      failures: 3
      tries: 4
      seconds: 3.02
      last: connection refused
      story: "slow start: passed after 3.0 s, 3 tries failed before"
not_passed:
  description: The checks that did not pass.
  returned: always, except in check mode
  type: list
  elements: dict
  contains:
    name:
      description: The check's name.
      type: str
    kind:
      description: What it asks, as in RV(timeline[].kind).
      type: str
    what:
      description: What was asked, and what came of it.
      type: str
    remedy:
      description: What to do.
      type: str
  sample: []
not_checked:
  description: Names of the checks that were not made because of check mode.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._check_headers import secret_values
from ansible_collections.portside.stack.plugins.module_utils._check_rules import parse
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._engine_exec import HostProcesses
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._external_main import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._health_check import HealthCheck, NotPassed
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._probe_world import World
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._stack_containers import StackContainers
from ansible_collections.portside.stack.plugins.module_utils._stored_secrets import StoredSecrets

_TEXT = {"type": "str"}
_WHOLE = {"type": "int"}
_SECONDS = {"type": "float"}
_MAPPING = {"type": "dict"}
CHECK_OPTIONS = {
    "name": {"type": "str", "required": True},
    "timeout": _SECONDS,
    "interval": _SECONDS,
    "deadline": _SECONDS,
    "successes": _WHOLE,
    "url": _TEXT,
    "method": _TEXT,
    "status": _WHOLE,
    "headers": _MAPPING,
    "body": _TEXT,
    "location": _TEXT,
    "response_headers": _MAPPING,
    "certificate_days": _WHOLE,
    "verify": {"type": "bool"},
    "address": _TEXT,
    "event": _TEXT,
    "tcp": _TEXT,
    "container": _TEXT,
    "command": {"type": "list", "elements": "str"},
    "service": _TEXT,
    "output": _TEXT,
    "postgresql": _TEXT,
    "user": _TEXT,
    "database": _TEXT,
    "redis": _TEXT,
    "password_secret": {"type": "str", "no_log": False},
    "celery": _TEXT,
    "app": _TEXT,
    "workers": _WHOLE,
    "queue": {"type": "dict", "options": {"redis": {"type": "str", "required": True}, "name": _TEXT, "database": _WHOLE, "max": _WHOLE}},
}


def run(module):
    params = module.params
    checks, versions = params["checks"], {}
    if params["release"]:
        record = ReleaseStore(params["directory"]).read(params["release"])
        checks, versions = record["checks"], record.get("secrets") or {}
    # What of them may be secret is masked from here on.
    module.no_log_values.update(secret_values(checks))
    secrets = StoredSecrets(params["directory"], versions)
    containers = StackContainers(lambda seconds: EngineClient(timeout=seconds), params["stack"], time, HostProcesses())
    world = World(HostNetwork(), containers, secrets.value, os.urandom, time.time)
    work = HealthCheck(params["stack"], parse(checks), params["deadline"])
    if module.check_mode:
        return work.not_made()
    if not params["lock"]:
        return work.carry_out(world, time, secrets.redact, params["fail"])  # by itself it changes nothing, so it keeps nobody out
    with StackLock(params["stack"], time.time).work(params["lock"], "verify", work.longest):
        return work.carry_out(world, time, secrets.redact, params["fail"])


def main():
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "checks": {"type": "list", "elements": "dict", "options": CHECK_OPTIONS},
            "release": {"type": "str"},
            "directory": {"type": "path"},
            "deadline": {"type": "float", "default": 60},
            "fail": {"type": "bool", "default": True},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        required_one_of=[("checks", "release")],
        mutually_exclusive=[("checks", "release")],
        required_by={"release": ["directory"]},
        supports_check_mode=True,
        no_log=True,  # keeps headers out of the host's log
    )
    try:
        result = run(module)
    except NotPassed as exc:
        module.fail_json(msg=str(exc), **exc.result)
    except StackError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
