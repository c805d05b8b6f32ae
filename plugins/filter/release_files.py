# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter release_files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_files
short_description: The files of a release, named by their content
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Renders the Compose file of a stack, the configuration files that its services mount, and the record
    C(release.json), which holds all that bringing the release back one day needs.
  - The same declaration, secret versions and images give the same name and the same files, everywhere and always.
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
    description: The version of each secret, as RV(portside.stack.secret_files#module:versions) returns them.
    type: dict
    default: {}
  images:
    description:
      - The image that each reference stands for, as RV(portside.stack.compose_stack#module:images) returns them.
        The release runs these for ever, also when a tag has moved since.
      - A reference without one stays as it is.
    type: dict
    default: {}
  image_facts:
    description:
      - What the images of services with C(secret_environment) say of themselves, as
        RV(portside.stack.compose_stack#module:image_facts) returns it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write a release
  portside.stack.config_files:
    files: "{{ release.files }}"
  vars:
    release: "{{ stacks[0] | portside.stack.release_files('/opt/stacks/hello', {'db_password': 1}, prepared.images, prepared.image_facts) }}"
"""

RETURN = r"""
_value:
  description: The release.
  type: dict
  contains:
    id:
      description: The digest of all files, 16 hexadecimal digits.
      type: str
    compose_file:
      description: The path of the Compose file.
      type: str
    definition:
      description: The Compose document, as P(portside.stack.compose_document#filter) returns it.
      type: dict
    files:
      description: The C(content) and C(mode) of each file, by its path.
      type: dict
    logins:
      description: The database logins, as M(portside.stack.database_logins) takes them.
      type: list
    steps:
      description: The declared steps, as M(portside.stack.release_step) takes them.
      type: list
    declaration_digest:
      description: The digest of the declaration alone, 16 hexadecimal digits, the same for every host.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import release_files


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"release_files": as_filter(release_files)}
