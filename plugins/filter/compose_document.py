# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter compose_document."""

from __future__ import annotations

DOCUMENTATION = r"""
name: compose_document
short_description: The Compose document of a declared stack
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Returns the services of a stack as written, with the policy that production needs on top.
  - Published ports are bound by C(exposure), C(depends_on) waits for health or for the end of one-shots.
  - Restart, log rotation and labels get defaults.
  - The variables of C(secret_environment) are exported inside the container, by a shell script in front of the image's
    own entrypoint, from mounted files. The health check and what C(docker compose run) starts have them as well, but not
    what C(docker exec) starts. One that is C(visible) is read from a file by Compose instead.
  - Networks and volumes are external, so that Compose never removes them.
  - A stack of which P(portside.stack.stack_problems#filter) reports problems is not judged again.
positional: directory, secret_versions, images, image_facts
options:
  _input:
    description: One entry of C(stacks).
    type: dict
    required: true
  directory:
    description: Where the stack lives on its host. The default is C(/opt/stacks/NAME).
    type: path
  secret_versions:
    description:
      - The version of each secret, as RV(portside.stack.secret_files#module:versions) returns them.
      - Without it each counts as having its first one. That serves to judge the document, not to run it.
    type: dict
  images:
    description:
      - The image that each reference stands for, as RV(portside.stack.compose_stack#module:images) returns them.
      - A reference without one stays as it is.
    type: dict
    default: {}
  image_facts:
    description:
      - What the image of each service with C(secret_environment) would run, as whom, as
        RV(portside.stack.compose_stack#module:image_facts) returns it.
      - Without it such a service has only the command that it declares itself. That serves to judge it, not to run it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what Compose will read
  ansible.builtin.debug:
    msg: "{{ stacks[0] | portside.stack.compose_document(secret_versions={'db_password': 1}) }}"
"""

RETURN = r"""
_value:
  description: The Compose document.
  type: dict
"""

from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"compose_document": as_filter(compose_document)}
