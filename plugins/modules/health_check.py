#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until HTTP probes pass."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Wait until HTTP probes pass, all at once
version_added: 1.0.0
description:
  - Sends all probes from the host at once, and repeats each until it passes or O(deadline) is over.
  - Redirects are not followed, and no proxy of the environment is used, so what is checked is what the address itself
    answers.
  - When a check does not pass, the error names it with what was seen last.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: partial
    details:
      - Probes nothing, as what is to be probed may not exist yet, and returns the names in RV(not_checked).
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
options:
  stack:
    description:
      - Name of the stack, for the error message.
    type: str
    required: true
  checks:
    description:
      - The probes. Either these or O(release) is required.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - A name for the check, unique in the list.
        type: str
        required: true
      url:
        description:
          - An C(http) or C(https) address as seen from the host. It may hold no credentials, as it is shown.
        type: str
        required: true
      status:
        description:
          - The status that passes.
        type: int
        default: 200
      timeout:
        description:
          - How many seconds one try may take.
        type: float
        default: 5
      interval:
        description:
          - How many seconds are between two tries.
        type: float
        default: 1
      headers:
        description:
          - Headers to send. Their values are masked, except those of well-known harmless headers like C(Host).
        type: dict
        default: {}
      body:
        description:
          - A regular expression that must match somewhere in the body's first 64 KiB.
            Without it, the body of an answer that passes is not read, so an endless stream may be checked.
        type: str
  release:
    description:
      - ID of a release in C(releases) in O(directory). The probes are those of its record.
    type: str
  directory:
    description:
      - The stack's directory on the host, for O(release). Values of its secrets are taken out of what an error shows of
        an answer.
    type: path
  deadline:
    description:
      - After how many seconds the checks that have not passed have failed.
    type: float
    default: 60
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
    deadline: 90
    checks:
      - name: api
        url: http://127.0.0.1:8000/api/docs/
      - name: login is asked for
        url: http://127.0.0.1:8000/admin/
        status: 302
      - name: edge
        url: http://127.0.0.1/health
        headers:
          Host: selflink.example.org
        body: '"database": *"ok"'
"""

RETURN = r"""
timeline:
  description: The story of every probe, in the order of O(checks), in seconds since the start.
  returned: always, except in check mode
  type: list
  elements: dict
  contains:
    name:
      description: The check's name.
      type: str
    first_failure:
      description: When it first failed, or null.
      type: float
    first_success:
      description: When it passed, or null.
      type: float
    tries:
      description: How many times it was tried.
      type: int
    seconds:
      description: How long it took to pass, or was tried in vain.
      type: float
  sample: [{name: api, first_failure: 0.004, first_success: 3.02, tries: 4, seconds: 3.02}]
not_checked:
  description: Names of the checks that were not made because of check mode.
  returned: success
  type: list
  elements: str
  sample: []
"""

import contextlib
import http.client
import os
import socket
import time
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._check_headers import secret_values
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._probes import (
    Answer,
    Unanswered,
    failure,
    parse,
    watch_all,
)
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore

BODY_LIMIT = 64 * 1024
CHECK_OPTIONS = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "status": {"type": "int", "default": 200},
    "timeout": {"type": "float", "default": 5},
    "interval": {"type": "float", "default": 1},
    "headers": {"type": "dict", "default": {}},
    "body": {"type": "str"},
}


def fetch(check, timeout):
    parts = urlsplit(check.url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    ends = time.monotonic() + timeout
    try:
        connection = connect(parts.hostname, parts.port, timeout=timeout)
        try:
            connection.request("GET", target, headers=dict({"User-Agent": "portside-health-check"}, **check.headers))
            response = connection.getresponse()
            wanted = check.body is not None or response.status != check.status
            return Answer(response.status, read_body(response, ends) if wanted else "")
        finally:
            connection.close()
    except ConnectionRefusedError as exc:
        raise Unanswered("connection refused") from exc
    except socket.timeout as exc:
        raise Unanswered("no answer within %.1f s" % timeout) from exc
    except (OSError, ValueError, http.client.HTTPException) as exc:
        raise Unanswered("%s: %s" % (type(exc).__name__, exc)) from exc


def read_body(response, ends):
    """What comes until the time of this try is over: a stream need not end."""
    body = b""
    while len(body) < BODY_LIMIT and time.monotonic() < ends:
        try:
            chunk = response.read1(BODY_LIMIT)
        except socket.timeout:
            break
        if not chunk:
            break
        body += chunk
    return body[:BODY_LIMIT].decode("utf-8", "replace")


class NotPassed(StackError):
    def __init__(self, message, result):
        super().__init__(message)
        self.result = result


def of_record(check):
    """A check of a release with all its options, each of its own type, as Ansible makes those of a task."""
    found = {name: option.get("default") for name, option in CHECK_OPTIONS.items()}
    found.update((name, value) for name, value in check.items() if value is not None)
    types = {"status": int, "timeout": float, "interval": float}
    return dict(found, **{name: convert(found[name]) for name, convert in types.items()})


def declared(module):
    """The checks with all their options; what of them may be secret is masked from here on."""
    checks = module.params["checks"]
    if module.params["release"]:
        record = ReleaseStore(module.params["directory"]).read(module.params["release"])
        checks = [of_record(check) for check in record["checks"]]
    module.no_log_values.update(secret_values(checks))
    return parse(checks)


def run(module):
    checks = declared(module)
    if module.check_mode:
        return {"changed": False, "not_checked": [check.name for check in checks]}
    with stage(module):
        return probe(module, checks)


@contextlib.contextmanager
def stage(module):
    if not module.params["lock"]:
        yield  # by itself it changes nothing, so it keeps nobody out
        return
    with StackLock(module.params["stack"], time.time).work(module.params["lock"], "verify", module.params["deadline"]):
        yield


def probe(module, checks):
    start = time.monotonic()
    directory = module.params["directory"]
    redact = redactor(os.path.join(directory, "secrets")) if directory else str
    probes = watch_all(checks, module.params["deadline"], lambda: time.monotonic() - start, time.sleep, fetch, redact)
    seconds = round(time.monotonic() - start, 3)
    result = {"changed": False, "not_checked": [], "timeline": [probe.timeline(seconds) for probe in probes]}
    message = failure(module.params["stack"], probes, seconds)
    if message:
        raise NotPassed(message, result)
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "checks": {"type": "list", "elements": "dict", "options": CHECK_OPTIONS},
            "release": {"type": "str"},
            "directory": {"type": "path"},
            "deadline": {"type": "float", "default": 60},
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
