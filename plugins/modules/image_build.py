#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the images of a stack on its host, each once for what it is built from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build the images of a stack, each once for what it is built from
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Builds images on the host with C(docker build), and tags each by what it is built from. An image that has its tag
    already is not built again, so an unchanged run builds nothing.
  - What counts is the commit, or the files that C(.dockerignore) leaves with their contents, targets of symlinks and
    executable bits, and O(builds[].dockerfile), O(builds[].args), O(builds[].target) and O(builds[].platform).
    A base image whose tag has moved is not noticed; name it by its digest.
  - A failed build ends the task. It changes nothing that runs.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Tells what would be built, also on a host without Docker. What cannot be told yet is a warning.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  stack:
    description: The name of the stack.
    type: str
    required: true
  builds:
    description:
      - What is to be built, as the filter P(portside.stack.stack_builds#filter) returns it.
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: The service that the image is for.
        type: str
        required: true
      image:
        description: The reference by which RV(images) names the image.
        type: str
        required: true
      name:
        description: The repository that the image is tagged in.
        type: str
        required: true
      context:
        description:
          - Where it is built from. A git URL, with C(#REF:DIRECTORY) at its end where that is not the root of the default
            branch, which git on the host fetches.
          - A path that begins with a slash is a directory of the host.
          - Any other path is a directory of the controller, relative to the directory of the inventory.
          - Files are built as mode V(0644), or V(0755) where the owner may execute them, and belong to root.
        type: str
        required: true
      dockerfile:
        description: The Dockerfile, as a path in the context; C(Dockerfile) unless given.
        type: str
        default: ""
      args:
        description: The build arguments. They stay readable in the history of the image, so they are no place for secrets.
        type: dict
        default: {}
      target:
        description: The stage to build; the last one unless given.
        type: str
        default: ""
      platform:
        description: The platform to build for; that of the host unless given.
        type: str
        default: ""
      context_digest:
        description: The digest of a directory of the controller. The action plugin fills this in, whatever is given here.
        type: str
        default: ""
      archive:
        description: The directory of the controller, as sent. The action plugin fills this in, whatever is given here.
        type: path
  directory:
    description: The stack's directory on the host. Values of its secrets are taken out of what a failed build said.
    type: path
  timeout:
    description: Seconds that one build may take, and one fetch of a repository.
    type: int
    default: 1800
  lock:
    description:
      - The token that M(portside.stack.deploy_lock) returned. Without it, nobody else may have the lock of the stack.
    type: str
    default: ""
notes:
  - Either of Docker's builders will do. It builds on the host's own engine.
  - A branch is asked for its commit each time. A commit that is named by its 40 digits is not, so a run that changes
    nothing needs no repository.
seealso:
  - module: portside.stack.compose_stack
"""

EXAMPLES = r"""
- name: Build what the stack is built from
  portside.stack.image_build:
    stack: shop
    builds: "{{ stacks[0] | portside.stack.stack_builds }}"
  register: built

- name: Have the other images too, and pin them all
  portside.stack.compose_stack:
    state: pulled
    definition: "{{ stacks[0] | portside.stack.compose_document }}"
    project_directory: /opt/stacks/shop
    images: "{{ built.images }}"
"""

RETURN = r"""
images:
  description: The ids of the images by their references; in check mode the tags of those that are still to be built.
  returned: success
  type: dict
  sample:
    portside.stack/build/shop-api: sha256:4b825dc642cb6eb9a060e54bf8d69288fbee4904b3f9a9c1d2ddf0a1f5f0f1f2
built:
  description: The tags that were built, or with check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["portside.stack/build/shop-api:0123456789abcdef"]
missing:
  description: The digests of directories of the controller that are still to be sent. Nothing was built.
  returned: success, when the action plugin has not sent them
  type: list
  elements: str
progress:
  description: The progress as it was shown.
  returned: when anything was built
  type: list
  elements: str
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._compose_report import error_text
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._image_build import Build, ImageBuilder, limit
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._progress import watched_work
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor


def build_of(options: t.Mapping[str, t.Any]) -> Build:
    found = {key: value or "" for key, value in options.items()}
    found["args"] = {name: str(value) for name, value in (options["args"] or {}).items()}
    return Build(**found)


def act(module: AnsibleModule, tell: t.Callable[[str], None]) -> t.Dict[str, t.Any]:
    builder = ImageBuilder(
        module.params["stack"],
        EngineClient(),
        detached(module, os.environ, SOCKET),
        time,
        tell,
        module.params["timeout"],
        module.tmpdir,
        module.check_mode,
        redactor(os.path.join(module.params["directory"], "secrets")) if module.params["directory"] else str,
    )
    found = builder.build_all([build_of(options) for options in module.params["builds"]])
    for problem in found.unknown:
        module.warn("{0} So it is not known yet whether the image has to be built.".format(problem))
    result = {
        "changed": bool(found.built),
        "images": found.images,
        "built": found.built,
        "diff": {"before": "", "after": "".join("image {0}: built\n".format(tag) for tag in found.built)},
    }
    if found.missing:
        result["missing"] = found.missing
    return result


def work(module: AnsibleModule, lines: t.List[str]) -> t.Dict[str, t.Any]:
    """The same under the lock, and with everybody told."""
    seconds = limit([options["context"] for options in module.params["builds"]], module.params["timeout"])
    stack = module.params["stack"]
    with watched_work(StackLock(stack, time.time), stack, module.params["lock"], "build", seconds, lines) as tell:
        return act(module, tell)


def main() -> None:
    text = {"type": "str", "default": ""}
    needed = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "stack": needed,
            "builds": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "service": needed,
                    "image": needed,
                    "name": needed,
                    "context": needed,
                    "dockerfile": text,
                    "args": {"type": "dict", "default": {}},
                    "target": text,
                    "platform": text,
                    "context_digest": text,
                    "archive": {"type": "path"},
                },
            },
            "directory": {"type": "path"},
            "timeout": {"type": "int", "default": 1800},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    lines: t.List[str] = []
    try:
        result = act(module, lines.append) if module.check_mode else work(module, lines)
    except (StackError, OSError) as error:
        module.fail_json(msg=error_text(module.params["stack"], error), progress=lines)
    if lines:
        result["progress"] = lines
    module.exit_json(**result)


if __name__ == "__main__":
    main()
